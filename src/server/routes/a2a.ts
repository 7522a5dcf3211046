/** A2A: the cards of agencies, and `POST /{agency}/a2a`, where other agents send messages and follow tasks. */
import { createHash } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../../agency/served.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { createCard, toLegacyCard } from '../../dialects/a2a/card.ts'
import { A2aRefusal, findRpcError, translateRefusal } from '../../dialects/a2a/errors.ts'
import { type Call, isLegacyVersion, readCall } from '../../dialects/a2a/versions.ts'
import type { Owned } from '../../runs/run-store.ts'
import type { Services } from '../../services.ts'
import {
  a2aSchemas,
  parseListParams,
  parseSendParams,
  parseTaskParams,
  type RpcId,
  readRpcRequest,
} from '../../wire/a2a.ts'
import { noPushNotifications, Tasks } from '../a2a-tasks.ts'
import { sendJson } from '../error-handler.ts'
import { answerOf, bodyOf, bodyRefusals, type Operations, streamOf } from '../operations.ts'
import type { RunRoutes } from '../run-routes.ts'

const CARD = '/.well-known/agent-card.json'
const VERSION_HEADER = 'a2a-version'
/** How long a card may be kept, in seconds. */
const CARD_SECONDS = 300

/** Refusals of this route have the shape of JSON-RPC. */
const JSON_RPC = { config: { jsonRpc: true } }

export interface A2aRoutes {
  services: Services
  /** The server's address as callers see it; undefined: the one that the request names. */
  serverUrl: string | undefined
  /** Callers need a token. */
  token: boolean
}

export function createA2a({ services, serverUrl, token }: A2aRoutes) {
  const options = services.doors.a2a ?? {}
  const { cards = {} } = options
  const extended = token || services.stored.identify !== undefined

  const cardOf = (app: FastifyInstance, request: FastifyRequest, served: ServedAgency, all = false) => {
    const base = serverUrl?.replace(/\/$/, '') ?? `${request.protocol}://${request.host}${app.prefix}`
    const own = cards[decodeURIComponent(served.path)]
    return createCard(served, { ...own, url: `${base}/${served.path}/a2a`, token, extended }, all)
  }

  const registerCard = (app: FastifyInstance, path: string, agencyOf: RunRoutes['agencyOf']) =>
    app.get(path, async (request, reply) => {
      const card = cardOf(app, request, agencyOf(request))
      return sendCard(request, reply, isLegacyVersion(versionOf(request)) ? toLegacyCard(card) : card)
    })

  return {
    /** Cards, which need no token. */
    registerCards(app: FastifyInstance, agencies: readonly { base: string; context: RunRoutes }[]): void {
      for (const { base, context } of agencies) registerCard(app, base + CARD, context.agencyOf)
      const [only, ...others] = services.agencies
      if (only !== undefined && others.length === 0) registerCard(app, CARD, () => only)
    },

    register(app: FastifyInstance, base: string, context: RunRoutes): void {
      const tasks = new Tasks(context, options)
      app.post(`${base}/a2a`, JSON_RPC, async (request, reply) => {
        try {
          const call = readCall(request.body, versionOf(request))
          const owned = await context.ownedBy(request)
          if (call.method === 'GetExtendedAgentCard') {
            if (!extended) throw new A2aRefusal('UNSUPPORTED_OPERATION', 'There is no other card than the public one.')
            const card = cardOf(app, request, context.agencyOf(request), true)
            return sendResult(reply, call.id, call.isLegacy ? toLegacyCard(card) : card)
          }
          return await answer(tasks, { request, reply, call, owned, services })
        } catch (error) {
          const rpcError = findRpcError(error, services.redact)
          if (rpcError === undefined) throw error
          return sendJson(reply, 200, { jsonrpc: '2.0', id: idOf(request), error: rpcError })
        }
      })
    },
  }
}

interface Asked {
  request: FastifyRequest
  reply: FastifyReply
  call: Call
  owned: Owned
  services: Services
}

async function answer(tasks: Tasks, { request, reply, call, owned, services }: Asked) {
  const { id, method, params, answers } = call
  switch (method) {
    case 'SendMessage': {
      if (services.stopping()) throw shuttingDown()
      const sent = parseSendParams(params, services.requestRules)
      const run = await tasks.send(request, owned, sent)
      const { returnImmediately, historyLength } = sent.configuration ?? {}
      const settled = returnImmediately === true ? run : await tasks.settled(reply, run)
      return settled && sendResult(reply, id, answers.sent(await tasks.describe(settled, historyLength)))
    }
    case 'SendStreamingMessage': {
      if (services.stopping()) throw shuttingDown()
      const sent = parseSendParams(params, services.requestRules)
      const run = await tasks.send(request, owned, sent)
      return tasks.stream(reply, run, answers, sent.configuration?.historyLength)
    }
    case 'SubscribeToTask':
      return tasks.subscribe(reply, owned, parseTaskParams(params), answers)
    case 'GetTask': {
      const { id: taskId, historyLength } = parseTaskParams(params)
      return sendResult(reply, id, answers.task(await tasks.describe(await tasks.read(owned, taskId), historyLength)))
    }
    case 'CancelTask': {
      const run = await tasks.cancel(owned, parseTaskParams(params).id)
      return sendResult(reply, id, answers.task(await tasks.describe(run)))
    }
    case 'ListTasks':
      return sendResult(reply, id, await tasks.list(owned, parseListParams(params)))
    case 'CreateTaskPushNotificationConfig':
    case 'GetTaskPushNotificationConfig':
    case 'ListTaskPushNotificationConfigs':
    case 'DeleteTaskPushNotificationConfig':
      throw noPushNotifications()
    default:
      throw new A2aRefusal('METHOD_NOT_FOUND', 'There is no such method in this version of the protocol.')
  }
}

/** Gives refusals the shape of JSON-RPC, those before the route too. */
export function shapeErrors(scope: FastifyInstance): void {
  scope.addHook('preSerialization', async (request, reply, payload) => {
    const { jsonRpc } = request.routeOptions.config as { jsonRpc?: boolean }
    if (reply.statusCode < 400 || jsonRpc !== true) return payload
    const refusal = translateRefusal(reply.statusCode, payload)
    if (refusal === undefined) return payload
    reply.code(refusal.status)
    return { jsonrpc: '2.0', id: idOf(request), error: refusal.error }
  })
}

const sendResult = (reply: FastifyReply, id: RpcId, result: object) =>
  sendJson(reply, 200, { jsonrpc: '2.0', id, result })

/** Null for a body that is not a request. */
const idOf = ({ body }: FastifyRequest): RpcId => readRpcRequest(body)?.id ?? null

function versionOf({ headers, query }: FastifyRequest): string {
  const sent = headers[VERSION_HEADER] ?? (query as { [name: string]: unknown })['A2A-Version']
  return typeof sent === 'string' ? sent.trim() : ''
}

function sendCard(request: FastifyRequest, reply: FastifyReply, card: object) {
  const etag = `"${createHash('sha256').update(JSON.stringify(card)).digest('base64url').slice(0, 27)}"`
  const vary = [reply.getHeader('vary') ?? [], 'A2A-Version'].flat().join(', ')
  reply.headers({ etag, vary, 'cache-control': `public, max-age=${CARD_SECONDS}` })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  return sendJson(reply, 200, card)
}

const NOT_MODIFIED = { 304: { description: 'The card is the one that the reader has.' } }
const card = {
  summary: 'The card of the agency for A2A agents',
  responses: {
    200: answerOf('The card, in the version that the header A2A-Version names.', 'AgentCard'),
    ...NOT_MODIFIED,
  },
}

/** Refusals keep their status, and are errors of JSON-RPC. */
const { 422: _, ...REFUSALS } = bodyRefusals('A2aResponse')

export const operations: Operations = {
  schemas: a2aSchemas,
  refusal: 'A2aResponse',
  endpoints: [
    { path: CARD, method: 'get', id: 'agent_card', isOpen: true, operation: card },
    {
      path: '/a2a',
      method: 'post',
      id: 'a2a',
      operation: {
        summary: 'Answer A2A agents: JSON-RPC of version 1.0 or 0.3',
        parameters: [
          {
            name: 'A2A-Version',
            in: 'header',
            required: false,
            description: 'The version of the protocol. Default: 0.3.',
            schema: { type: 'string' },
          },
        ],
        requestBody: bodyOf('A2aRequest', {
          jsonrpc: '2.0',
          id: 1,
          method: 'message/send',
          params: { message: { messageId: 'm1', role: 'user', parts: [{ kind: 'text', text: 'Hello' }] } },
        }),
        responses: {
          200: withFrames(
            answerOf('The result or an error; a stream for the methods that follow a task.', 'A2aResponse'),
          ),
          ...REFUSALS,
          500: answerOf('The server failed to answer.', 'A2aResponse'),
        },
      },
    },
  ],
}

/** The card of the only agency of a server. */
export const rootOperations: Operations = {
  schemas: [],
  endpoints: [{ path: CARD, method: 'get', id: 'root_agent_card', operation: card }],
}

function withFrames(answer: ReturnType<typeof answerOf>) {
  const { content } = streamOf('', 'A2aFrame')
  return { ...answer, content: { ...answer.content, ...content } }
}
