/** A stored run as an event stream: replayed from a frame on, then live. */
import type { FastifyReply } from 'fastify'
import { createNativeView } from '../dialects/stored-view.ts'
import type { RunId } from '../runs/run-store.ts'
import type { NumberedEvent } from '../runs/stored/events.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { joinFrames } from '../wire/sse.ts'
import { valueError } from '../wire/validation.ts'
import { signalOf, writeEvents } from './event-stream.ts'
import type { RunRoutes } from './run-routes.ts'

/** How soon a client that lost its connection comes back, in milliseconds; a block of its own at the start of each stream. */
const RETRY = 'retry: 1000\n\n'

export interface StreamRequest {
  id: RunId
  /** The number of the last frame that the reader has. */
  after: number
  /** Cancel the run this long after its last reader has left. Undefined: it goes on. */
  cancelWhenLeftMs?: number | undefined
}

/**
 * Answers with the events of a run after a number, to its end.
 * 204 when the reader has them all; 410 when they are no longer kept; 422 for a number beyond the last.
 */
export async function streamRun(
  { runs, readers, services }: RunRoutes,
  reply: FastifyReply,
  { id, after, cancelWhenLeftMs }: StreamRequest,
): Promise<FastifyReply | undefined> {
  const { lastEventId, endedAt } = await runs.store.read({ kind: 'run', ...id })
  if (after > lastEventId)
    throw new RequestInvalid([
      valueError(['query', 'starting_after'], `the last event has the number ${lastEventId}`, after),
    ])
  if (endedAt !== null && after === lastEventId) return reply.code(204).send()
  await runs.store.read({ kind: 'events', ...id, after, limit: 1 }) // 410 while there is still a status to send
  const signal = signalOf(reply)
  const leave = readers.join(id.runId)
  const cancel = () => void runs.cancel({ ...id, mode: 'immediate', waitMs: 0 }).catch(() => {}) // it may have ended
  if (cancelWhenLeftMs !== undefined) readers.cancelWhenLeft(id.runId, cancelWhenLeftMs, cancel)
  try {
    const view = createNativeView(services.dialects.native.writer(undefined as never))
    let first = RETRY
    const toFrames = (events: readonly NumberedEvent[]) => {
      const frames = joinFrames([first, view.frames(events)])
      first = ''
      return frames
    }
    await writeEvents(services, reply, runs.follow(id, after, signal), toFrames)
  } finally {
    leave()
  }
  return undefined
}
