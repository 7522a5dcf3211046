import { AgencyGraph } from './agency/agency.ts'
import {
  duplicateName,
  errorText,
  factoryFailed,
  invalidOption,
  missingApiKey,
  nothingToServe,
  shuttingDown,
} from './errors.ts'
import { createFileDesk } from './files/desk.ts'
import { DEFAULT_FILE_LIMITS, type FileLimits } from './files/ledger.ts'
import { createPricer, type Prices, warnOnce } from './models/prices.ts'
import { createModelEdge, describeModel } from './models/provider.ts'
import { type Moved, refuseUnknown } from './options.ts'
import type { RunEvent } from './runs/events.ts'
import { Hub } from './runs/hub.ts'
import { RequestLog } from './server/request-log.ts'
import type { ShellOptions } from './server/shell.ts'
import type { AgencyCallbacks, ServedAgency, Services } from './services.ts'
import { asFunctionTool, type ToolLike } from './tools/base-tool.ts'
import { createRedactor } from './wire/redact.ts'

/** Makes the agency of one request. Called once at start (names, metadata) and once per request. */
export type AgencyFactory = (callbacks: AgencyCallbacks) => AgencyGraph | Promise<AgencyGraph>

/** What is served and how; the part of the options that a guest in another Fastify app takes too. */
export interface BuildOptions {
  /** Path segment -> agency, or a factory that makes one per request. */
  agencies?: { [name: string]: AgencyGraph | AgencyFactory }
  /** Standalone tools, served at `/tool/<name>`. */
  tools?: readonly ToolLike[]
  /** The environment variable that holds the bearer token. Default `APP_TOKEN`; unset or empty means no authentication. */
  appTokenEnv?: string
  /** Default `["*"]`, which turns credentials off. */
  corsOrigins?: readonly string[]
  /** Origins that a request's `client_config.base_url` may name although they are not on the public internet, and which may get the server's own key. Default none. */
  trustedModelOrigins?: readonly string[]
  /** Directories whose files `file_urls` may name by path; `~` is the home folder. Default none: local files are refused. */
  allowedLocalFileDirs?: readonly string[]
  /** Origins that `file_urls` may name although they are not on the public internet. Default none. */
  trustedFileOrigins?: readonly string[]
  /** Keep a log of every request that carries `x-agency-log-id`, read once at `/get_logs`. Default false. */
  enableLogging?: boolean
  /** Where those logs are kept. Default `activity-logs`. */
  logsDir?: string
  /** Start without OPENAI_API_KEY although an agent needs it: every request then has to bring `client_config.api_key`. Default false. */
  keyPerRequest?: boolean
  /** The stream endpoint speaks AG-UI; `get_response` and `cancel_response_stream` are then not there. Default false. */
  enableAgui?: boolean
  /** How scalars in stream frames are written. Default `"json"`; `"python"` gives the original's strings. */
  streamScalars?: 'json' | 'python'
  /** Silence after which a stream sends a comment, in milliseconds. Default 15,000. */
  heartbeatMs?: number
  /** Model turns of one request over its whole tree of agents; null lifts the limit. Default 100. */
  maxTurns?: number | null
  /** Model name -> what its tokens cost, beside the shipped price table and before it. */
  prices?: Prices
  /** Let callers see the provider's own error texts. For development. Default false. */
  exposeErrors?: boolean
  /** Called with every event of every run, for your own logging. What it throws is logged and changes nothing. */
  onEvent?: (event: RunEvent, run: { runId: string; agency: string | undefined }) => void
  /** The docs pages and the OpenAPI document need the token too. Default false. */
  protectDocs?: boolean
  /** The server's address in the OpenAPI document. Default: the address the document was asked for at. */
  serverUrl?: string
  /** Bounds that differ from their defaults. */
  limits?: Partial<Limits>
}

/** Bounds of the server. Each has a default that is safe on the internet. */
export interface Limits extends FileLimits {
  /** Largest request body, in bytes. Default 32 MiB; of no effect in the plugin, where your app's `bodyLimit` counts. */
  bodyBytes: number
  /** How far a stream's reader may fall behind before the model's stream waits for it, in bytes. Default 4 MiB. */
  slowReaderBytes: number
  /** How long such a reader may take nothing before its run is stopped, in milliseconds. Default 75,000. */
  idleTimeoutMs: number
  /** How long a stop waits for running work, in milliseconds. Default 30,000. */
  drainMs: number
  /** A request log takes no more lines beyond this size, in bytes. Default 1 MiB. */
  logBytes: number
  /** Request logs that are kept; beyond it the oldest go. Default 1,000. */
  logFiles: number
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 32 * 1024 * 1024,
  slowReaderBytes: 4 * 1024 * 1024,
  idleTimeoutMs: 75_000,
  drainMs: 30_000,
  logBytes: 1024 * 1024,
  logFiles: 1000,
  ...DEFAULT_FILE_LIMITS,
}
const OPTIONS = new Set<string>([
  'agencies',
  'tools',
  'appTokenEnv',
  'corsOrigins',
  'trustedModelOrigins',
  'allowedLocalFileDirs',
  'trustedFileOrigins',
  'keyPerRequest',
  'enableAgui',
  'streamScalars',
  'heartbeatMs',
  'maxTurns',
  'prices',
  'exposeErrors',
  'onEvent',
  'enableLogging',
  'logsDir',
  'protectDocs',
  'serverUrl',
  'limits',
] satisfies (keyof BuildOptions)[])
const MOVED: Moved = { returnApp: 'buildApp(options), or listen: false' }
const RESERVED = new Set(['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp'])

/**
 * Everything behind the routes, made from options and environment.
 * @param more names of options that the caller handles itself
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, FACTORY_FAILED
 */
export async function createServices(options: BuildOptions, more: readonly string[] = []) {
  checkOptions(options, more)
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const env = process.env
  const token = env[options.appTokenEnv ?? 'APP_TOKEN'] || undefined
  const redact = createRedactor([token, env.OPENAI_API_KEY])
  const logError = (error: unknown, mask = (text: string) => text) => console.error(redact(mask(describe(error))))
  const tools = (options.tools ?? []).map(asFunctionTool)
  const agencies = await Promise.all(
    Object.entries(options.agencies ?? {}).map(([name, value]) => readAgency(name, value)),
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
  const log = (message: string, error: unknown, mask?: (text: string) => string) =>
    logError(new Error(message, { cause: error }), mask)
  const hub = new Hub({
    slowReaderBytes: limits.slowReaderBytes,
    idleTimeoutMs: limits.idleTimeoutMs,
    exposeErrors: options.exposeErrors ?? false,
    onEvent: options.onEvent,
    redact,
    log,
    logFailure: (error, mask) => log('A run failed.', error, mask),
  })
  const warn = (message: string) => console.warn(redact(message))
  const price = createPricer(options.prices, warnOnce(warn))
  const models = createModelEdge({
    apiKey: env.OPENAI_API_KEY || undefined,
    baseURL: env.OPENAI_BASE_URL || undefined,
    trustedModelOrigins: options.trustedModelOrigins ?? [],
    log: warn,
  })
  const files = createFileDesk({
    limits,
    allowedLocalFileDirs: options.allowedLocalFileDirs,
    trustedFileOrigins: options.trustedFileOrigins ?? [],
    explain: options.exposeErrors ? (error) => `(${errorText(error)})` : causeOf,
    log: (message, error, mask) => logError(new Error(message, { cause: error }), mask),
    warn,
  })
  let stopping = false
  const services: Services = {
    agencies,
    tools,
    hub,
    models,
    files,
    price,
    streamScalars: options.streamScalars ?? 'json',
    agui: options.enableAgui ?? false,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    maxTurns: options.maxTurns === undefined ? 100 : options.maxTurns,
    requestLog: options.enableLogging
      ? openLog(options.logsDir ?? 'activity-logs', limits, redact, logError)
      : undefined,
    redact,
    stopping: () => stopping,
  }
  const shell: ShellOptions = {
    services,
    token,
    corsOrigins: options.corsOrigins ?? ['*'],
    logError,
    protectDocs: options.protectDocs ?? false,
    serverUrl: options.serverUrl,
  }
  /** Refuses new work, waits for the running, then ends what is left. */
  const drain = async () => {
    stopping = true
    await Promise.all([files.stop(shuttingDown()), hub.drain(limits.drainMs)])
    await services.requestLog?.flush()
  }
  return { shell, limits, drain, close: () => models.close() }
}

const openLog = (folder: string, limits: Limits, redact: (text: string) => string, onError: (error: unknown) => void) =>
  new RequestLog({ folder, fileBytes: limits.logBytes, files: limits.logFiles, redact, onError })

function checkOptions(options: BuildOptions, more: readonly string[]): void {
  refuseUnknown('serve()', options, new Set([...OPTIONS, ...more]), MOVED)
  for (const [name, value] of Object.entries(options.limits ?? {}))
    if (!(name in DEFAULT_LIMITS) || !Number.isFinite(value) || value < 0)
      throw invalidOption(
        `limits.${name} = ${value} is no limit of this server. Known: ${Object.keys(DEFAULT_LIMITS).join(', ')}, each a number.`,
      )
  if (options.serverUrl !== undefined && URL.parse(options.serverUrl) === null)
    throw invalidOption(
      `serverUrl is "${options.serverUrl}", which is no address such as "https://agents.example.com".`,
    )
  for (const name of ['trustedModelOrigins', 'trustedFileOrigins'] as const)
    for (const origin of options[name] ?? [])
      if (URL.parse(origin) === null)
        throw invalidOption(`${name} has "${origin}", which is no address such as "https://gateway.example.com".`)
  const dirs: unknown = options.allowedLocalFileDirs ?? []
  if (!Array.isArray(dirs) || dirs.some((entry) => typeof entry !== 'string' || entry === ''))
    throw invalidOption('allowedLocalFileDirs is a list of directories such as ["/srv/uploads", "~/shared"].')
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
  if (twin !== undefined) throw duplicateName(`Two ${kind} served under the name "${twin}". Rename one of them.`)
}

function requireKeyless(agency: AgencyGraph): void {
  for (const { name, model } of agency.agents) {
    const custom = typeof model === 'object' && !('kind' in model)
    if (!custom && model !== 'demo') throw missingApiKey(name, describeModel(model))
  }
}

/** What a caller may know about a provider's error. */
const causeOf = (error: unknown): string => `(cause: ${error instanceof Error ? error.constructor.name : 'Error'})`

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : describe(error.cause)
  return `${error.message}${cause === '' || cause === error.message ? '' : ` (${cause})`}`.replace(/[^\P{Cc}]/gu, ' ')
}
