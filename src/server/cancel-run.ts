/** Cancels a run of the legacy endpoints, in whichever process it is. */
import { runNotFound } from '../base/errors.ts'
import type { Services } from '../services.ts'
import type { StoredMessage } from '../wire/message.ts'
import type { Questions } from '../workers/peers.ts'

/** Longer ids are not passed on: no run has one. */
const MOST_ID_CHARS = 128
/** How much longer than a run's end its worker's answer may take, in milliseconds. */
const ANSWER_MS = 2_000

/**
 * Stops a run and waits for its end.
 * @returns its new messages; undefined when it has not ended in time, and is still being stopped
 * @throws RUN_NOT_FOUND for a run that has ended, and for one of another owner; OVERLOADED
 */
export async function cancelRun(
  { runner, peers }: Pick<Services, 'runner' | 'peers'>,
  cancel: Questions['cancel']['asks'],
): Promise<StoredMessage[] | undefined> {
  const { runId, owner, mode, waitMs } = cancel
  if (peers === undefined || runId.length > MOST_ID_CHARS || runner.knows(runId, owner))
    return (await runner.cancel(runId, owner, mode, waitMs))?.newMessages
  const { answers, complete } = await peers.ask('cancel', cancel, {
    ms: waitMs + ANSWER_MS,
    enough: ({ found }) => found,
  })
  for (const answer of answers) if (answer.found) return answer.newMessages
  if (complete) throw runNotFound(runId)
  return undefined // a worker that does not answer may have it
}
