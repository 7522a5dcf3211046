import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { sendJson } from './error-handler.ts'
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
  })
  registerShell(app, options)
  app.setNotFoundHandler((request, reply) => notFound(app, request, reply))
  return app
}

/** 405 for a known path, 307 to the path without its trailing slash, 404 otherwise. */
function notFound(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
  const [written = '', query] = request.url.split(/\?(.*)/s)
  const path = decode(written)
  const methods = (url: string) => (['GET', 'POST'] as const).filter((method) => app.hasRoute({ method, url }))
  const allowed = methods(path)
  if (allowed.length > 0)
    return sendJson(reply.header('allow', allowed.join(', ')), 405, { detail: 'Method Not Allowed' })
  const bare = path.replace(/\/+$/, '')
  if (bare !== '' && bare !== path && methods(bare).length > 0) {
    const location = `${request.protocol}://${request.host}${written.replace(/\/+$/, '')}${query === undefined ? '' : `?${query}`}`
    return reply.code(307).header('location', location).send()
  }
  return sendJson(reply, 404, { detail: 'Not Found' })
}

function decode(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path // a broken escape matches no route
  }
}
