/** The OpenAI endpoints, `/v1`: models and Chat Completions. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { modelNotFound } from '../../base/errors.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { createChat } from '../../dialects/openai/chat.ts'
import { codeOf } from '../../dialects/openai/chat-writer.ts'
import { toError, translateRefusal } from '../../dialects/openai/errors.ts'
import { findModel, listModels, type ModelTarget, toModel } from '../../dialects/openai/models.ts'
import type { Services } from '../../services.ts'
import { sendJson } from '../error-handler.ts'
import { writeStream } from '../event-stream.ts'
import { runnerOwnerOf } from '../run-requests.ts'
import { CODED } from '../run-routes.ts'
import { startRun } from '../start-run.ts'
import { registerResponses } from './openai-responses.ts'

/** The first segment of every path here. */
const BASE = '/v1'

export function registerOpenAi(api: FastifyInstance, services: Services): void {
  api.register(
    async (v1) => {
      v1.addHook('onRequest', (_request, reply, done) => {
        reply.header('x-request-id', randomUUID())
        done()
      })
      registerModels(v1, services)
      registerChat(v1, services)
      registerResponses(v1, { services, targetOf: (model) => targetOf(services, model) })
    },
    { prefix: BASE },
  )
}

/** Gives every refusal below `/v1` OpenAI's shape, those of the rate limit and of the token too. */
export function shapeErrors(scope: FastifyInstance): void {
  const prefix = `${scope.prefix}${BASE}/`
  scope.addHook('preSerialization', async (request, reply, payload) => {
    if (reply.statusCode < 400 || !request.url.startsWith(prefix)) return payload
    const refusal = translateRefusal(reply.statusCode, payload)
    if (refusal === undefined) return payload
    reply.code(refusal.status)
    return refusal.body
  })
}

/** @throws NOT_FOUND */
function targetOf({ agencies }: Services, model: string): ModelTarget {
  const target = findModel(agencies, model)
  if (target === undefined) throw modelNotFound(model)
  return target
}

function registerModels(v1: FastifyInstance, services: Services): void {
  const created = Math.floor(Date.now() / 1000)
  v1.get('/models', async (_request, reply) =>
    sendJson(reply, 200, { object: 'list', data: listModels(services.agencies, created) }),
  )
  // A name with a slash may come encoded or as it is.
  v1.get('/models/*', CODED, async (request, reply) => {
    const { '*': id } = request.params as { '*': string }
    return sendJson(reply, 200, toModel(targetOf(services, id).model, created))
  })
}

function registerChat(v1: FastifyInstance, services: Services): void {
  const chat = createChat(services.requestRules)
  v1.post('/chat/completions', CODED, async (request, reply) => {
    if (services.stopping()) throw shuttingDown()
    const body = chat.read(request.body)
    const target = targetOf(services, body.model)
    const { served } = target
    const streaming = body.stream === true
    const owner = await runnerOwnerOf(services, request, served)
    const order = { served, request: chat.toRunRequest(body, target), reply, streaming, owner }
    const run = await startRun(services, order)
    reply.header('x-request-id', run.id)
    if (streaming) return writeStream(services, reply, run, chat.writer(body))
    const summary = await run.done
    const answer = chat.toAnswer(run.id, body.model, summary)
    if (answer !== undefined) return sendJson(reply, 200, answer)
    const message = summary.failure ?? 'The run was stopped.'
    // A run that has begun: its client must not run it again by itself.
    return sendJson(reply.header('x-should-retry', 'false'), 500, toError(500, { message, code: codeOf(summary) }))
  })
}

export { operations } from './openai-operations.ts'
