/** `/{agency}/threads`: conversations that the server keeps. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { AgencyError } from '../../base/errors.ts'
import type { ThreadId } from '../../runs/run-store.ts'
import { parseQuery, parseThreadRequest, threadsQuery } from '../../wire/runs.ts'
import { sendJson } from '../error-handler.ts'
import { toList, toThread } from '../run-answers.ts'
import { idempotencyOf, markReplay } from '../run-requests.ts'
import { CODED, type RunRoutes } from '../run-routes.ts'
import { streamRun } from '../run-stream.ts'

export function registerThreads(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, limits, agencyOf, ownerOf } = context
  const { store } = runs
  const idOf = async (request: FastifyRequest): Promise<ThreadId> => ({
    agency: agencyOf(request).path,
    owner: await ownerOf(request),
    threadId: (request.params as { thread_id: string }).thread_id,
  })

  app.post(`${base}/threads`, CODED, async (request, reply) => {
    const { thread_id, messages, metadata } = parseThreadRequest(request.body, context.requestRules)
    const { thread, replayed } = await store.write({
      kind: 'createThread',
      agency: agencyOf(request).path,
      owner: await ownerOf(request),
      threadId: thread_id ?? randomUUID(),
      messages: messages ?? [],
      metadata: metadata ?? {},
      now: Date.now(),
      idempotency: (await idempotencyOf(request, limits)) ?? null,
    })
    return sendJson(markReplay(reply, replayed), 201, toThread(thread))
  })

  app.get(`${base}/threads`, CODED, async (request, reply) => {
    const { limit, after } = parseQuery(threadsQuery, request.query)
    const owned = { agency: agencyOf(request).path, owner: await ownerOf(request) }
    const page = await store.read({ kind: 'threads', ...owned, limit, after: after ?? null })
    return sendJson(reply, 200, toList(page, toThread))
  })

  app.get(`${base}/threads/:thread_id`, CODED, async (request, reply) =>
    sendJson(reply, 200, toThread(await store.read({ kind: 'thread', ...(await idOf(request)) }))),
  )

  app.delete(`${base}/threads/:thread_id`, CODED, async (request, reply) => {
    await store.write({ kind: 'deleteThread', ...(await idOf(request)) })
    return reply.code(204).send()
  })

  app.get(`${base}/threads/:thread_id/messages`, CODED, async (request, reply) => {
    const { limit, after } = parseQuery(threadsQuery, request.query)
    const page = await store.read({ kind: 'messages', ...(await idOf(request)), limit, after: after ?? null })
    return sendJson(
      reply,
      200,
      toList(page, ({ message }) => message),
    )
  })

  /** The run that is alive, from its first event. Chat pages ask for it on every new chat, so that none is no error. */
  app.get(`${base}/threads/:thread_id/stream`, CODED, async (request, reply) => {
    const { agency, owner, threadId } = await idOf(request)
    const thread = await store.read({ kind: 'thread', agency, owner, threadId }).catch(catchNotFound)
    if (thread?.activeRunId == null) return reply.code(204).send()
    const path = request.url.replace(/\?.*/s, '').replace(/\/threads\/[^/]*\/stream$/, '')
    reply.header('content-location', `${path}/runs/${thread.activeRunId}`)
    return streamRun(context, reply, { id: { agency, owner, runId: thread.activeRunId }, after: 0 })
  })
}

function catchNotFound(error: unknown): undefined {
  if (AgencyError.isInstance(error) && error.code === 'NOT_FOUND') return undefined
  throw error
}
