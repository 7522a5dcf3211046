/** `/mcp`: the MCP server over Streamable HTTP, with sessions for older hosts and without for newer ones. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { AuthInfo } from '@modelcontextprotocol/server'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AgencyError, causeOf, errorText } from '../../base/errors.ts'
import { pageNotListed, shuttingDown } from '../../base/request-errors.ts'
import type { McpDoor } from '../../dialects/mcp/door.ts'
import { loadNodeAdapter } from '../../dialects/mcp/packages.ts'
import type { Services } from '../../services.ts'
import { RequestInvalid } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'
import { McpSessions } from '../mcp-sessions.ts'
import { ownerOf } from '../run-requests.ts'

/** @param corsOrigins origins whose pages may call it; `*` does not count */
export async function registerMcp(
  app: FastifyInstance,
  services: Services,
  { door, corsOrigins = [] }: { door: McpDoor; corsOrigins: readonly string[] | undefined },
): Promise<void> {
  const { heartbeatMs: keepAliveMs, limits, runner } = services
  const { toNodeHandler } = await loadNodeAdapter()
  const { createMcpHandler, isLegacyRequest } = door.sdk
  const { mcpSessions: most, mcpSessionMs: idleMs } = limits
  const sessions = new McpSessions({ door, most, idleMs, keepAliveMs, budget: runner.budget })
  const withoutSessions = createMcpHandler(({ authInfo }) => door.open(authInfo?.clientId ?? '').server, {
    legacy: 'reject',
    keepAliveMs,
  })
  door.stopped.addEventListener('abort', () => void withoutSessions.close())
  const handle = toNodeHandler({
    fetch: async (request, options = {}) =>
      (await isLegacyRequest(request, options.parsedBody))
        ? sessions.handle(request, options)
        : withoutSessions.fetch(request, options),
  })
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    errorHandler: answerError(services),
    onRequest: async ({ headers: { origin } }, reply) => {
      // A page that the server does not know may belong to anybody, and acts with the rights of the person who opened it.
      if (origin !== undefined && !corsOrigins.includes(origin)) throw pageNotListed(origin)
      reply.header('access-control-expose-headers', 'mcp-session-id')
    },
    onSend: async (_request, reply, payload) => (reply.statusCode === 401 ? refuseToken(reply) : payload),
    handler: async (request, reply) => {
      if (services.stopping()) throw shuttingDown()
      const owner = await ownerOf(services.stored.identify, request)
      reply.raw.once('close', sessions.use(sessionOf(request)))
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) reply.raw.setHeader(name, value)
      cutStalled(reply, limits.idleTimeoutMs)
      sendHeadAtOnce(reply)
      const auth: AuthInfo = { token: '', clientId: owner, scopes: [] }
      await handle(
        Object.assign(request.raw as IncomingMessage & { method: string; url: string }, { auth }),
        reply.raw,
        request.body,
      )
    },
  })
}

const sessionOf = ({ headers }: FastifyRequest) => {
  const id = headers['mcp-session-id']
  return typeof id === 'string' ? id : undefined
}

/** Cuts the connection of a host that takes nothing for `ms` although there is something to take. */
function cutStalled({ raw }: FastifyReply, ms: number): void {
  let isStalled = false
  const timer = setInterval(() => {
    if (isStalled && raw.writableNeedDrain) raw.destroy()
    isStalled = raw.writableNeedDrain
  }, ms).unref()
  raw.on('drain', () => {
    isStalled = false
  })
  raw.once('close', () => clearInterval(timer))
}

/** The head of a stream would wait for its first event, which may take long. */
function sendHeadAtOnce({ raw }: FastifyReply): void {
  const writeHead = raw.writeHead.bind(raw) as (status: number, headers: OutgoingHttpHeaders) => unknown
  Object.assign(raw, {
    writeHead(status: number, headers: OutgoingHttpHeaders) {
      writeHead(status, headers)
      if (headers['content-type'] === 'text/event-stream') raw.flushHeaders()
    },
  })
}

const failure = (code: number, message: string) => ({ jsonrpc: '2.0', error: { code, message }, id: null })

/** The token was refused before the route: hosts expect the header, and read errors of this shape. */
function refuseToken(reply: FastifyReply): string {
  reply.header('www-authenticate', 'Bearer')
  return JSON.stringify(failure(-32001, 'The bearer token is missing or wrong.'))
}

/** Errors before the protocol begins, in its shape. */
function answerError({ redact, log, telemetry }: Services) {
  return (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof RequestInvalid)
      return sendJson(reply, 400, failure(-32700, `The body cannot be read: ${error.details[0]?.msg}`))
    const status = (error as { statusCode?: number }).statusCode ?? 500
    if (AgencyError.isInstance(error) || status < 500) {
      if (AgencyError.isInstance(error)) telemetry?.refused(error.code)
      if (status === 503 || status === 429) reply.header('retry-after', '2')
      return sendJson(reply, status, failure(-32000, redact(errorText(error))))
    }
    log.error(errorText(error), causeOf(error))
    return sendJson(reply, 500, failure(-32603, 'The server failed to answer this request. Its log has the reason.'))
  }
}
