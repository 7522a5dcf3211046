/** The OpenAI endpoints, `/v1`: models and Chat Completions. */
import { randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { modelNotFound, shuttingDown } from '../../base/errors.ts'
import { createChat } from '../../dialects/openai/chat.ts'
import { codeOf } from '../../dialects/openai/chat-writer.ts'
import { toError, translateRefusal } from '../../dialects/openai/errors.ts'
import { findModel, listModels, type ModelTarget, toModel } from '../../dialects/openai/models.ts'
import type { Services } from '../../services.ts'
import { openAiError, openAiModel, openAiModels } from '../../wire/openai.ts'
import { chatChunk, chatCompletion, chatFrame, chatRequestSchema } from '../../wire/openai-chat.ts'
import { sendJson } from '../error-handler.ts'
import { writeStream } from '../event-stream.ts'
import { answerOf, bodyOf, type Endpoint, type Operations, streamOf } from '../operations.ts'
import { CODED } from '../run-routes.ts'
import { startRun } from '../start-run.ts'
import { registerResponses, operations as responseOperations } from './openai-responses.ts'

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

/** Gives refusals of all paths below `/v1` OpenAI's shape, whoever refuses. */
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
    const run = await startRun(services, { served, request: chat.toRunRequest(body, target), reply, streaming })
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

const REFUSALS = {
  400: answerOf('The body is not valid.', 'OpenAiError'),
  404: answerOf('There is no such model.', 'OpenAiError'),
  413: answerOf('The body is larger than the server accepts.', 'OpenAiError'),
  415: answerOf('The body is compressed, or its charset is not UTF-8.', 'OpenAiError'),
  503: answerOf('The server is stopping, or at one of its limits.', 'OpenAiError'),
}

const LIST: Endpoint = {
  path: `${BASE}/models`,
  method: 'get',
  id: 'openai_list_models',
  operation: {
    summary: 'The agencies and their agents as models',
    responses: { 200: answerOf('All models.', 'OpenAiModels') },
  },
}
const MODEL: Endpoint = {
  path: `${BASE}/models/{model}`,
  method: 'get',
  id: 'openai_retrieve_model',
  operation: {
    summary: 'One model',
    parameters: [{ name: 'model', in: 'path', required: true, schema: { type: 'string' } }],
    responses: {
      200: answerOf('The model.', 'OpenAiModel'),
      404: answerOf('There is no such model.', 'OpenAiError'),
    },
  },
}
const CHAT: Endpoint = {
  path: `${BASE}/chat/completions`,
  method: 'post',
  id: 'openai_chat_completions',
  operation: {
    summary: 'Run an agency as a chat completion',
    requestBody: bodyOf('ChatCompletionRequest'),
    responses: {
      200: {
        description: 'The answer; with `stream` as server-sent events that end with `data: [DONE]`.',
        content: {
          ...answerOf('', 'ChatCompletion').content,
          ...streamOf('', 'ChatFrame').content,
        },
      },
      ...REFUSALS,
      500: answerOf('The run failed. With `x-should-retry: false` it had begun.', 'OpenAiError'),
    },
  },
}

export const operations: Operations = {
  schemas: [
    openAiModel,
    openAiModels,
    openAiError,
    chatRequestSchema,
    chatCompletion,
    chatFrame,
    chatChunk,
    ...responseOperations.schemas,
  ],
  endpoints: [LIST, MODEL, CHAT, ...responseOperations.endpoints],
  refusal: 'OpenAiError',
}
