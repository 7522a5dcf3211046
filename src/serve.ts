import type { FastifyInstance } from 'fastify'
import { AgencyGraph } from './agency/agency.ts'
import { duplicateName, factoryFailed, invalidOption, missingApiKey, nothingToServe, portTaken } from './errors.ts'
import { createModelEdge, describeModel } from './models/provider.ts'
import { Hub } from './runs/hub.ts'
import { createApp } from './server/app.ts'
import type { AgencyCallbacks, ServedAgency, Services } from './services.ts'
import { asFunctionTool, type ToolClass } from './tools/base-tool.ts'
import type { FunctionTool } from './tools/tool.ts'
import { createRedactor } from './wire/redact.ts'

/** Makes the agency of one request. Called once at start (names, metadata) and once per request. */
export type AgencyFactory = (callbacks: AgencyCallbacks) => AgencyGraph | Promise<AgencyGraph>

export interface ServeOptions {
  /** Path segment -> agency, or a factory that makes one per request. */
  agencies?: { [name: string]: AgencyGraph | AgencyFactory }
  /** Standalone tools, served at `/tool/<name>`. */
  tools?: readonly (FunctionTool | ToolClass)[]
  /** Default `0.0.0.0`. */
  host?: string
  /** Default 8000; 0 picks a free one. */
  port?: number
  /** The environment variable that holds the bearer token. Default `APP_TOKEN`; unset or empty means no authentication. */
  appTokenEnv?: string
  /** Default `["*"]`, which turns credentials off. */
  corsOrigins?: readonly string[]
  /** Origins that a request's `client_config.base_url` may name, beside the operator's own. Default none. */
  trustedModelOrigins?: readonly string[]
  /** How scalars in stream frames are written. Default `"json"`; `"python"` gives the original's strings. */
  streamScalars?: 'json' | 'python'
  /** Silence after which a stream sends a comment, in milliseconds. Default 15,000. */
  heartbeatMs?: number
  /** Model turns of one request over its whole tree of agents; null lifts the limit. Default 100. */
  maxTurns?: number | null
  /** Let callers see the provider's own error texts. For development. Default false. */
  exposeErrors?: boolean
  limits?: {
    /** Largest request body, in bytes. Default 32 MiB. */
    bodyBytes?: number
    /** How far a stream's reader may fall behind before the model's stream waits, in bytes. Default 4 MiB. */
    slowReaderBytes?: number
    /** How long a stop waits for running work, in milliseconds. Default 30,000. */
    drainMs?: number
  }
  /** Print the start banner. Default true. */
  banner?: boolean
}

const OPTIONS = new Set([
  'agencies',
  'tools',
  'host',
  'port',
  'appTokenEnv',
  'corsOrigins',
  'trustedModelOrigins',
  'streamScalars',
  'heartbeatMs',
  'maxTurns',
  'exposeErrors',
  'limits',
  'banner',
])
const RESERVED = new Set(['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp'])
const LIMITS = { bodyBytes: 32 * 1024 * 1024, slowReaderBytes: 4 * 1024 * 1024, drainMs: 30_000 }

export interface RunningServer {
  readonly url: string
  readonly host: string
  readonly port: number
  readonly app: FastifyInstance
  /** Refuses new work, lets running work finish within `limits.drainMs`, then stops it. */
  close(): Promise<void>
}

/**
 * The Fastify instance of a server, not listening.
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, FACTORY_FAILED
 */
export async function buildApp(options: ServeOptions): Promise<FastifyInstance> {
  return (await build(options)).app
}

/**
 * Serves agencies and tools over HTTP.
 * @throws what buildApp throws, and PORT_TAKEN
 */
export async function serve(options: ServeOptions): Promise<RunningServer> {
  const { app, drain, token, services } = await build(options)
  const { host = '0.0.0.0', port = 8000 } = options
  try {
    await app.listen({ host, port })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') throw portTaken(port)
    throw error
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const url = `http://${host === '0.0.0.0' ? 'localhost' : host}:${bound}`
  if (options.banner !== false) console.log(banner(url, services, token !== undefined))
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= drain().then(() => app.close())
    return closing
  }
  return { url, host, port: bound, app, close }
}

async function build(options: ServeOptions) {
  checkOptions(options)
  const limits = { ...LIMITS, ...options.limits }
  const env = process.env
  const token = env[options.appTokenEnv ?? 'APP_TOKEN'] || undefined
  const redact = createRedactor([token, env.OPENAI_API_KEY])
  const logError = (error: unknown) => console.error(redact(describe(error)))
  const tools = (options.tools ?? []).map(asFunctionTool)
  const agencies = await Promise.all(
    Object.entries(options.agencies ?? {}).map(([name, value]) => readAgency(name, value)),
  )
  if (agencies.length + tools.length === 0) throw nothingToServe()
  refuseTwins(
    'path',
    agencies.map((served) => served.path),
  )
  refuseTwins(
    'tool',
    tools.map((tool) => tool.name),
  )
  for (const { preview } of agencies)
    for (const agent of preview.agents)
      if (!env.OPENAI_API_KEY && (typeof agent.model !== 'object' || 'kind' in agent.model) && agent.model !== 'demo')
        throw missingApiKey(agent.name, describeModel(agent.model))
  const hub = new Hub({
    slowReaderBytes: limits.slowReaderBytes,
    exposeErrors: options.exposeErrors ?? false,
    redact,
    log: (_level, message, error) => logError(error instanceof Error ? new Error(message, { cause: error }) : message),
  })
  const models = createModelEdge({
    apiKey: env.OPENAI_API_KEY,
    baseURL: env.OPENAI_BASE_URL || undefined,
    trustedModelOrigins: options.trustedModelOrigins ?? [],
    demoFetch: async () => (await import('./models/demo.ts')).createDemoFetch(),
    log: (message) => console.warn(redact(message)),
  })
  let stopping = false
  const services: Services = {
    agencies,
    tools,
    hub,
    models,
    streamScalars: options.streamScalars ?? 'json',
    heartbeatMs: options.heartbeatMs ?? 15_000,
    maxTurns: options.maxTurns === undefined ? 100 : options.maxTurns,
    redact,
    stopping: () => stopping,
  }
  const app = createApp({
    services,
    token,
    corsOrigins: options.corsOrigins ?? ['*'],
    bodyBytes: limits.bodyBytes,
    logError,
  })
  app.addHook('onClose', () => models.close())
  const drain = async () => {
    stopping = true
    await hub.drain(limits.drainMs)
  }
  return { app, drain, token, services }
}

function checkOptions(options: ServeOptions): void {
  for (const key of Object.keys(options)) {
    if (OPTIONS.has(key)) continue
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    throw invalidOption(
      OPTIONS.has(camel)
        ? `serve() has the option "${key}"; here it is written "${camel}".`
        : `serve() has no option "${key}" in this version. Known options: ${[...OPTIONS].join(', ')}.`,
    )
  }
  const { port } = options
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw invalidOption(`The port has to be a number from 0 to 65535, not ${port}.`)
  for (const origin of options.trustedModelOrigins ?? [])
    if (URL.parse(origin) === null)
      throw invalidOption(
        `trustedModelOrigins has "${origin}", which is no address such as "https://gateway.example.com".`,
      )
}

async function readAgency(name: string, value: AgencyGraph | AgencyFactory): Promise<ServedAgency> {
  const segment = (name.trim() || 'agency').replaceAll(' ', '_')
  const path = encodeURIComponent(segment)
  if (RESERVED.has(segment))
    throw duplicateName(`An agency cannot be served as "${segment}": the server needs that path itself.`)
  const make = async (callbacks: AgencyCallbacks): Promise<AgencyGraph> => {
    if (value instanceof AgencyGraph) return value
    try {
      const agency = await value(callbacks)
      if (agency instanceof AgencyGraph) return agency
    } catch (error) {
      throw factoryFailed(name, error)
    }
    throw invalidOption(`The factory of agency "${name}" has to return an Agency.`)
  }
  return { path, preview: await make({ loadThreads: () => [], saveThreads: () => {} }), make }
}

function refuseTwins(kind: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index)
  if (twin !== undefined)
    throw duplicateName(
      `Two ${kind === 'path' ? 'agencies are' : 'tools are'} served under the name "${twin}". Rename one of them.`,
    )
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : ` (${describe(error.cause)})`
  return `${error.message}${cause}`.replace(/[^\P{Cc}]/gu, ' ')
}

function banner(url: string, { agencies, tools }: Services, secured: boolean): string {
  const lines = [`agency-swarm-js is listening on ${url}`, '']
  for (const { path, preview } of agencies) {
    const models = new Set(
      preview.agents.map((agent) => (typeof agent.model === 'object' ? agent.model.name : describeModel(agent.model))),
    )
    const demo = models.has('demo') ? ' (demo: offline answers, no real model)' : ''
    lines.push(`  /${path}  ${preview.agentNames.join(', ')}  model: ${[...models].join(', ')}${demo}`)
  }
  for (const tool of tools) lines.push(`  /tool/${tool.name}`)
  lines.push(
    '',
    secured
      ? '  A bearer token is required.'
      : '  NO TOKEN IS SET: everyone who reaches this address may use it. Set APP_TOKEN to require one.',
  )
  const [first] = agencies
  if (first !== undefined) {
    const post = (endpoint: string) =>
      `  curl ${endpoint.endsWith('stream') ? '-N ' : ''}${url}/${first.path}/${endpoint} -H 'content-type: application/json' -d '{"message": "Hello"}'`
    lines.push('', `  curl ${url}/${first.path}/get_metadata`, post('get_response'), post('get_response_stream'))
  }
  return lines.join('\n')
}
