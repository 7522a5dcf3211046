import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify'

const METHODS = ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY']

/**
 * Two hooks (docs/wire.md, "CORS"): one puts the headers on every answer, refusals included; one answers preflights for any
 * path. Unlisted origins get neither header.
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
    addHeaders({ headers: { origin } }: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
      reply.headers(headersFor(origin))
      done()
    },
    answerPreflight(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) {
      const {
        origin,
        'access-control-request-method': method,
        'access-control-request-headers': wanted,
      } = request.headers
      if (request.method !== 'OPTIONS' || origin === undefined || method === undefined) return done()
      reply.headers({ 'access-control-allow-methods': METHODS.join(', '), 'access-control-max-age': '600' })
      reply.header('vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers')
      if (typeof wanted === 'string') reply.header('access-control-allow-headers', wanted)
      const refused = refusalsOf(request, any || origins.includes(origin))
      reply
        .code(refused.length === 0 ? 200 : 400)
        .type('text/plain; charset=utf-8')
        .send(refused.length === 0 ? 'OK' : `Disallowed CORS ${refused.join(', ')}`)
    },
  }
}

/** What a preflight asks for and does not get, in the words of the original's CORS middleware (Starlette). */
function refusalsOf({ headers }: FastifyRequest, originAllowed: boolean): string[] {
  const method = headers['access-control-request-method'] ?? ''
  return [
    ...(originAllowed ? [] : ['origin']),
    ...(METHODS.includes(method) ? [] : ['method']), // methods are case-sensitive: RFC 9110, section 9.1
    ...(headers['access-control-request-private-network'] === undefined ? [] : ['private-network']),
  ]
}
