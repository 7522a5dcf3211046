import type { Socket } from 'node:net'
import Fastify, { type ConnectionError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { ID_CHARS } from '../wire/runs.ts'
import { limitConnections } from './connections.ts'
import { sendJson } from './error-handler.ts'
import { continueWhenLetIn } from './expect.ts'
import { refuseOtherSites } from './hosts.ts'
import { registerShell, type ShellOptions } from './plugin.ts'
import { routesOf } from './routes/agency.ts'

/**
 * A server of our own: every limit is set on purpose. With `addsRoutes` its owner may add routes with schemas of Fastify; without
 * it Ajv is not loaded, which takes a twentieth of the start: bodies of our own routes are checked with zod.
 */
export async function createApp(
  options: ShellOptions,
  { addsRoutes }: { addsRoutes: boolean },
): Promise<FastifyInstance> {
  const { headersTimeoutMs, bodyTimeoutMs, idleTimeoutMs, headerBytes, urlBytes } = options.services.limits
  const arrivalMs = Math.max(headersTimeoutMs, bodyTimeoutMs)
  const app = Fastify({
    exposeHeadRoutes: false,
    ...(addsRoutes ? {} : { schemaController: NO_SCHEMAS }),
    // Each character of an id may be escaped.
    routerOptions: { maxParamLength: 3 * ID_CHARS },
    requestTimeout: arrivalMs,
    keepAliveTimeout: idleTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // ours says it in the wire's own shape
    frameworkErrors: (_error, _request, reply) => sendJson(reply, 404, { detail: 'Not Found' }), // a path with a broken escape
    clientErrorHandler: refuseConnection(urlBytes),
    http: {
      maxHeaderSize: headerBytes,
      headersTimeout: headersTimeoutMs,
      // One timer for all connections; how much longer than its limit a slow one may live.
      connectionsCheckingInterval: Math.min(2_000, Math.max(50, Math.min(headersTimeoutMs, bodyTimeoutMs) / 2)),
    },
  })
  const methods: Methods = new Map()
  app.addHook('onRoute', ({ url, method }) => {
    methods.set(url, [...(methods.get(url) ?? []), ...[method].flat()].sort())
  })
  limitConnections(app.server, options.services.limits)
  continueWhenLetIn(app, options.services.limits.bodyBytes)
  const { token, corsOrigins } = options
  await registerShell(
    app,
    options,
    token === undefined && corsOrigins === undefined ? refuseOtherSites(app) : undefined,
  )
  const routes = routesOf(options.services.agencies)
  /** The methods of a path as a caller wrote it. */
  const methodsOf = (written: string) => {
    const [, segment = '', ...rest] = written.split('/')
    const base = routes.get(decode(segment, decodeURIComponent))
    const path = base === undefined ? decode(written, decodeURI) : [base, ...rest].join('/')
    return methods.get(path) ?? methods.get(patternOf(path, methods) ?? '')
  }
  // Before the body is read: nobody makes the server read what no route wants.
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) notFound(methodsOf, request, reply)
    else done()
  })
  app.setNotFoundHandler((request, reply) => notFound(methodsOf, request, reply))
  return app
}

const refuseSchema = (): never => {
  throw new Error('No route of this server has a schema of Fastify.')
}
const NO_SCHEMAS = { compilersFactory: { buildValidator: refuseSchema, buildSerializer: refuseSchema } }

/** The methods of each path of the router. What a caller wrote is looked up in it, and never taken for a pattern. */
type Methods = Map<string, string[]>

/** The path of the router whose parameters, such as `:run_id`, stand for parts of this path. */
function patternOf(path: string, methods: Methods): string | undefined {
  const parts = path.split('/')
  const fits = (name: string, part: string | undefined) => (/^:\w+$/.test(name) ? part !== '' : name === part)
  for (const pattern of methods.keys()) {
    const names = pattern.split('/')
    if (names.length === parts.length && names.every((name, index) => fits(name, parts[index]))) return pattern
  }
  return undefined
}

/** 405 for a known path, 307 to the path without its trailing slash, 404 otherwise. */
function notFound(methodsOf: (path: string) => string[] | undefined, request: FastifyRequest, reply: FastifyReply) {
  const [path = '', query] = request.url.split(/\?(.*)/s)
  const allowed = methodsOf(path)
  if (allowed !== undefined)
    return sendJson(reply.header('allow', allowed.join(', ')), 405, { detail: 'Method Not Allowed' })
  const bare = withoutEndSlashes(path)
  if (bare !== path && methodsOf(bare) !== undefined) {
    const location = `${request.protocol}://${request.host}${bare}${query === undefined ? '' : `?${query}`}`
    return reply.code(307).header('location', location).send()
  }
  return sendJson(reply, 404, { detail: 'Not Found' })
}

/** In one pass: an expression with a repetition would try again at every slash. */
function withoutEndSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end--
  return path.slice(0, end)
}

function decode(text: string, decoder: (text: string) => string): string {
  try {
    return decoder(text)
  } catch {
    return text // a broken escape matches no route
  }
}

/** Answers data that is not an HTTP request, or did not arrive in time, in the wire's own shape, and closes the connection. */
const refuseConnection = (urlBytes: number) =>
  function refuse(error: ConnectionError, socket: Socket): void {
    const answered = (socket as { _httpMessage?: { headersSent: boolean } })._httpMessage?.headersSent === true
    if (socket.writable && !answered && error.code !== 'ECONNRESET') {
      const [status, detail] = reasonOf(error, urlBytes)
      const body = JSON.stringify({ detail })
      socket.write(
        `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      )
    }
    socket.destroySoon()
  }

function reasonOf(error: ConnectionError, urlBytes: number): [status: string, detail: string] {
  switch (error.code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'The request took too long to arrive.']
    case 'HPE_HEADER_OVERFLOW':
      return isLongAddress((error as { rawPacket?: unknown }).rawPacket, urlBytes)
        ? ['414 URI Too Long', 'The address is too long.']
        : ['431 Request Header Fields Too Large', 'The headers are too large.']
    default:
      return ['400 Bad Request', 'The request is not valid HTTP.']
  }
}

/** True when what was read begins with a request line that is all address. */
function isLongAddress(packet: unknown, urlBytes: number): boolean {
  const [method = '', address = ''] = Buffer.isBuffer(packet) ? packet.toString('latin1').split(' ', 2) : []
  return /^[A-Z]+$/.test(method) && address.search(/[\r\n]/) === -1 && address.length > urlBytes
}
