/** `POST /{agency}/chat` and `GET /{agency}/chat/{id}/stream`: stored runs for pages on the AI SDK's `useChat`. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../../agency/served.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { type ChatAsk, readAsk, toHistory } from '../../dialects/ai-sdk/input.ts'
import { AiSdkView } from '../../dialects/ai-sdk/view.ts'
import type { Owned, RunId, ThreadId } from '../../runs/run-store.ts'
import type { NumberedEvent } from '../../runs/stored/events.ts'
import type { Services } from '../../services.ts'
import { type ChatRequest, chatRequestSchema, chatStreamSchemas, parseChatRequest } from '../../wire/ai-sdk.ts'
import { readChatEvents } from '../chat-events.ts'
import { catchCode, findThread, prepareThread } from '../chat-thread.ts'
import { signalOf, writeEvents } from '../event-stream.ts'
import { answerOf, BODY_REFUSALS, bodyOf, type Operations, streamOf } from '../operations.ts'
import { logIdOf } from '../request-log.ts'
import { idempotencyOf, markReplay } from '../run-requests.ts'
import type { RunRoutes } from '../run-routes.ts'

/** Errors of these routes are plain text: the AI SDK shows the whole body of an answer as the message of its error. */
const PLAIN = { config: { plainErrors: true } }
const STREAM_HEADER = 'x-vercel-ai-ui-message-stream'
const LET_GO = 'The server stopped before the run ended. Load the chat again to follow it.'

export function registerChat(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, agencyOf, ownedBy, services } = context
  const { rules } = services.stored

  app.post(`${base}/chat`, PLAIN, async (request, reply) => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const body = parseChatRequest(request.body, served.preview.agentNames, rules)
    const ask = readAsk(body.messages)
    const owned = await ownedBy(request)
    const unreadMs = graceOf(body, services)
    if (ask.kind === 'decisions') {
      const id = { ...owned, runId: ask.runId }
      const after = await decide(context, id, ask)
      return streamChat(context, reply, { id, after, decided: decisionsIn(ask), unreadMs })
    }
    const runId = await start(context, { request, reply, served, owned, body, ask, unreadMs })
    return streamChat(context, reply, { id: { ...owned, runId }, unreadMs })
  })

  /** The run that is alive, from its first chunk. Pages ask on every load, so it is not an error when there is none. */
  app.get(`${base}/chat/:chat_id/stream`, PLAIN, async (request, reply) => {
    const { chat_id: threadId } = request.params as { chat_id: string }
    const owned = await ownedBy(request)
    const thread = await findThread(runs.store, { ...owned, threadId })
    if (thread?.activeRunId == null) return reply.code(204).send()
    const { runId, unreadMs } = await runs.store.read({ kind: 'run', ...owned, runId: thread.activeRunId })
    return streamChat(context, reply, { id: { ...owned, runId }, unreadMs })
  })
}

/** How long the run goes on without a reader, in milliseconds; null: to its end. */
const graceOf = ({ on_disconnect }: ChatRequest, { doors: { aiSdk } }: Pick<Services, 'doors'>) =>
  on_disconnect === 'continue' ? null : on_disconnect === 'cancel' ? 0 : (aiSdk?.disconnectGraceMs ?? null)

interface ChatStart {
  request: FastifyRequest
  reply: FastifyReply
  served: ServedAgency
  owned: Owned
  body: ChatRequest
  ask: ChatAsk & { kind: 'message' }
  unreadMs: number | null
}

/** Starts the run that answers the last message. @returns its id */
async function start(
  context: RunRoutes,
  { request, reply, served, owned, body, ask, unreadMs }: ChatStart,
): Promise<string> {
  const { runs, limits } = context
  const { chatId, messages, rewrites, fields } = body
  const { max_turns: maxTurns, max_cost: maxCost, ...rest } = fields
  const id: ThreadId = { ...owned, threadId: chatId }
  const agents = { entry: served.preview.entryPoints[0]?.name ?? '', names: served.preview.agentNames }
  const history = () => toHistory(messages, agents)
  const thread = { threadId: chatId, ifNotExists: 'create', strategy: 'enqueue' } as const
  if (!served.keepsThreads)
    await prepareThread({ runs, id, answered: () => findByAlias(context, owned, ask.id), rewrites, history })
  const { run, replayed } = await runs.start({
    ...owned,
    request: { ...rest, message: ask.message },
    thread: served.keepsThreads ? null : { ...thread, strategy: await strategyFor(context, id) },
    maxTurns,
    maxCost,
    metadata: {},
    alias: ask.id,
    unreadMs,
    logId: logIdOf(request),
    idempotency: await idempotencyOf(request, limits),
  })
  markReplay(reply, replayed)
  return run.runId
}

/** The run that has answered a message: it has the id of the message as its alias. */
const findByAlias = async ({ runs: { store } }: RunRoutes, owned: Owned, alias: string | undefined) =>
  alias === undefined ? undefined : store.read({ kind: 'run', ...owned, alias }).catch(catchCode('NOT_FOUND'))

/** A run that nobody reads any more, or that waits for a decision which the user passes over, makes way for the next message. */
async function strategyFor({ runs }: RunRoutes, id: ThreadId): Promise<'enqueue' | 'interrupt'> {
  const thread = await findThread(runs.store, id)
  if (thread?.activeRunId == null) return 'enqueue'
  return thread.status === 'requires_action' || (await runs.readers.isLeft({ runId: thread.activeRunId }))
    ? 'interrupt'
    : 'enqueue'
}

/** Records the decisions of the page. @returns the event that the page has read last @throws NOT_FOUND */
async function decide({ runs }: RunRoutes, id: RunId, ask: ChatAsk & { kind: 'decisions' }): Promise<number> {
  const { lastEventId } = await runs.store.read({ kind: 'run', ...id })
  // A page may send its decisions twice, and somebody else may have decided first: the page sees the outcome.
  for (const { approvalId, decision } of ask.decisions)
    await runs.decide({ ...id, approvalId, decision }).catch(catchCode('APPROVAL_DECIDED', 'APPROVAL_EXPIRED'))
  return Math.max(0, Math.min(ask.after ?? lastEventId, lastEventId))
}

const decisionsIn = ({ decisions }: ChatAsk & { kind: 'decisions' }) =>
  new Map(decisions.map(({ approvalId, decision }) => [approvalId, decision.kind]))

interface ChatStream {
  id: RunId
  /** The last event that the page has read. Default: none. */
  after?: number
  decided?: ReadonlyMap<string, 'approve' | 'reject'>
  /** How long the run goes on without a reader, in milliseconds; null: as it was. */
  unreadMs: number | null
}

async function streamChat(
  { runs, services }: RunRoutes,
  reply: FastifyReply,
  { id, after = 0, decided = new Map(), unreadMs }: ChatStream,
): Promise<undefined> {
  await runs.store.read({ kind: 'events', ...id, after: 0, limit: 1 }) // 410 while there is still a status to send
  const signal = signalOf(reply)
  const leave = runs.readers.join(id, unreadMs)
  reply.header(STREAM_HEADER, 'v1')
  const exposed = [reply.getHeader('access-control-expose-headers') ?? [], STREAM_HEADER].flat().join(', ')
  reply.header('access-control-expose-headers', exposed)
  const { events, end, last } = readChatEvents(runs, id, signal)
  const view = new AiSdkView({ decided })
  const toFrames = after === 0 ? (batch: readonly NumberedEvent[]) => view.frames(batch) : skipTo(view, id, after)
  async function* pieces(): AsyncGenerator<string> {
    for await (const batch of events) yield toFrames(batch)
    if (end() === 'paused') yield view.pause(last())
    else if (end() === 'void') reply.raw.destroy()
    else if (!signal.aborted) yield view.breakOff(LET_GO)
  }
  try {
    await writeEvents(services, reply, pieces(), (text) => text)
  } finally {
    leave(end() === 'paused' || end() === 'ended')
  }
  return undefined
}

/** A page that continues a message has read it up to its pause: it gets the start of the message, and what came later. */
function skipTo(view: AiSdkView, { runId }: RunId, after: number): (batch: readonly NumberedEvent[]) => string {
  let skipped = false
  return (batch) => {
    if (skipped) return view.frames(batch)
    const later = batch.filter(({ number }) => number > after)
    view.frames(batch.filter(({ number }) => number <= after))
    if (later.length === 0) return ''
    skipped = true
    view.pause(after)
    return view.restart(runId) + view.frames(later)
  }
}

export const operations: Operations = {
  schemas: [chatRequestSchema, ...chatStreamSchemas],
  plainErrors: true,
  endpoints: [
    {
      path: '/chat',
      method: 'post',
      id: 'chat',
      operation: {
        summary: 'Answer a page on the AI SDK (useChat)',
        requestBody: bodyOf('ChatRequest', {
          id: 'chat-1',
          messages: [{ id: 'm1', role: 'user', parts: [{ type: 'text', text: 'Hello' }] }],
        }),
        responses: {
          200: chatStream('The run as a UI message stream of the AI SDK, version 1, which ends with `data: [DONE]`.'),
          ...BODY_REFUSALS,
          404: answerOf('The run that waits for the decision does not exist.', 'Detail'),
        },
      },
    },
    {
      path: '/chat/{chat_id}/stream',
      method: 'get',
      id: 'chat_stream',
      operation: {
        summary: 'Follow the live run of a chat from its start',
        parameters: [{ name: 'chat_id', in: 'path', required: true, schema: { type: 'string' } }],
        responses: {
          200: chatStream('The live run as a UI message stream, from its first chunk.'),
          204: { description: 'No run of this chat is alive.' },
          503: BODY_REFUSALS[503],
        },
      },
    },
  ],
}

function chatStream(description: string) {
  const version = { description: 'The version of the stream.', schema: { type: 'string', const: 'v1' } }
  return { ...streamOf(description, 'UiMessageFrame'), headers: { [STREAM_HEADER]: version } }
}
