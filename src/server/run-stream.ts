/** A stored run as an event stream: replayed from a frame on, then live. */
import type { FastifyReply } from 'fastify'
import { countAguiFrames, writeAguiView } from '../dialects/agui/stored.ts'
import { createNativeView } from '../dialects/stored-view.ts'
import type { RunId, RunRecord } from '../runs/run-store.ts'
import { RequestInvalid } from '../wire/requests.ts'
import type { ViewName } from '../wire/runs.ts'
import { type FrameText, joinFrames } from '../wire/sse.ts'
import { valueError } from '../wire/validation.ts'
import { createAguiSource } from './agui-source.ts'
import { signalOf, writeEvents } from './event-stream.ts'
import { followWithPauses } from './pauses.ts'
import type { LastFrame } from './run-requests.ts'
import type { RunRoutes } from './run-routes.ts'

/** How soon a client that lost its connection comes back, in milliseconds; a block of its own at the start of each stream. */
const RETRY = 'retry: 1000\n\n'

export interface StreamRequest {
  run: RunRecord
  /** The last frame that the reader has. Default: none. */
  after?: LastFrame
  /** Default: the protocol of the agency's stream endpoint. */
  view?: ViewName | undefined
}

/** A run in one view: how many frames it has so far, and those after the reader's last one. */
interface View {
  /** The number of its newest frame. */
  last: number
  frames(signal: AbortSignal): AsyncIterable<FrameText>
}

/**
 * Answers with the events of a run after a frame, to its end.
 * 204 when the reader has them all; 410 when they are no longer kept; 422 for a number beyond the last.
 */
export async function streamRun(
  context: RunRoutes,
  reply: FastifyReply,
  { run, after = { number: 0, loc: [] }, view: name }: StreamRequest,
): Promise<FastifyReply | undefined> {
  const { runs, services } = context
  const id = idOf(run)
  const isAgui = name === undefined ? services.dialects.agui !== undefined : name === 'agui'
  const view = isAgui ? await openAguiView(context, run, after.number) : openNativeView(context, run, after.number)
  if (after.number > view.last)
    throw new RequestInvalid([
      valueError(after.loc, `the last frame of the run has the number ${view.last}`, after.number),
    ])
  if (run.endedAt !== null && after.number === view.last) return reply.code(204).send()
  // 410 while there is still a status to send. A run that lives has its events.
  if (run.endedAt !== null) await runs.store.read({ kind: 'events', ...id, after: isAgui ? 0 : after.number, limit: 1 })
  const signal = signalOf(reply)
  const leave = runs.readers.join(id, run.unreadMs)
  let first = RETRY
  const toFrames = (frames: FrameText) => {
    const text = joinFrames([first, frames])
    first = ''
    return text
  }
  try {
    await writeEvents(services, reply, view.frames(signal), toFrames)
  } finally {
    leave(!signal.aborted)
  }
  return undefined
}

function openNativeView({ runs, services }: RunRoutes, run: RunRecord, after: number): View {
  const view = createNativeView(services.dialects.native.writer(undefined as never))
  return {
    last: run.lastEventId,
    async *frames(signal) {
      for await (const events of runs.follow(idOf(run), after, signal)) yield view.frames(events)
    },
  }
}

async function openAguiView({ runs }: RunRoutes, run: RunRecord, after: number): Promise<View> {
  const source = createAguiSource(runs, run)
  return {
    last: after === 0 ? run.lastEventId : await countAguiFrames(source, run.lastEventId),
    frames: (signal) => writeAguiView(followWithPauses(runs, idOf(run), 0, signal), source, after),
  }
}

const idOf = ({ agency, owner, runId }: RunRecord): RunId => ({ agency, owner, runId })
