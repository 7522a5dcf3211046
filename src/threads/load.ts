import { threadsFailed } from '../errors.ts'
import { within } from '../waits.ts'
import { isObject } from '../wire/json.ts'
import type { StoredMessage } from '../wire/message.ts'

/**
 * The conversation so far: what `load` gives, or `sent` when there is no `load` or it gives no list. A store that fails
 * fails the request: going on without the history would save over it.
 * @throws THREADS_FAILED when `load` fails, takes longer than `callbackMs`, or gives a list of other things than messages
 */
export async function loadConversation(
  load: (() => unknown) | undefined,
  { sent, callbackMs }: { sent: StoredMessage[]; callbackMs: number },
): Promise<StoredMessage[]> {
  if (load === undefined) return sent
  try {
    const loaded = await within(callbackMs, 'loadThreads', load())
    if (!Array.isArray(loaded)) return sent
    if (!loaded.every(isObject)) throw new Error('loadThreads gave a list with something that is no message.')
    return loaded as StoredMessage[]
  } catch (error) {
    throw threadsFailed(error)
  }
}
