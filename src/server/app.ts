import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { sendJson } from './error-handler.ts'
import { routesOf } from './routes/agency.ts'
import { registerShell, type ShellOptions } from './shell.ts'

/** A server of our own: every limit is set on purpose. */
export function createApp(options: ShellOptions & { bodyBytes: number }): FastifyInstance {
  const app = Fastify({
    bodyLimit: options.bodyBytes,
    exposeHeadRoutes: false,
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // ours says it in the wire's own shape
    http: { maxHeaderSize: 16_384 },
    frameworkErrors: (_error, _request, reply) => sendJson(reply, 404, { detail: 'Not Found' }), // a path with a broken escape
  })
  registerShell(app, options)
  const routes = routesOf(options.services.agencies)
  /** Methods of a path as it was written. */
  const methodsOf = (path: string) => {
    const [, segment = '', ...rest] = path.split('/')
    const base = routes.get(decode(segment, decodeURIComponent))
    const url = base === undefined ? decode(path, decodeURI) : [base, ...rest].join('/')
    return (['GET', 'POST'] as const).filter((method) => app.hasRoute({ method, url }))
  }
  // Before the body is read: what it holds makes no difference.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) notFound(methodsOf, request, reply)
    else done()
  })
  return app
}

/** 405 for a known path, 307 to the path without its trailing slash, 404 otherwise. */
function notFound(methodsOf: (path: string) => readonly string[], request: FastifyRequest, reply: FastifyReply) {
  const [path = '', query] = request.url.split(/\?(.*)/s)
  const allowed = methodsOf(path)
  if (allowed.length > 0)
    return sendJson(reply.header('allow', allowed.join(', ')), 405, { detail: 'Method Not Allowed' })
  const bare = path.replace(/\/+$/, '')
  if (bare !== '' && bare !== path && methodsOf(bare).length > 0) {
    const location = `${request.protocol}://${request.host}${bare}${query === undefined ? '' : `?${query}`}`
    return reply.code(307).header('location', location).send()
  }
  return sendJson(reply, 404, { detail: 'Not Found' })
}

function decode(text: string, decoder: (text: string) => string): string {
  try {
    return decoder(text)
  } catch {
    return text // a broken escape matches no route
  }
}
