/** CORS: headers of responses, and preflights. */
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

/** Headers of answers that pages of other origins may read. */
const EXPOSED = 'Location, Content-Location, Idempotent-Replayed, Retry-After'
/** Paths of runs, threads, chats and tasks; the original's endpoints have its headers alone. */
const RESOURCES = /\/(?:runs|threads|approvals|chat|a2a|v1)(?:[/?]|$)/
const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY']

/**
 * Creates two hooks (docs/wire.md, "CORS"): one adds headers to every response, also to errors; the other answers preflights for
 * any path. Origins that are not listed get no headers.
 */
export function createCors(origins: readonly string[]) {
  const any = origins.includes('*')
  const headersFor = (origin: string | undefined): { [name: string]: string } => {
    const headers: { [name: string]: string } = { vary: 'Origin' }
    if (origin === undefined) return headers
    if (any) headers['access-control-allow-origin'] = '*'
    else if (origins.includes(origin)) {
      headers['access-control-allow-origin'] = origin
      headers['access-control-allow-credentials'] = 'true'
    }
    return headers
  }
  return {
    addHeaders({ headers: { origin }, url }: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
      const headers = headersFor(origin)
      const isRead = headers['access-control-allow-origin'] !== undefined && RESOURCES.test(url)
      reply.headers(isRead ? { ...headers, 'access-control-expose-headers': EXPOSED } : headers)
      done()
    },
    answerPreflight(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) {
      const {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': requestedHeaders,
      } = request.headers
      if (request.method !== 'OPTIONS' || origin === undefined || method === undefined) return done()
      reply.headers({ 'access-control-allow-methods': METHODS.join(', '), 'access-control-max-age': '600' })
      reply.header('vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
      if (typeof requestedHeaders === 'string') reply.header('access-control-allow-headers', requestedHeaders)
      const refused = listRefusals(request, any || origins.includes(origin))
      reply
        .code(refused.length === 0 ? 200 : 400)
        .type('text/plain; charset=utf-8')
        .send(refused.length === 0 ? 'OK' : `Disallowed CORS ${refused.join(', ')}`)
    },
  }
}

/** The parts of a preflight that are not allowed, named as in the original's CORS middleware (Starlette). */
function listRefusals({ headers }: FastifyRequest, originAllowed: boolean): string[] {
  const method = headers['access-control-request-method'] ?? ''
  return [
    ...(originAllowed ? [] : ['origin']),
    ...(METHODS.includes(method) ? [] : ['method']), // methods are case-sensitive: RFC 9110, section 9.1
    ...(headers['access-control-request-private-network'] === undefined ? [] : ['private-network']),
  ]
}
