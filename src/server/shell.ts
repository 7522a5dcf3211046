import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Services } from '../services.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { createAuth } from './auth.ts'
import { createCors } from './cors.ts'
import { registerDocs } from './docs.ts'
import { createErrorHandler } from './error-handler.ts'
import { registerPlayground } from './playground.ts'
import { registerAgencies } from './routes/agency.ts'
import { registerLogs } from './routes/logs.ts'
import { registerTools } from './routes/tools.ts'

export interface ShellOptions {
  services: Services
  token: string | undefined
  corsOrigins: readonly string[]
  logError: (error: unknown) => void
  /** The docs pages ask for the token too. */
  protectDocs: boolean
  /** The address in the OpenAPI document; undefined: the one the reader used. */
  serverUrl: string | undefined
  /** Serve the page to try the agencies. */
  playground: boolean
}

/**
 * Everything that is the same in a server of our own and as a guest in somebody else's: hooks, parsing, errors, routes.
 * All of it stays inside `scope`.
 */
export function registerShell(scope: FastifyInstance, options: ShellOptions): void {
  const cors = createCors(options.corsOrigins)
  scope.addHook('onRequest', cors.hook)
  scope.setErrorHandler(createErrorHandler(options.services.redact, options.logError))
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'string' }, parseBody)
  scope.register(async (api) => {
    const auth = createAuth(options.token)
    if (auth !== undefined) api.addHook('onRequest', auth)
    registerAgencies(api, options.services, cors.headersFor)
    registerTools(api, options.services)
    if (options.services.requestLog !== undefined) registerLogs(api, options.services.requestLog)
    if (options.protectDocs) registerDocs(api, options.services, options.serverUrl)
  })
  if (!options.protectDocs) registerDocs(scope, options.services, options.serverUrl)
  if (options.playground) registerPlayground(scope)
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
    const ctx = { error: 'The body is not valid JSON' }
    done(
      new RequestInvalid([{ type: 'json_invalid', loc: ['body', offset], msg: 'JSON decode error', input: {}, ctx }]),
    )
  }
}
