import type { SaveThreads } from '../agency/agency.ts'
import { within } from '../base/async.ts'
import type { StoredMessage } from '../wire/message.ts'

export interface SaverOptions {
  /** Undefined: nothing is saved. */
  save: SaveThreads | undefined
  /** The conversation as it is now. */
  messages: () => StoredMessage[]
  /** How long one call may take. */
  callbackMs: number
  onError: (error: unknown) => void
}

/** The `saveThreads` that a served agency's factory is given: the caller keeps the conversation, so none is put together here. */
export const keepNothing = (): void => {}

/**
 * Gives a run's conversation to `saveThreads`: one call at a time, so that no older list can overtake a newer one, and none
 * when nothing has come since the last. The promise settles when what was there at the call has been saved, or could not be.
 * Undefined where nothing is to be saved.
 */
export function createSaver({ save, messages, callbackMs, onError }: SaverOptions): (() => Promise<void>) | undefined {
  if (save === undefined || save === keepNothing) return undefined
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
      onError(error) // the run goes on; the next call brings the whole list again
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
