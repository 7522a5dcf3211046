import type { FastifyInstance, FastifyRequest, onRequestHookHandler } from 'fastify'
import { tooLarge } from '../base/request-errors.ts'
import type { Services } from '../services.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { createAuth } from './auth.ts'
import { readBodies } from './body.ts'
import { createCors } from './cors.ts'
import { registerDocs } from './docs.ts'
import { createErrorHandler } from './error-handler.ts'
import { limitIdle } from './event-stream.ts'
import { checkHost } from './hosts.ts'
import { describeApi } from './openapi.ts'
import type { Gate } from './operations.ts'
import { answerInTurn } from './pipelining.ts'
import { registerPlayground } from './playground.ts'
import { registerPlaygroundApi } from './playground-api.ts'
import { limitRate, type RateLimitOptions } from './rate-limit.ts'
import type { RequestLines } from './request-lines.ts'
import { registerAgencies, routeAgencies } from './routes/agency.ts'
import { registerHealth } from './routes/health.ts'
import { registerLogs } from './routes/logs.ts'
import { registerMetrics } from './routes/metrics.ts'
import { registerOAuth } from './routes/oauth.ts'
import { registerTools } from './routes/tools.ts'

export interface ShellOptions {
  services: Services
  token: string | undefined
  /** The environment variable that it is read from. */
  tokenVariable: string
  /** Undefined: pages of any origin, except where only this machine is answered. */
  corsOrigins: readonly string[] | undefined
  /** The docs pages ask for the token too. */
  protectDocs: boolean
  /** The address in the OpenAPI document; undefined: the one the reader used. */
  serverUrl: string | undefined
  /** Serve the page to try the agencies. */
  playground: boolean | 'development'
  /** Conversations of the page are threads of the store. */
  keepsChats: boolean
  /** Undefined: callers may ask as often as they like. */
  rateLimit: RateLimitOptions | undefined
  /** Served at `/metrics`. */
  metrics: Metrics | undefined
  /** They need no token. */
  metricsOpen: boolean
  /** Set where requests are logged. */
  lines: RequestLines | undefined
}

/**
 * Everything that is the same in a server of our own and as a guest in somebody else's: hooks, parsing, errors, routes.
 * All of it stays inside `scope`. `refuseFirst` sees every request before it is answered in any way.
 */
export async function registerShell(
  scope: FastifyInstance,
  options: ShellOptions,
  refuseFirst?: onRequestHookHandler,
): Promise<void> {
  const { metrics, lines, services, rateLimit } = options
  const { limits } = services
  const gate: Gate = {
    token: options.token === undefined ? 'optional' : 'required',
    rateLimit: rateLimit !== undefined,
  }
  const openGate: Gate = { ...gate, token: 'none' }
  const metricsGate = options.metricsOpen ? openGate : gate
  const openai = services.doors.openai ? await import('./routes/openai.ts') : undefined
  const chat = services.doors.aiSdk === undefined ? undefined : await import('./routes/ai-sdk.ts')
  const a2a = services.doors.a2a === undefined ? undefined : await import('./routes/a2a.ts')
  const { agui } = services.doors
  const aguiRuns =
    agui === undefined && services.dialects.agui === undefined ? undefined : await import('./routes/agui-runs.ts')
  const doors = [
    ...(chat === undefined ? [] : [{ register: chat.registerChat, operations: chat.operations }]),
    ...(agui === undefined || aguiRuns === undefined
      ? []
      : [{ register: aguiRuns.registerAgui, operations: aguiRuns.operations }]),
  ]
  const describe = () =>
    describeApi(services, {
      gate,
      metricsGate: metrics === undefined ? undefined : metricsGate,
      doors: openai === undefined ? [] : [openai.operations],
      openDoors: a2a === undefined || services.agencies.length > 1 ? [] : [a2a.rootOperations],
      agencyDoors: [...doors, a2a].flatMap((door) => door?.operations ?? []),
    })
  const cors = createCors(options.corsOrigins ?? ['*'])
  answerInTurn(scope, limits)
  lines?.watch(scope)
  scope.addHook('onRequest', cors.addHeaders)
  scope.addHook('onRequest', checkHost)
  if (refuseFirst !== undefined) scope.addHook('onRequest', refuseFirst)
  if (rateLimit !== undefined) await limitRate(scope, rateLimit, services)
  scope.addHook('onRequest', cors.answerPreflight)
  scope.addHook('onRequest', ({ raw }, _reply, done) =>
    done((raw.url ?? '').length > limits.urlBytes ? tooLarge(414, 'address', limits.urlBytes) : undefined),
  )
  scope.addHook('onSend', (request, reply, payload, done) => {
    if (hasUnreadBody(request)) reply.header('connection', 'close') // what is left of it is not waited for
    limitIdle(reply, limits.idleTimeoutMs)
    done(null, payload)
  })
  openai?.shapeErrors(scope)
  a2a?.shapeErrors(scope)
  scope.setErrorHandler(createErrorHandler(services))
  readBodies(scope, limits, services.runner.budget)
  registerHealth(scope, services)
  const agents = a2a?.createA2a({ services, serverUrl: options.serverUrl, token: options.token !== undefined })
  agents?.registerCards(scope, routeAgencies(services))
  if (services.asksConsent) registerOAuth(scope, services, options.serverUrl)
  scope.register(async (api) => {
    api.addHook('onRequest', createAuth(options.token, services.tickets))
    registerAgencies(api, services, {
      doors: [...doors, agents].flatMap((door) => door?.register ?? []),
      resumeAgui: services.dialects.agui && aguiRuns?.resumeStored,
    })
    registerTools(api, services)
    if (services.mcp !== undefined) {
      const { registerMcp } = await import('./routes/mcp.ts')
      await registerMcp(api, services, { door: services.mcp, corsOrigins: options.corsOrigins })
    }
    openai?.registerOpenAi(api, services)
    if (services.requestLog !== undefined) registerLogs(api, services.requestLog, services.peers)
    if (metrics !== undefined && !options.metricsOpen) registerMetrics(api, metrics, services.peers)
    if (options.playground) registerPlaygroundApi(api, services, options.keepsChats)
    if (options.protectDocs) registerDocs(api, describe, options.serverUrl)
  })
  if (metrics !== undefined && options.metricsOpen) registerMetrics(scope, metrics, services.peers)
  if (!options.protectDocs) registerDocs(scope, describe, options.serverUrl)
  if (options.playground) registerPlayground(scope, { watch: options.playground === 'development' })
}

const hasUnreadBody = ({ raw, headers }: FastifyRequest) =>
  !raw.complete && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)
