/** `POST /{agency}/agui`: stored runs for AG-UI clients. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../../agency/served.ts'
import { AgencyError, interruptOpen, notFound } from '../../base/errors.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { answeredIdOf, readEcho, toMetadata } from '../../dialects/agui/echo.ts'
import { toStoredTurn } from '../../dialects/agui/input.ts'
import { countUntilDecided, writeAguiView } from '../../dialects/agui/stored.ts'
import { runError, runStarted } from '../../dialects/agui/writer.ts'
import { toOffer } from '../../dialects/openai/offer.ts'
import type { Owned, RunId, RunRecord, ThreadId } from '../../runs/run-store.ts'
import { STATE } from '../../tools/state.ts'
import type { AguiRequest } from '../../wire/agui.ts'
import { aguiStreamSchemas } from '../../wire/agui-events.ts'
import {
  type AguiResume,
  type AguiRunRequest,
  aguiRunSchema,
  parseAguiRunRequest,
  readResume,
} from '../../wire/agui-run.ts'
import { AGUI_EXAMPLE } from '../../wire/examples.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { RequestInvalid } from '../../wire/requests.ts'
import { createAguiSource } from '../agui-source.ts'
import { catchCode, findThread, prepareThread } from '../chat-thread.ts'
import { signalOf, writeEvents, writeFrames } from '../event-stream.ts'
import { BODY_REFUSALS, bodyOf, type Operations, streamOf } from '../operations.ts'
import { followWithPauses } from '../pauses.ts'
import { logIdOf } from '../request-log.ts'
import { idempotencyOf, type LastFrame, lastFrameOf, markReplay } from '../run-requests.ts'
import { CODED, type RunRoutes } from '../run-routes.ts'
import { traceContextOf } from '../start-run.ts'

/** Refusals that a stream reports: the client shows them as the end of its run. */
const IN_STREAM = new Set(['NOTHING_TO_ANSWER', 'INTERRUPT_OPEN', 'APPROVAL_EXPIRED', 'NOT_FOUND'])

/** What of the events of a run a client gets. */
interface AguiStream {
  run: RunRecord
  /** The last frame that the client has. */
  after: number
  /** The ids that RUN_STARTED names. */
  named: { runId: string; parentRunId: string | undefined }
  /** How long the run goes on without a reader, in milliseconds; null: as it was. */
  unreadMs: number | null
}

export function registerAgui(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { requestRules, agencyOf, ownedBy, services } = context
  const { events, disconnectGraceMs } = services.doors.agui ?? { events: {}, disconnectGraceMs: 0 }
  app.post(`${base}/agui`, CODED, async (request, reply) => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const body = await parseAguiRunRequest(request.body, requestRules, events)
    const owned = await ownedBy(request)
    const unreadMs = body.on_disconnect === 'continue' ? null : body.on_disconnect === 'cancel' ? 0 : disconnectGraceMs
    return answer(context, reply, body, async () => {
      const { run, after } = await open(context, { request, reply, served, owned, body, unreadMs })
      const { runId, parentRunId } = body
      return { run, after, named: { runId, parentRunId }, unreadMs }
    })
  })
}

/** Answers the interrupts of a stored run at an endpoint for runs that are not stored. False for a request without answers. */
export async function resumeStored(
  context: RunRoutes,
  request: FastifyRequest,
  reply: FastifyReply,
  body: AguiRequest,
): Promise<boolean> {
  const entries = readResume(request.body, context.requestRules)
  if (entries.length === 0) return false
  const owned = await context.ownedBy(request)
  const { threadId, runId, parentRunId } = body
  await answer(context, reply, body, async () => {
    const thread = await findThread(context.runs.store, { ...owned, threadId })
    // A run without a thread names itself.
    const waiting =
      thread === undefined
        ? await context.runs.store.read({ kind: 'run', ...owned, runId: threadId })
        : await newestRun(context, { ...owned, threadId })
    const resumed = await resume(context, waiting, entries)
    return { ...resumed, named: { runId, parentRunId }, unreadMs: resumed.run.unreadMs }
  })
  return true
}

/** Streams what was opened; a refusal is the end of the stream where clients expect it there. */
async function answer(
  context: RunRoutes,
  reply: FastifyReply,
  body: AguiRequest,
  open: () => Promise<AguiStream>,
): Promise<undefined> {
  let stream: AguiStream
  try {
    stream = await open()
  } catch (error) {
    if (!AgencyError.isInstance(error) || !IN_STREAM.has(error.code)) throw error
    writeFrames(reply, runStarted(body) + runError(context.services.redact(error.message), error.code))
    return undefined
  }
  return write(context, reply, stream)
}

interface AguiStart {
  request: FastifyRequest
  reply: FastifyReply
  served: ServedAgency
  owned: Owned
  body: AguiRunRequest
  unreadMs: number | null
}

/** The run that a request is about: a new one, one that goes on, or one whose stream has broken. */
async function open(context: RunRoutes, start: AguiStart): Promise<{ run: RunRecord; after: number }> {
  const { runs } = context
  const { request, served, owned, body } = start
  const id: ThreadId = { ...owned, threadId: body.threadId }
  const broken = await readBroken(context, id, { runId: body.runId, seen: lastFrameOf(request) })
  if (broken !== undefined) return broken
  const thread = served.keepsThreads ? undefined : await findThread(runs.store, id)
  const last = thread && (await newestRun(context, id))
  if (body.resume.length > 0) return resume(context, last, body.resume)
  if (thread?.status === 'requires_action') throw interruptOpen(await countPending(context, thread.activeRunId, owned))
  return { run: await begin(context, { ...start, id, last, isNew: thread === undefined }), after: 0 }
}

/** The run of a request that was sent again with the last frame of its stream. */
async function readBroken(
  { runs: { store } }: RunRoutes,
  { threadId, ...owned }: ThreadId,
  { runId: alias, seen }: { runId: string; seen: LastFrame },
): Promise<{ run: RunRecord; after: number } | undefined> {
  if (seen.number === 0) return undefined
  const run = await store.read({ kind: 'run', ...owned, alias }).catch(catchCode('NOT_FOUND'))
  return run === undefined || run.threadId !== threadId ? undefined : { run, after: seen.number }
}

async function newestRun({ runs: { store } }: RunRoutes, id: ThreadId): Promise<RunRecord | undefined> {
  const page = await store.read({ kind: 'runs', ...id, limit: 1 })
  return page.data[0]
}

async function begin(
  context: RunRoutes,
  start: AguiStart & { id: ThreadId; last: RunRecord | undefined; isNew: boolean },
): Promise<RunRecord> {
  const { runs, limits, services } = context
  const { request, reply, served, owned, body, unreadMs, id, last, isNew } = start
  const entry = served.preview.entryPoints[0]?.name ?? ''
  const messageId = answeredIdOf(body)
  // The client asks again for an answer to the message that the newest run has answered.
  const again = last !== undefined && messageId !== undefined && readEcho(last.metadata)?.messageId === messageId
  const calls = again ? [] : ((last?.outcome?.client_calls ?? []) as InputItem[])
  const { message, chat_history } = toStoredTurn(body, entry, isNew ? undefined : calls)
  const client = toOffer(served.preview, entry, {
    tools: body.tools.map((tool, index) => ({ tool, loc: ['tools', index] })),
    choice: undefined,
    format: undefined,
    formatLoc: [],
  })
  if (!served.keepsThreads)
    await prepareThread({ runs, id, answered: async () => last, rewrites: again, history: () => chat_history })
  const { run, replayed } = await runs.start({
    ...owned,
    request: {
      ...body.fields,
      message,
      chat_history: served.keepsThreads ? chat_history : [],
      additional_instructions: toInstructions(body),
      user_context:
        body.state === undefined ? body.fields.user_context : { ...body.fields.user_context, [STATE]: body.state },
      client,
    },
    thread: served.keepsThreads ? null : { threadId: id.threadId, ifNotExists: 'create', strategy: 'enqueue' },
    metadata: toMetadata(body),
    alias: body.runId,
    unreadMs,
    traceContext: services.telemetry && traceContextOf(request),
    logId: logIdOf(request),
    idempotency: await idempotencyOf(request, limits),
  })
  markReplay(reply, replayed)
  return run
}

/** The instructions of a run, with what the application tells about itself. */
function toInstructions({ fields, context }: AguiRunRequest): string | null | undefined {
  const { additional_instructions: given } = fields
  if (context.length === 0) return given
  const told = context.map(({ description, value }) => `- ${description}: ${value}`).join('\n')
  return [given ?? '', `The application that the user works with tells you:\n${told}`].join('\n\n').trim()
}

const countPending = async (context: RunRoutes, runId: string | null, owned: Owned): Promise<number> =>
  runId === null ? 0 : (await pendingOf(context, { ...owned, runId })).length

/** Most approvals that are read of one run. */
const MAX_PENDING = 1000

async function pendingOf({ runs: { store } }: RunRoutes, { agency, owner, runId }: RunId) {
  const page = await store.read({ kind: 'approvals', agency, owner, runId, status: 'pending', limit: MAX_PENDING })
  return page.data
}

/**
 * Decides what a run waits for, so that it goes on.
 * @throws NOT_FOUND for an interrupt that is not one of the run, INTERRUPT_OPEN, APPROVAL_EXPIRED, RequestInvalid for arguments
 *   that the tool does not take
 */
async function resume(
  context: RunRoutes,
  run: RunRecord | undefined,
  entries: readonly AguiResume[],
): Promise<{ run: RunRecord; after: number }> {
  const { runs } = context
  if (run === undefined) throw notFound('approval')
  const { agency, owner, runId } = run
  const id = { agency, owner, runId }
  for (const { interruptId: approvalId } of entries) await runs.store.read({ kind: 'approval', ...id, approvalId })
  const decided = new Set(entries.map(({ interruptId }) => interruptId))
  const pending = await pendingOf(context, run)
  if (pending.some(({ approvalId }) => !decided.has(approvalId))) throw interruptOpen(pending.length)
  for (const [index, entry] of entries.entries())
    await runs
      .decide({ ...id, approvalId: entry.interruptId, decision: toDecision(entry) })
      .catch(catchCode('APPROVAL_DECIDED')) // the same request again, or somebody was faster: the client sees what came of it
      .catch((error: unknown) => {
        throw error instanceof RequestInvalid ? inPlace(error, index) : error
      })
  const now = await runs.store.read({ kind: 'run', ...id })
  return { run: now, after: await countUntilDecided(createAguiSource(runs, now), now.lastEventId, decided) }
}

function toDecision({ status, payload }: AguiResume): Parameters<RunRoutes['runs']['decide']>[0]['decision'] {
  if (status === 'cancelled') return { kind: 'reject' }
  const { approved, editedArgs, reason } = isObject(payload) ? payload : { approved: payload }
  if (approved !== true) return { kind: 'reject', ...(typeof reason === 'string' ? { reason } : {}) }
  return { kind: 'approve', ...(isObject(editedArgs) ? { arguments: editedArgs } : {}) }
}

/** The details of arguments that do not fit, with their place in this body. */
const inPlace = ({ details }: RequestInvalid, index: number) =>
  new RequestInvalid(
    details.map((detail) => ({
      ...detail,
      loc: ['body', 'resume', index, 'payload', 'editedArgs', ...detail.loc.slice(2)],
    })),
  )

/** Writes the frames of a run up to its end, or to the moment when it waits for people. */
async function write(
  { runs, services }: RunRoutes,
  reply: FastifyReply,
  { run, after, named, unreadMs }: AguiStream,
): Promise<undefined> {
  const { agency, owner, runId } = run
  const id = { agency, owner, runId }
  await runs.store.read({ kind: 'events', ...id, after: 0, limit: 1 }) // 410 while there is still a status to send
  reply.header('content-location', `/${agency}/runs/${runId}`)
  const signal = signalOf(reply)
  const leave = runs.readers.join(id, unreadMs)
  let over = false
  async function* events() {
    for await (const batch of followWithPauses(runs, id, 0, signal)) {
      over = batch === 'paused' || batch.at(-1)?.event.kind === 'closed'
      yield batch
      if (batch === 'paused') return
    }
  }
  try {
    const source = createAguiSource(runs, run, named)
    await writeEvents(services, reply, writeAguiView(events(), source, after), (frames) => frames)
  } finally {
    leave(over)
  }
  return undefined
}

export const operations: Operations = {
  schemas: [aguiRunSchema, ...aguiStreamSchemas],
  endpoints: [
    {
      path: '/agui',
      method: 'post',
      id: 'agui',
      coded: true,
      operation: {
        summary: 'Answer an AG-UI client with a run that is stored',
        requestBody: bodyOf('AguiRunInput', AGUI_EXAMPLE),
        responses: {
          200: streamOf(
            'Server-sent events of AG-UI (https://docs.ag-ui.com), each with its number as `id`. They end with `RUN_FINISHED` or `RUN_ERROR`; the outcome `interrupt` asks for decisions.',
            'AguiFrame',
          ),
          ...BODY_REFUSALS,
        },
      },
    },
  ],
}
