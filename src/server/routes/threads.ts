/** `/{agency}/threads`: conversations that the server keeps. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../../agency/served.ts'
import { AgencyError } from '../../base/errors.ts'
import type { ThreadId } from '../../runs/run-store.ts'
import type { StoredMessage } from '../../wire/message.ts'
import { parseQuery, parseThreadChange, parseThreadRequest, threadsQuery, viewQuery } from '../../wire/runs.ts'
import { sendJson } from '../error-handler.ts'
import { toList, toThread } from '../run-answers.ts'
import { idempotencyOf, markReplay, pathOf } from '../run-requests.ts'
import { CODED, openTo, type RunRoutes } from '../run-routes.ts'
import { streamRun } from '../run-stream.ts'

export function registerThreads(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { limits, agencyOf, ownedBy, requestRules } = context
  const { store } = context.runs
  const idOf = async (request: FastifyRequest): Promise<ThreadId> => ({
    ...(await ownedBy(request)),
    threadId: (request.params as { thread_id: string }).thread_id,
  })

  app.post(`${base}/threads`, CODED, async (request, reply) => {
    const owned = await ownedBy(request)
    const { thread_id, messages, metadata } = parseThreadRequest(request.body, requestRules)
    const now = Date.now()
    const { thread, replayed } = await store.write({
      kind: 'createThread',
      ...owned,
      threadId: thread_id ?? randomUUID(),
      messages: (messages ?? []).map((message) => toStored(message, agencyOf(request), now)),
      metadata: metadata ?? {},
      now,
      idempotency: (await idempotencyOf(request, limits)) ?? null,
    })
    markReplay(reply, replayed).header('location', `${pathOf(request)}/${thread.threadId}`)
    return sendJson(reply, 201, toThread(thread))
  })

  app.get(`${base}/threads`, CODED, async (request, reply) => {
    const owned = await ownedBy(request)
    const page = await store.read({ kind: 'threads', ...owned, ...parseQuery(threadsQuery, request.query) })
    return sendJson(reply, 200, toList(page, toThread))
  })

  app.get(`${base}/threads/:thread_id`, openTo('watch'), async (request, reply) =>
    sendJson(reply, 200, toThread(await store.read({ kind: 'thread', ...(await idOf(request)) }))),
  )

  app.patch(`${base}/threads/:thread_id`, CODED, async (request, reply) => {
    const id = await idOf(request)
    const changed = await store.write({ kind: 'changeThread', ...id, ...parseThreadChange(request.body) })
    return sendJson(reply, 200, toThread(changed))
  })

  app.delete(`${base}/threads/:thread_id`, CODED, async (request, reply) => {
    await store.write({ kind: 'deleteThread', ...(await idOf(request)) })
    return reply.code(204).send()
  })

  app.get(`${base}/threads/:thread_id/messages`, openTo('watch'), async (request, reply) => {
    const id = await idOf(request)
    const page = await store.read({ kind: 'messages', ...id, ...parseQuery(threadsQuery, request.query) })
    return sendJson(
      reply,
      200,
      toList(page, ({ message }) => message),
    )
  })

  registerThreadStream(app, base, context, idOf)
}

/** The run that is alive, from its first event. Chat pages ask for it on every new chat, so that none is no error. */
function registerThreadStream(
  app: FastifyInstance,
  base: string,
  context: RunRoutes,
  idOf: (request: FastifyRequest) => Promise<ThreadId>,
): void {
  app.get(`${base}/threads/:thread_id/stream`, openTo('watch'), async (request, reply) => {
    const { threadId, ...owned } = await idOf(request)
    const { view } = parseQuery(viewQuery, request.query)
    const thread = await context.runs.store.read({ kind: 'thread', ...owned, threadId }).catch(catchNotFound)
    if (thread?.activeRunId == null) return reply.code(204).send()
    const path = pathOf(request).replace(/\/threads\/[^/]*\/stream$/, '')
    reply.header('content-location', `${path}/runs/${thread.activeRunId}`)
    const run = await context.runs.store.read({ kind: 'run', ...owned, runId: thread.activeRunId })
    return streamRun(context, reply, { run, view })
  })
}

/** A message as it is stored: one that does not say whose it is belongs to the conversation with the user. */
const toStored = (message: Partial<StoredMessage>, { preview }: ServedAgency, now: number): StoredMessage => ({
  ...message,
  agent: message.agent ?? preview.entryPoints[0]?.name ?? '',
  callerAgent: message.callerAgent ?? null,
  timestamp: message.timestamp ?? now * 1000,
})

function catchNotFound(error: unknown): undefined {
  if (AgencyError.isInstance(error) && error.code === 'NOT_FOUND') return undefined
  throw error
}
