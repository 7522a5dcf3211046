import { homedir } from 'node:os'
import { AgencyGraph } from './agency/agency.ts'
import { Agent } from './agency/agent.ts'
import { within } from './base/async.ts'
import {
  AgencyError,
  duplicateName,
  errorText,
  factoryFailed,
  invalidOption,
  missingToken,
  nothingToServe,
  shuttingDown,
} from './base/errors.ts'
import { type Limits, MAX_MS, readLimits } from './base/limits.ts'
import { type Moved, refuseUnknown } from './base/options.ts'
import { createFileDesk } from './files/attachments.ts'
import { createModels } from './models/models.ts'
import { createPricer, type Prices, warnOnce } from './models/pricing/prices.ts'
import { keysIn } from './models/providers.ts'
import type { RunEvent } from './runs/events.ts'
import { Hub } from './runs/hub.ts'
import { keepNothing } from './runs/saver.ts'
import { joinTelemetry, type Telemetry } from './runs/span.ts'
import type { ShellOptions } from './server/plugin.ts'
import { checkRateLimit, type RateLimitOptions } from './server/rate-limit.ts'
import { RequestLines } from './server/request-lines.ts'
import { RequestLog } from './server/request-log.ts'
import type { AgencyCallbacks, Logger, ServedAgency, Services } from './services.ts'
import type { Metrics } from './telemetry/metrics.ts'
import { asFunctionTool, type ToolLike } from './tools/base-tool.ts'
import type { AguiEvents } from './wire/agui.ts'
import { CLIENT_CONFIG_FIELDS, type ClientConfigField } from './wire/client-config.ts'
import { createPlaceMask, createRedactor, type Redact, toLogLine } from './wire/redact.ts'

/** Makes the agency of one request. Called once at start (names, metadata) and once per request. */
export type AgencyFactory = (
  callbacks: AgencyCallbacks,
) => AgencyGraph | WrapTheAgent | Promise<AgencyGraph | WrapTheAgent>

/** Not a value to give, but what the compiler says where an agent is served in place of an agency. */
export interface WrapTheAgent extends Agent {
  readonly '~serve': 'Wrap the agent into an agency: new Agency(agent).'
}

/** What is served and how; the part of the options that a guest in another Fastify app takes too. */
export interface BuildOptions {
  /** Path segment -> agency, or a factory that makes one per request. */
  agencies?: { [name: string]: AgencyGraph | AgencyFactory | WrapTheAgent } | undefined
  /** Standalone tools, served at `/tool/<name>`. */
  tools?: readonly ToolLike[] | undefined
  /** The environment variable that holds the bearer token. Default `APP_TOKEN`; unset or empty means no authentication. */
  appTokenEnv?: string | undefined
  /**
   * Origins whose pages may use the server; `"*"` for all, which turns credentials off. A server without a token that listens on
   * this machine alone takes only pages of this machine unless the option is given. @default ["*"]
   */
  corsOrigins?: readonly string[] | undefined
  /** Origins, or addresses with a path, that a request's `client_config.base_url` may name although they are not on the public internet, and which may get the server's own key. Default none. */
  trustedModelOrigins?: readonly string[] | undefined
  /**
   * Send tools that OpenAI runs (`webSearch()`, `hostedMcp()`, ...) to the addresses that requests name, with the keys they
   * carry. Otherwise functions that say they cannot run stand for them there.
   * @default false
   */
  gatewayHostedTools?: boolean | undefined
  /**
   * What callers may set in `client_config`: all of it, nothing (`false`), or these fields. A caller's `base_url` sees the
   * instructions, the conversation and the tools of a run, and decides which tools are called with which arguments. Anything else
   * is refused with 422. @default true
   */
  clientConfig?: boolean | readonly ClientConfigField[] | undefined
  /** Directories whose files `file_urls` may name by path; `~` is the home folder. Default none: local files are refused. */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Origins that `file_urls` may name although they are not on the public internet. Default none. */
  trustedFileOrigins?: readonly string[] | undefined
  /** Keep a log of every request that carries `x-agency-log-id`, read once at `/get_logs`. Default false. */
  enableLogging?: boolean | undefined
  /** Where those logs are kept. Default `activity-logs`. */
  logsDir?: string | undefined
  /** Start without the keys that agents need: every request then has to bring `client_config.api_key` or `litellm_keys`. Default false. */
  keyPerRequest?: boolean | undefined
  /**
   * The stream endpoint speaks AG-UI; `get_response` and `cancel_response_stream` are then absent. An object chooses which
   * optional events are sent, for example `{ subagents: true, reasoning: true, toolResults: true }`; by default only
   * clients that name protocol 1.0 or later get them, since older ones fail at events they do not know.
   * @default false
   */
  enableAgui?: boolean | Partial<AguiEvents> | undefined
  /** How scalars in stream frames are written. Default `"json"`; `"python"` gives the original's strings. */
  streamScalars?: 'json' | 'python' | undefined
  /** Silence after which a stream sends a comment, in milliseconds. Default 15,000. */
  heartbeatMs?: number | undefined
  /** Another way to write `limits.maxTurns`. */
  maxTurns?: number | null | undefined
  /** Model name -> what its tokens cost, beside the shipped price table and before it. */
  prices?: Prices | undefined
  /** Let callers see the provider's own error texts. For development. Default false. */
  exposeErrors?: boolean | undefined
  /** Called with every event of every run, for your own logging. What it throws is logged and changes nothing. */
  onEvent?: ((event: RunEvent, run: { runId: string; agency: string | undefined }) => void) | undefined
  /** Who is told of every run, model call and tool call: what `openTelemetry()` of `agency-swarm-js/otel` gives, or several. Default: nobody. */
  telemetry?: Telemetry | readonly Telemetry[] | undefined
  /** Serve metrics for Prometheus at `/metrics`: true, or what `createMetrics()` of `agency-swarm-js/otel` gives. Default false. */
  metrics?: boolean | Metrics | undefined
  /** `/metrics` needs no token although one is set. Default false. */
  metricsOpen?: boolean | undefined
  /** A pino logger, or one of its shape, for requests, failures, start and stop; true for pino on stdout. Default: failures and warnings on the console. */
  logger?: boolean | Logger | undefined
  /** The docs pages and the OpenAPI document need the token too. Default false. */
  protectDocs?: boolean | undefined
  /** The server's address in the OpenAPI document. Default: the address the document was asked for at. */
  serverUrl?: string | undefined
  /**
   * A page at `/` to try the agencies. It asks for the token when there is one. With `'development'` the page also notices that
   * the server was started again, and reads the agencies anew.
   * @default false
   */
  playground?: boolean | 'development' | undefined
  /** Bounds of everything; their defaults stand in docs/security.md. Each has an environment variable too; the option wins. */
  limits?: Partial<Limits> | undefined
  /** Refuse to start without a token. Default false. */
  requireAuth?: boolean | undefined
  /** Refuse callers that ask too often with 429. Default: none is refused. */
  rateLimit?: RateLimitOptions | undefined
}

const OPTIONS = new Set<string>([
  'agencies',
  'tools',
  'appTokenEnv',
  'corsOrigins',
  'trustedModelOrigins',
  'gatewayHostedTools',
  'clientConfig',
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
  'telemetry',
  'metrics',
  'metricsOpen',
  'logger',
  'enableLogging',
  'logsDir',
  'protectDocs',
  'serverUrl',
  'playground',
  'limits',
  'requireAuth',
  'rateLimit',
] satisfies (keyof BuildOptions)[])
const MOVED: Moved = { returnApp: 'buildApp(options), or listen: false' }
const RESERVED = new Set(['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp'])

/**
 * Everything behind the routes, made from options and environment.
 * @param more names of options that the caller handles itself
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, MISSING_TOKEN, MODEL_NOT_SUPPORTED,
 *   PROVIDER_NOT_INSTALLED, FACTORY_FAILED
 */
export async function createServices(options: BuildOptions, more: readonly string[] = []) {
  checkOptions(options, more)
  await loadModules()
  const limits = readAllLimits(options)
  const env = process.env
  const token = readToken(options)
  const mask = createRedactor(() => [token, ...keysIn(env)])
  const withoutPlaces = createPlaceMask([process.cwd(), homedir()])
  const redact = (text: string) => withoutPlaces(mask(text))
  const { logger, lines } = await readLogger(options.logger, mask)
  const logError = (error: unknown, own: Redact = (text) => text, fields: object = {}) =>
    logger.error(fields, toLogLine(mask(own(describe(error)))))
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
  const log = (message: string, error: unknown, own?: Redact, fields?: object) =>
    logError(new Error(message, { cause: error }), own, fields)
  const hub = new Hub({
    limits,
    exposeErrors: options.exposeErrors ?? false,
    onEvent: options.onEvent,
    redact,
    log,
    logFailure: (error, own, run) => log('A run failed.', error, own, { ...run, ...codeIn(error) }),
  })
  const warn = (message: string) => logger.warn({}, toLogLine(mask(message)))
  const price = createPricer(options.prices, warnOnce(warn))
  const models = createModels({
    env: { ...env },
    trustedModelOrigins: options.trustedModelOrigins ?? [],
    gatewayHostedTools: options.gatewayHostedTools,
    limits,
    log: warn,
  })
  for (const { preview } of agencies)
    for (const { name, model } of preview.agents) await models.check(model, name, options.keyPerRequest === true)
  const files = createFileDesk({
    limits,
    budget: hub.budget,
    allowedLocalFileDirs: options.allowedLocalFileDirs,
    trustedFileOrigins: options.trustedFileOrigins ?? [],
    explain: options.exposeErrors ? (error) => `(${errorText(error)})` : causeOf,
    log,
    warn,
  })
  const metrics = await readMetrics(options.metrics)
  metrics?.watchHeld(() => hub.budget.heldBytes)
  const listeners = [...[options.telemetry ?? []].flat(), ...(metrics === undefined ? [] : [metrics])]
  const complain = warnOnce((text) => logger.error({}, text))
  let stopping = false
  const services: Services = {
    agencies,
    tools,
    hub,
    models,
    files,
    price,
    streamScalars: options.streamScalars ?? 'json',
    agui: readAgui(options.enableAgui),
    heartbeatMs: options.heartbeatMs ?? 15_000,
    limits,
    requestRules: { historyItems: limits.historyItems, clientConfig: readClientConfig(options) },
    requestLog: options.enableLogging
      ? openLog(options.logsDir ?? 'activity-logs', limits, redact, logError)
      : undefined,
    redact,
    telemetry: joinTelemetry(listeners, (error) =>
      complain(redact(`Telemetry failed; runs go on. (${describe(error)})`)),
    ),
    noteRun: lines && ((request, note) => lines.noteRun(request, note)),
    logError,
    stopping: () => stopping,
  }
  const shell: ShellOptions = {
    services,
    token,
    tokenVariable: options.appTokenEnv ?? 'APP_TOKEN',
    corsOrigins: options.corsOrigins,
    protectDocs: options.protectDocs ?? false,
    serverUrl: options.serverUrl,
    playground: options.playground ?? false,
    rateLimit: options.rateLimit,
    metrics,
    metricsOpen: options.metricsOpen ?? false,
    lines,
  }
  /** Refuses new work, waits for the running, then ends what is left. */
  const drain = async () => {
    stopping = true
    await Promise.all([files.stop(shuttingDown()), hub.drain(limits.drainMs)])
    await services.requestLog?.flush()
  }
  const close = async () => {
    if (options.metrics === true) metrics?.close()
    await models.close()
  }
  return { shell, drain, close }
}

/**
 * Loads what requests need before the first one comes: Node never loads a module again whose first load failed, as it does
 * while file descriptors have run out.
 */
const loadModules = () =>
  Promise.all([
    import('openai'),
    import('undici'),
    import('file-type'),
    import('./files/download.ts'),
    import('./models/demo/demo.ts'),
    import('./net/guard.ts'),
  ])

/** Failures and warnings; what else a logger gets would be noise on a terminal. */
const consoleLogger: Logger = {
  info: () => {},
  warn: (_, message) => console.warn(message),
  error: (fields, message) => console.error(consoleLine(new Date(), fields, message)),
}

/** Time, what failed, and whose run it was: `2026-01-02T03:04:05.678Z A run failed. (...) runId=... agency=shop agent=Desk`. */
const consoleLine = (time: Date, fields: object, message: string): string => {
  const named = Object.entries(fields).map(([name, value]) => `${name}=${toLogLine(String(value))}`)
  return [time.toISOString(), message, ...named].join(' ')
}

async function readLogger(given: boolean | Logger | undefined, redact: (text: string) => string) {
  if (given === undefined || given === false) return { logger: consoleLogger, lines: undefined }
  const logger: Logger = given === true ? (await import('pino')).pino() : given
  if (![logger.info, logger.warn, logger.error].every((method) => typeof method === 'function'))
    throw invalidOption('logger has to be a pino logger, one with info, warn and error as it has them, or true.')
  const calm = calmed(logger, redact)
  return { logger: calm, lines: new RequestLines(calm, redact) }
}

/** A logger that throws must not decide over requests and runs. */
function calmed(logger: Logger, redact: (text: string) => string): Logger {
  const say = (level: keyof Logger) => (fields: object, message: string) => {
    try {
      logger[level](fields, message)
    } catch (error) {
      console.error(redact(`The logger failed: ${describe(error)}`))
    }
  }
  return { info: say('info'), warn: say('warn'), error: say('error') }
}

async function readMetrics(given: boolean | Metrics | undefined): Promise<Metrics | undefined> {
  if (given === undefined || given === false) return undefined
  if (given === true) return (await import('./telemetry/metrics.ts')).createMetrics()
  if (typeof given.text !== 'function' || typeof given.start !== 'function')
    throw invalidOption("metrics has to be true, or what createMetrics() of 'agency-swarm-js/otel' gives.")
  return given
}

const AGUI_EVENTS = { subagents: true, reasoning: true, toolResults: true } satisfies Record<keyof AguiEvents, true>

function readAgui(given: BuildOptions['enableAgui']): Partial<AguiEvents> | undefined {
  if (given === undefined || typeof given === 'boolean') return given === true ? {} : undefined
  const fits =
    typeof given === 'object' &&
    given !== null &&
    Object.entries(given).every(
      ([name, value]) => Object.hasOwn(AGUI_EVENTS, name) && (value === undefined || typeof value === 'boolean'),
    )
  if (!fits)
    throw invalidOption(
      `enableAgui has to be true, false, or an object of booleans: ${Object.keys(AGUI_EVENTS).join(', ')}.`,
    )
  return given
}

const openLog = (folder: string, limits: Limits, redact: (text: string) => string, onError: (error: unknown) => void) =>
  new RequestLog({ folder, fileBytes: limits.logBytes, files: limits.logFiles, redact, onError })

function checkOptions(options: BuildOptions, more: readonly string[]): void {
  refuseUnknown('serve()', options, new Set([...OPTIONS, ...more]), MOVED)
  checkRateLimit(options.rateLimit)
  const { heartbeatMs = 1 } = options
  if (!(Number.isInteger(heartbeatMs) && heartbeatMs >= 1 && heartbeatMs <= MAX_MS))
    throw invalidOption(`heartbeatMs has to be a whole number of milliseconds from 1 to ${MAX_MS}, not ${heartbeatMs}.`)
  for (const listener of [options.telemetry ?? []].flat())
    if (typeof listener?.start !== 'function' || typeof listener.refused !== 'function')
      throw invalidOption(
        "telemetry has to be what openTelemetry() of 'agency-swarm-js/otel' gives, or a list of such.",
      )
  if (options.serverUrl !== undefined && URL.parse(options.serverUrl) === null)
    throw invalidOption(
      `serverUrl is "${options.serverUrl}", which is no address such as "https://agents.example.com".`,
    )
  for (const name of ['trustedModelOrigins', 'trustedFileOrigins'] as const)
    for (const origin of options[name] ?? [])
      if (URL.parse(origin) === null)
        throw invalidOption(`${name} has "${origin}", which is no address such as "https://gateway.example.com".`)
  if (options.playground && options.enableAgui)
    throw invalidOption('The playground does not speak AG-UI: leave out playground or enableAgui.')
  const dirs: unknown = options.allowedLocalFileDirs ?? []
  if (!Array.isArray(dirs) || dirs.some((entry) => typeof entry !== 'string' || entry === ''))
    throw invalidOption('allowedLocalFileDirs is a list of directories such as ["/srv/uploads", "~/shared"].')
}

function readAllLimits({ limits, maxTurns }: BuildOptions): Limits {
  if (maxTurns === undefined) return readLimits(limits)
  if (limits?.maxTurns !== undefined)
    throw invalidOption('maxTurns and limits.maxTurns are the same limit. Give one of them.')
  return readLimits({ ...limits, maxTurns })
}

/** The fields of `client_config` that callers may set. */
function readClientConfig({ clientConfig = true, keyPerRequest = false }: BuildOptions): readonly ClientConfigField[] {
  const isField = (name: unknown) => CLIENT_CONFIG_FIELDS.some((field) => field === name)
  if (typeof clientConfig !== 'boolean' && !(Array.isArray(clientConfig) && clientConfig.every(isField)))
    throw invalidOption(
      `clientConfig has to be true, false, or a list of fields that callers may set: ${CLIENT_CONFIG_FIELDS.join(', ')}.`,
    )
  const fields = clientConfig === true ? CLIENT_CONFIG_FIELDS : clientConfig === false ? [] : clientConfig
  if (keyPerRequest && !fields.includes('api_key') && !fields.includes('litellm_keys'))
    throw invalidOption('keyPerRequest needs callers to send a key: let clientConfig have "api_key" or "litellm_keys".')
  return fields
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

async function readAgency(name: string, value: unknown, callbackMs: number): Promise<ServedAgency> {
  if (!(value instanceof AgencyGraph) && (typeof value !== 'function' || isClass(value))) throw notAnAgency(name, value)
  const segment = (name.trim() || 'agency').replaceAll(' ', '_')
  const path = encodeURIComponent(segment)
  if (RESERVED.has(segment))
    throw duplicateName(`An agency cannot be served as "${segment}": the server needs that path itself.`)
  const make = async (callbacks: AgencyCallbacks): Promise<AgencyGraph> => {
    if (value instanceof AgencyGraph) return value
    let made: unknown
    try {
      made = await within(callbackMs, 'the factory', (value as AgencyFactory)(callbacks))
    } catch (error) {
      throw factoryFailed(name, error)
    }
    if (made instanceof AgencyGraph) return made
    throw notAnAgency(name, made, 'The factory')
  }
  return { path, preview: await make({ loadThreads: () => [], saveThreads: keepNothing }), make }
}

const isClass = (value: object) => /^class\b/.test(Function.prototype.toString.call(value))

/** What is served in place of an agency, and what to write instead. */
function notAnAgency(name: string, value: unknown, subject = 'The server') {
  const place = subject === 'The server' ? `agencies["${name}"]` : `the factory agencies["${name}"] gives`
  if (value instanceof Agent)
    return invalidOption(`${place} is the agent "${value.name}". Serve an agency: new Agency(agent).`)
  const advice = 'Give an Agency, or a function that makes one: (callbacks) => new Agency(agent, callbacks).'
  if (value instanceof Promise) return invalidOption(`${place} is a promise. Await it first. ${advice}`)
  return invalidOption(`${place} is no Agency${value === undefined ? ' but undefined' : ''}. ${advice}`)
}

function refuseTwins(kind: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index)
  if (twin !== undefined) throw duplicateName(`Two ${kind} served under the name "${twin}". Rename one of them.`)
}

const codeIn = (error: unknown): object => (error instanceof AgencyError ? { code: error.code } : {})

/** What a caller may know about a provider's error. */
const causeOf = (error: unknown): string => `(cause: ${error instanceof Error ? error.constructor.name : 'Error'})`

/** The deepest cause that a log tells: an error may be its own. */
const MAX_CAUSES = 10

function describe(error: unknown, depth = 0): string {
  const text = errorText(error)
  if (!(error instanceof Error) || error.cause === undefined || depth === MAX_CAUSES) return text
  const cause = describe(error.cause, depth + 1)
  if (cause.startsWith(text)) return cause
  return text.includes(cause) ? text : `${text} (${cause})`
}
