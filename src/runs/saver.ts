/** Gives the conversation of a run to `saveThreads`. */
import type { SaveThreads } from '../agency/agency.ts'
import { within } from '../base/async.ts'
import type { StoredMessage } from '../wire/message.ts'

export interface SaverOptions {
  save: SaveThreads
  /** The whole conversation so far. */
  messages: () => StoredMessage[]
  /** How long one call may take. */
  callbackMs: number
  onError: (error: unknown) => void
}

/**
 * Saves one list at a time, so that an older one cannot overtake a newer one, and none that is the same as the last. The
 * promise settles when the messages at the time of the call are saved, or could not be saved.
 */
export function createSaver({ save, messages, callbackMs, onError }: SaverOptions): () => Promise<void> {
  let saved: StoredMessage[] = []
  let running: Promise<void> | undefined
  let next: Promise<void> | undefined
  const once = async () => {
    const now = messages()
    if (now.length === saved.length && now.every((message, index) => message === saved[index])) return
    try {
      await within(callbackMs, 'saveThreads', save([...now]))
      saved = now
    } catch (error) {
      onError(error) // the run continues; the next call saves the whole list again
    }
  }
  const start = () => {
    running = once().finally(() => {
      running = undefined
    })
    return running
  }
  return () => {
    if (running === undefined) return start()
    next ??= running.then(() => {
      next = undefined
      return start()
    })
    return next
  }
}
