import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Services } from '../services.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { createAuth } from './auth.ts'
import { createCors } from './cors.ts'
import { createErrorHandler, sendJson } from './error-handler.ts'
import { registerAgency } from './routes/agency.ts'
import { registerTools } from './routes/tools.ts'

export interface AppOptions {
  services: Services
  token: string | undefined
  corsOrigins: readonly string[]
  bodyBytes: number
  logError: (error: unknown) => void
}

/** The Fastify instance: every limit is set on purpose. */
export function createApp(options: AppOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: options.bodyBytes,
    exposeHeadRoutes: false,
    requestTimeout: 30_000,
    keepAliveTimeout: 75_000,
    forceCloseConnections: 'idle',
    http: { maxHeaderSize: 16_384 },
  })
  const cors = createCors(options.corsOrigins)
  app.addHook('onRequest', cors.hook)
  app.setErrorHandler(createErrorHandler(options.services.redact, options.logError))
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'string' }, parseBody)
  app.setNotFoundHandler((request, reply) => notFound(app, request, reply))
  app.register(async (scope) => {
    const auth = createAuth(options.token)
    if (auth !== undefined) scope.addHook('onRequest', auth)
    for (const served of options.services.agencies) registerAgency(scope, options.services, served, cors.headersFor)
    registerTools(scope, options.services)
  })
  return app
}

/** JSON or nothing; what is no JSON gets FastAPI's 422. */
function parseBody(
  request: FastifyRequest,
  body: string | Buffer,
  done: (error: Error | null, value?: unknown) => void,
): void {
  const isJson = /^application\/([\w.+-]+\+)?json\b/i.test(request.headers['content-type'] ?? '')
  if (!isJson || body.length === 0) {
    done(null, isJson ? null : []) // what is no JSON is refused as a body of the wrong kind
    return
  }
  try {
    done(null, JSON.parse(String(body)))
  } catch (error) {
    const offset = Number(/position (\d+)/.exec(String(error))?.[1] ?? body.length)
    done(
      new RequestInvalid([
        {
          type: 'json_invalid',
          loc: ['body', offset],
          msg: 'JSON decode error',
          input: {},
          ctx: { error: 'The body is not valid JSON' },
        },
      ]),
    )
  }
}

/** 307 to the path without its trailing slash, 405 for a known path, 404 otherwise. */
function notFound(app: FastifyInstance, request: FastifyRequest, reply: FastifyReply) {
  const [path = '', query] = request.url.split(/\?(.*)/s)
  const methods = ['GET', 'POST'].filter((method) => app.hasRoute({ method: method as 'GET', url: decode(path) }))
  if (methods.length > 0) {
    reply.header('allow', methods.join(', '))
    return sendJson(reply, 405, { detail: 'Method Not Allowed' })
  }
  const bare = path.replace(/\/+$/, '')
  if (
    bare !== '' &&
    bare !== path &&
    ['GET', 'POST'].some((method) => app.hasRoute({ method: method as 'GET', url: decode(bare) }))
  ) {
    const location = `${request.protocol}://${request.host}${bare}${query === undefined ? '' : `?${query}`}`
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
