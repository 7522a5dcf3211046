/** Cancels a run of the legacy endpoints, in whichever process it is. */
import { z } from 'zod'
import { runNotFound } from '../base/request-errors.ts'
import type { Services } from '../services.ts'
import type { JsonObject } from '../wire/json.ts'
import type { StoredMessage } from '../wire/message.ts'
import type { Questions } from '../workers/peers.ts'

/** Longer ids are not passed on: no run has one. */
const MOST_ID_CHARS = 128
/** How much longer than a run's end its worker's answer may take, in milliseconds. */
const ANSWER_MS = 2_000

const cancelQuestion = z.object({
  runId: z.string(),
  owner: z.string(),
  mode: z.enum(['immediate', 'after_turn']),
  waitMs: z.number(),
})
type Cancel = Questions['cancel']['asks']
/** The new messages of a run; undefined when it has not ended in time, and is still being stopped. */
type Cancelled = { newMessages: StoredMessage[] | undefined }

/** A question of another process on the same store; undefined for one that this version does not know. */
export const readCancelQuestion = (question: JsonObject): Cancel | undefined => cancelQuestion.safeParse(question).data

/**
 * Stops a run and waits for its end: in this process, in another worker of this machine, or in a process of another machine that
 * shares its store.
 * @throws RUN_NOT_FOUND for a run that has ended, and for one of another owner; OVERLOADED, STORE_UNAVAILABLE
 */
export async function cancelRun(services: Services, cancel: Cancel): Promise<Cancelled> {
  const { runner, stored } = services
  const { runId, owner, mode, waitMs } = cancel
  const isHere = runner.knows(runId, owner)
  if (isHere) return { newMessages: (await runner.cancel(runId, owner, mode, waitMs))?.newMessages }
  if (runId.length > MOST_ID_CHARS) throw runNotFound(runId)
  const cancelled = await cancelInWorker(services, cancel)
  if (cancelled !== undefined) return cancelled
  const found = await stored.runs.store.processes?.ask(cancel, waitMs + ANSWER_MS)
  if (found === undefined) throw runNotFound(runId)
  return { newMessages: (found.answer?.newMessages as StoredMessage[] | null | undefined) ?? undefined }
}

/** Undefined: no other worker of this machine has it. */
async function cancelInWorker({ peers }: Services, cancel: Cancel): Promise<Cancelled | undefined> {
  if (peers === undefined) return undefined
  const { answers, complete } = await peers.ask('cancel', cancel, {
    ms: cancel.waitMs + ANSWER_MS,
    enough: ({ found }) => found,
  })
  for (const answer of answers) if (answer.found) return { newMessages: answer.newMessages }
  return complete ? undefined : { newMessages: undefined } // a worker that does not answer may have it
}
