/** Loads the history of a run through the agency's `loadThreads`. */

import { within } from '../base/async.ts'
import { threadsFailed } from '../base/request-errors.ts'
import { isObject } from '../wire/json.ts'
import type { StoredMessage } from '../wire/message.ts'

/**
 * Loads the conversation so far: the result of `load`, or `sent` when there is no `load` or it returns nothing. A failing store
 * fails the request: a run without its history would overwrite it.
 * @throws THREADS_FAILED when `load` fails, takes longer than `callbackMs`, or returns anything but a list of messages
 */
export async function loadConversation(
  load: (() => unknown) | undefined,
  { sent, callbackMs }: { sent: StoredMessage[]; callbackMs: number },
): Promise<StoredMessage[]> {
  if (load === undefined) return sent
  try {
    const loaded = await within(callbackMs, 'loadThreads', load())
    if (loaded === undefined || loaded === null) return sent
    if (!Array.isArray(loaded) || !loaded.every(isObject))
      throw new Error('loadThreads returned something that is not a list of messages. Parse what is stored as JSON.')
    return loaded as StoredMessage[]
  } catch (error) {
    throw threadsFailed(error)
  }
}
