import { homedir } from 'node:os'
import { AgencyGraph } from './agency/agency.ts'
import { duplicateName, factoryFailed, invalidOption, missingApiKey, missingToken, nothingToServe } from './errors.ts'
import { type Limits, MAX_MS, readLimits } from './limits.ts'
import { createModelEdge, describeModel } from './models/provider.ts'
import type { RunEvent } from './runs/events.ts'
import { Hub } from './runs/hub.ts'
import { checkRateLimit, type RateLimitOptions } from './server/rate-limit.ts'
import { RequestLog } from './server/request-log.ts'
import type { ShellOptions } from './server/shell.ts'
import type { AgencyCallbacks, ServedAgency, Services } from './services.ts'
import { asFunctionTool, type ToolClass } from './tools/base-tool.ts'
import type { FunctionTool } from './tools/tool.ts'
import { within } from './waits.ts'
import { createPlaceMask, createRedactor, type Redact, toLogLine } from './wire/redact.ts'

/** Makes the agency of one request. Called once at start (names, metadata) and once per request. */
export type AgencyFactory = (callbacks: AgencyCallbacks) => AgencyGraph | Promise<AgencyGraph>

/** What is served and how; the part of the options that a guest in another Fastify app takes too. */
export interface BuildOptions {
  /** Path segment -> agency, or a factory that makes one per request. */
  agencies?: { [name: string]: AgencyGraph | AgencyFactory }
  /** Standalone tools, served at `/tool/<name>`. */
  tools?: readonly (FunctionTool | ToolClass)[]
  /** The environment variable that holds the bearer token. Default `APP_TOKEN`; unset or empty means no authentication. */
  appTokenEnv?: string
  /** Default `["*"]`, which turns credentials off. */
  corsOrigins?: readonly string[]
  /** Origins that a request's `client_config.base_url` may name although they are not on the public internet, and which may get the server's own key. Default none. */
  trustedModelOrigins?: readonly string[]
  /** Keep a log of every request that carries `x-agency-log-id`, read once at `/get_logs`. Default false. */
  enableLogging?: boolean
  /** Where those logs are kept. Default `activity-logs`. */
  logsDir?: string
  /** Start without OPENAI_API_KEY although an agent needs it: every request then has to bring `client_config.api_key`. Default false. */
  keyPerRequest?: boolean
  /** How scalars in stream frames are written. Default `"json"`; `"python"` gives the original's strings. */
  streamScalars?: 'json' | 'python'
  /** Silence after which a stream sends a comment, in milliseconds. Default 15,000. */
  heartbeatMs?: number
  /** Another way to write `limits.maxTurns`. */
  maxTurns?: number | null
  /** Let callers see the provider's own error texts. For development. Default false. */
  exposeErrors?: boolean
  /** Called with every event of every run, for your own logging. What it throws is logged and changes nothing. */
  onEvent?: (event: RunEvent, run: { runId: string; agency: string | undefined }) => void
  /** The docs pages and the OpenAPI document need the token too. Default false. */
  protectDocs?: boolean
  /** The server's address in the OpenAPI document. Default: the address the document was asked for at. */
  serverUrl?: string
  /** Bounds of everything; their defaults stand in docs/security.md. Each has an environment variable too; the option wins. */
  limits?: Partial<Limits>
  /** Refuse to start without a token. Default false. */
  requireAuth?: boolean
  /** Refuse callers that ask too often with 429. Default: none is refused. */
  rateLimit?: RateLimitOptions
}

const OPTIONS = new Set<string>([
  'agencies',
  'tools',
  'appTokenEnv',
  'corsOrigins',
  'trustedModelOrigins',
  'keyPerRequest',
  'streamScalars',
  'heartbeatMs',
  'maxTurns',
  'exposeErrors',
  'onEvent',
  'enableLogging',
  'logsDir',
  'protectDocs',
  'serverUrl',
  'limits',
  'requireAuth',
  'rateLimit',
] satisfies (keyof BuildOptions)[])
const RESERVED = new Set(['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp'])

/**
 * Everything behind the routes, made from options and environment.
 * @param more names of options that the caller handles itself
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, MISSING_TOKEN, FACTORY_FAILED
 */
export async function createServices(options: BuildOptions, more: readonly string[] = []) {
  checkOptions(options, more)
  const limits = readAllLimits(options)
  const env = process.env
  const token = readToken(options)
  const mask = createRedactor(() => [token, env.OPENAI_API_KEY])
  const withoutPlaces = createPlaceMask([process.cwd(), homedir()])
  const redact = (text: string) => withoutPlaces(mask(text))
  const logError = (error: unknown, own: Redact = (text) => text) =>
    console.error(toLogLine(mask(own(describe(error)))))
  const tools = (options.tools ?? []).map(asFunctionTool)
  const agencies = await Promise.all(
    Object.entries(options.agencies ?? {}).map(([name, value]) => readAgency(name, value, limits.callbackMs)),
  )
  if (agencies.length + tools.length === 0) throw nothingToServe()
  refuseTwins(
    'agencies are',
    agencies.map((served) => served.path),
  )
  refuseTwins(
    'tools are',
    tools.map((tool) => tool.name),
  )
  if (!env.OPENAI_API_KEY && options.keyPerRequest !== true) for (const { preview } of agencies) requireKeyless(preview)
  const hub = new Hub({
    limits,
    exposeErrors: options.exposeErrors ?? false,
    onEvent: options.onEvent,
    redact,
    log: (message, error, own) => logError(new Error(message, { cause: error }), own),
  })
  const models = createModelEdge({
    apiKey: env.OPENAI_API_KEY || undefined,
    baseURL: env.OPENAI_BASE_URL || undefined,
    trustedModelOrigins: options.trustedModelOrigins ?? [],
    limits,
    log: (message) => console.warn(toLogLine(mask(message))),
  })
  let stopping = false
  const services: Services = {
    agencies,
    tools,
    hub,
    models,
    streamScalars: options.streamScalars ?? 'json',
    heartbeatMs: options.heartbeatMs ?? 15_000,
    limits,
    requestLog: options.enableLogging
      ? openLog(options.logsDir ?? 'activity-logs', limits, redact, logError)
      : undefined,
    redact,
    logError,
    stopping: () => stopping,
  }
  const shell: ShellOptions = {
    services,
    token,
    corsOrigins: options.corsOrigins ?? ['*'],
    protectDocs: options.protectDocs ?? false,
    serverUrl: options.serverUrl,
    rateLimit: options.rateLimit,
  }
  /** Refuses new work, waits for the running, then ends what is left. */
  const drain = async () => {
    stopping = true
    await hub.drain(limits.drainMs)
    await services.requestLog?.flush()
  }
  return { shell, drain, close: () => models.close() }
}

const openLog = (folder: string, limits: Limits, redact: (text: string) => string, onError: (error: unknown) => void) =>
  new RequestLog({ folder, fileBytes: limits.logBytes, files: limits.logFiles, redact, onError })

function checkOptions(options: BuildOptions, more: readonly string[]): void {
  const known = new Set([...OPTIONS, ...more])
  for (const key of Object.keys(options)) {
    if (known.has(key)) continue
    const camel = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    throw invalidOption(
      known.has(camel)
        ? `serve() has the option "${key}"; here it is written "${camel}".`
        : `serve() has no option "${key}" in this version. Known options: ${[...known].join(', ')}.`,
    )
  }
  checkRateLimit(options.rateLimit)
  const { heartbeatMs = 1 } = options
  if (!(Number.isInteger(heartbeatMs) && heartbeatMs >= 1 && heartbeatMs <= MAX_MS))
    throw invalidOption(`heartbeatMs has to be a whole number of milliseconds from 1 to ${MAX_MS}, not ${heartbeatMs}.`)
  if (options.serverUrl !== undefined && URL.parse(options.serverUrl) === null)
    throw invalidOption(
      `serverUrl is "${options.serverUrl}", which is no address such as "https://agents.example.com".`,
    )
  for (const origin of options.trustedModelOrigins ?? [])
    if (URL.parse(origin) === null)
      throw invalidOption(
        `trustedModelOrigins has "${origin}", which is no address such as "https://gateway.example.com".`,
      )
}

function readAllLimits({ limits, maxTurns }: BuildOptions): Limits {
  if (maxTurns === undefined) return readLimits(limits)
  if (limits?.maxTurns !== undefined)
    throw invalidOption('maxTurns and limits.maxTurns are the same limit. Give one of them.')
  return readLimits({ ...limits, maxTurns })
}

/** The bearer token; undefined when none is set. */
function readToken({ appTokenEnv = 'APP_TOKEN', requireAuth = false }: BuildOptions): string | undefined {
  const token = process.env[appTokenEnv] || undefined
  if (token === undefined && requireAuth) throw missingToken(appTokenEnv)
  if (token !== undefined && (token.trim() !== token || /\p{Cc}/u.test(token)))
    throw invalidOption(
      `${appTokenEnv} begins or ends with a blank or has a control character in it, so no caller could send it.`,
    )
  return token
}

async function readAgency(name: string, value: AgencyGraph | AgencyFactory, callbackMs: number): Promise<ServedAgency> {
  const segment = (name.trim() || 'agency').replaceAll(' ', '_')
  const path = encodeURIComponent(segment)
  if (RESERVED.has(segment))
    throw duplicateName(`An agency cannot be served as "${segment}": the server needs that path itself.`)
  const make = async (callbacks: AgencyCallbacks): Promise<AgencyGraph> => {
    if (value instanceof AgencyGraph) return value
    try {
      const agency = await within(callbackMs, 'the factory', Promise.resolve(value(callbacks)))
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
  if (twin !== undefined) throw duplicateName(`Two ${kind} served under the name "${twin}". Rename one of them.`)
}

function requireKeyless(agency: AgencyGraph): void {
  for (const { name, model } of agency.agents) {
    const custom = typeof model === 'object' && !('kind' in model)
    if (!custom && model !== 'demo') throw missingApiKey(name, describeModel(model))
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : describe(error.cause)
  if (cause.startsWith(error.message)) return cause
  return error.message.includes(cause) ? error.message : `${error.message} (${cause})`
}
