/** The options of a server: their types, and the checks that all of them pass at start. */
import type { AgencyGraph } from '../agency/agency.ts'
import type { AgencyFactory, ServedAgency, WrapTheAgent } from '../agency/served.ts'
import { type Limits, MAX_MS, readLimits } from '../base/limits.ts'
import { type Moved, optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption, missingToken } from '../base/start-errors.ts'
import type { A2aCard, A2aField, A2aOptions } from '../dialects/a2a/card.ts'
import type { McpOptions } from '../dialects/mcp/door.ts'
import type { Prices } from '../models/pricing/prices.ts'
import type { RunEvent } from '../runs/events.ts'
import type { Telemetry } from '../runs/span.ts'
import { checkRateLimit, type RateLimitOptions } from '../server/rate-limit.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ToolLike } from '../tools/base-tool.ts'
import type { AguiEvents } from '../wire/agui.ts'
import { CLIENT_CONFIG_FIELDS, type ClientConfigField } from '../wire/client-config.ts'
import type { Logger } from './log.ts'
import type { StoredRunsOptions } from './stored-runs.ts'

/** What is served and how; the part of the options that a guest in another Fastify app takes too. */
export interface BuildOptions {
  /** Path segment -> agency, or a factory that makes one per request. */
  agencies?: { [name: string]: AgencyGraph | AgencyFactory | WrapTheAgent } | undefined
  /** How runs and threads are kept that outlive their request. Default: in memory. */
  runs?: StoredRunsOptions | undefined
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
  /**
   * Serve the agencies and tools to MCP hosts at `/mcp`, over Streamable HTTP. Needs the packages `@modelcontextprotocol/server` and
   * `@modelcontextprotocol/node`. A web page may call it only when `corsOrigins` has its origin by name. @default false
   */
  mcp?: boolean | McpOptions | undefined
  /**
   * Answer OpenAI clients too, at `/v1/models`, `/v1/chat/completions` and `/v1/responses`: an agency or `agency/Agent` is the
   * model. No agency can then be named `v1`. An object says what happens to tools in a request of `/v1/responses` that only OpenAI
   * runs, such as `web_search`: the request is refused, or the tools are ignored, which clients need that always declare some.
   * @default false; `{ hostedTools: 'refuse' }` with true
   */
  openai?: boolean | { hostedTools?: 'refuse' | 'ignore' | undefined } | undefined
  /**
   * Answer pages on the AI SDK's `useChat` too, at `/{agency}/chat`. An object sets how long a run goes on when its page has
   * left, in milliseconds: a page that stops looks like one that lost its connection. @default false; 10,000 with true
   */
  aiSdk?: boolean | { disconnectGraceMs?: number | undefined } | undefined
  /**
   * Answer agents that speak A2A 1.0 or 0.3 too, at `/{agency}/a2a`. Each agency has a public card at
   * `/{agency}/.well-known/agent-card.json`; a server with one agency also has it at `/.well-known/agent-card.json`. An object says
   * what cards tell, and what callers may set. No agency can then be named `.well-known`. @default false
   */
  a2a?: boolean | A2aOptions | undefined
  /**
   * Answer AG-UI clients too, such as CopilotKit, at `/{agency}/agui`, with runs that are stored. An object chooses which optional
   * events are sent, as `enableAgui` does, and how long a run goes on when its client has left, in milliseconds: a client that
   * stops a run closes its stream. @default false; `disconnectGraceMs` 0
   */
  agui?: boolean | (Partial<AguiEvents> & { disconnectGraceMs?: number | undefined }) | undefined
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
  /** Called with every event of every run, from `started` to `ended`, for your own logging. Errors that it throws are logged and change nothing. */
  onEvent?: ((event: RunEvent, run: { runId: string; agency: string | undefined }) => void) | undefined
  /** Listeners to every run, model call and tool call: `openTelemetry()` of `agency-swarm-js/otel`, or several. @default none */
  telemetry?: Telemetry | readonly Telemetry[] | undefined
  /** Serve metrics for Prometheus at `/metrics`: true, or what `createMetrics()` of `agency-swarm-js/otel` gives. Default false. */
  metrics?: boolean | Metrics | undefined
  /** `/metrics` needs no token although one is set. Default false. */
  metricsOpen?: boolean | undefined
  /** A pino logger, or one of its shape, for requests, failures, start and stop; true for pino on stdout. Default: failures and warnings on the console. */
  logger?: boolean | Logger | undefined
  /** The docs pages and the OpenAPI document need the token too. Default false. */
  protectDocs?: boolean | undefined
  /** The server's public address, for the OpenAPI document and for browsers that come back to `/oauth/callback`. Default: the address the document was asked for at, and `http://localhost:<port>`. */
  serverUrl?: string | undefined
  /**
   * A page at `/` to try the agencies. It asks for the token when there is one. With `'development'` the page also notices that
   * the server was started again, and reads the agencies anew.
   * @default false
   */
  playground?: boolean | 'development' | undefined
  /**
   * Keep a trace of each stored run, with everything that models and tools were sent and answered, and serve it at
   * `/{agency}/runs/{run_id}/trace`. Known secrets are masked. @default true with `playground`, else false
   */
  traces?: boolean | undefined
  /** Bounds of everything; their defaults stand in docs/security.md. Each has an environment variable too; the option wins. */
  limits?: Partial<Limits> | undefined
  /** Refuse to start without a token. Default false. */
  requireAuth?: boolean | undefined
  /** Refuse callers that ask too often with 429. Default: none is refused. */
  rateLimit?: RateLimitOptions | undefined
}

const OPTIONS = new Set<string>([
  'agencies',
  'runs',
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
  'mcp',
  'openai',
  'aiSdk',
  'a2a',
  'agui',
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
  'traces',
  'limits',
  'requireAuth',
  'rateLimit',
] satisfies (keyof BuildOptions)[])
const MOVED: Moved = { returnApp: 'buildApp(options), or listen: false' }

export function checkOptions(options: BuildOptions, more: readonly string[]): void {
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

/** @throws INVALID_OPTION for what several worker processes cannot serve together */
export function checkShared({ runs, mcp, aiSdk }: BuildOptions): void {
  const shared = runs?.store?.shared === true
  const ways = "Use postgres(url) of 'agency-swarm-js/postgres', or leave out workers."
  if (runs?.store !== undefined && !shared)
    throw invalidOption(
      `With several workers, runs.store has to be one that all of them can use; memory() and sqlite() serve one process. ${ways}`,
    )
  if (aiSdk && !shared)
    throw invalidOption(`With several workers, aiSdk needs a store that all of them can use: runs: { store }. ${ways}`)
  if (mcp)
    throw invalidOption(
      'With several workers, /mcp cannot be served: sessions of MCP hosts live in one process. Serve it from a program of its own without workers: serveMcp(options).',
    )
}

export function readAllLimits({ limits, maxTurns }: BuildOptions): Limits {
  if (maxTurns === undefined) return readLimits(limits)
  if (limits?.maxTurns !== undefined)
    throw invalidOption('maxTurns and limits.maxTurns are the same limit. Give one of them.')
  return readLimits({ ...limits, maxTurns })
}

/** The fields of `client_config` that callers may set. */
export function readClientConfig({
  clientConfig = true,
  keyPerRequest = false,
}: BuildOptions): readonly ClientConfigField[] {
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
export function readToken({ appTokenEnv = 'APP_TOKEN', requireAuth = false }: BuildOptions): string | undefined {
  const token = process.env[appTokenEnv] || undefined
  if (token === undefined && requireAuth) throw missingToken(appTokenEnv)
  if (token !== undefined && (token.trim() !== token || /\p{Cc}/u.test(token)))
    throw invalidOption(
      `${appTokenEnv} begins or ends with a blank or has a control character in it, so no caller could send it.`,
    )
  return token
}

const AGUI_EVENTS = { subagents: true, reasoning: true, toolResults: true } satisfies Record<keyof AguiEvents, true>

export function readAgui(given: BuildOptions['enableAgui']): Partial<AguiEvents> | undefined {
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

const MCP_OPTIONS = optionNames<McpOptions>({ name: true, instructions: true })

/** @throws INVALID_OPTION */
export function readMcp(given: BuildOptions['mcp']): McpOptions | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return {}
  const fits =
    typeof given === 'object' &&
    given !== null &&
    Object.entries(given).every(
      ([name, value]) => MCP_OPTIONS.has(name) && (value === undefined || typeof value === 'string'),
    )
  if (!fits) throw invalidOption('mcp has to be true, false, or { name, instructions }, which are texts.')
  return given
}

/** The option `openai`; undefined without the door. @throws INVALID_OPTION */
export function readOpenAi(given: BuildOptions['openai']): { ignoresHostedTools: boolean } | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return { ignoresHostedTools: false }
  if (given === null || typeof given !== 'object')
    throw invalidOption('openai has to be true, false, or an object such as { hostedTools: "ignore" }.')
  refuseUnknown('openai', given, new Set(['hostedTools']))
  const { hostedTools = 'refuse' } = given
  if (hostedTools !== 'refuse' && hostedTools !== 'ignore')
    throw invalidOption('openai.hostedTools has to be "refuse" or "ignore".')
  return { ignoresHostedTools: hostedTools === 'ignore' }
}

const DISCONNECT_GRACE_MS = 10_000

/** @throws INVALID_OPTION */
export function readAiSdk(given: BuildOptions['aiSdk']): { disconnectGraceMs: number } | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return { disconnectGraceMs: DISCONNECT_GRACE_MS }
  if (typeof given !== 'object' || given === null)
    throw invalidOption('aiSdk has to be true, false, or an object such as { disconnectGraceMs: 10_000 }.')
  refuseUnknown('aiSdk', given, new Set(['disconnectGraceMs']))
  return { disconnectGraceMs: readGrace('aiSdk', given.disconnectGraceMs, DISCONNECT_GRACE_MS) }
}

/** @throws INVALID_OPTION */
export function readAguiDoor(
  given: BuildOptions['agui'],
): { events: Partial<AguiEvents>; disconnectGraceMs: number } | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return { events: {}, disconnectGraceMs: 0 }
  if (typeof given !== 'object' || given === null)
    throw invalidOption(
      'agui has to be true, false, or an object such as { subagents: true, disconnectGraceMs: 10_000 }.',
    )
  refuseUnknown('agui', given, new Set([...Object.keys(AGUI_EVENTS), 'disconnectGraceMs']))
  const { disconnectGraceMs, ...events } = given
  for (const [name, value] of Object.entries(events))
    if (value !== undefined && typeof value !== 'boolean') throw invalidOption(`agui.${name} has to be true or false.`)
  return { events, disconnectGraceMs: readGrace('agui', disconnectGraceMs, 0) }
}

function readGrace(door: string, given: number | undefined, standard: number): number {
  const ms = given ?? standard
  if (Number.isInteger(ms) && ms >= 0 && ms <= MAX_MS) return ms
  throw invalidOption(
    `${door}.disconnectGraceMs has to be a whole number of milliseconds from 0 to ${MAX_MS}, not ${ms}.`,
  )
}

/** @throws INVALID_OPTION */
export function readTraces({ traces, playground = false }: BuildOptions): boolean {
  if (traces === undefined) return playground !== false
  if (typeof traces !== 'boolean') throw invalidOption('traces has to be true or false.')
  return traces
}

const CARD_FIELDS = optionNames<A2aCard>({
  name: true,
  description: true,
  version: true,
  skills: true,
  documentationUrl: true,
  iconUrl: true,
  provider: true,
})
const A2A_FIELDS = optionNames<{ [field in A2aField]: true }>({
  recipient_agent: true,
  additional_instructions: true,
  user_context: true,
  client_config: true,
  max_turns: true,
  max_cost: true,
})

/** @throws INVALID_OPTION */
export function readA2a(given: BuildOptions['a2a'], agencies: readonly ServedAgency[]): A2aOptions | undefined {
  if (given === undefined || given === false) return undefined
  if (given === true) return {}
  if (typeof given !== 'object' || given === null)
    throw invalidOption('a2a has to be true, false, or an object such as { cards: { support: { description } } }.')
  refuseUnknown('a2a', given, optionNames<A2aOptions>({ cards: true, allow: true, approvals: true }))
  const { cards = {}, allow = [], approvals = true } = given
  if (typeof approvals !== 'boolean') throw invalidOption('a2a.approvals has to be true or false.')
  if (!Array.isArray(allow) || !allow.every((field) => A2A_FIELDS.has(field)))
    throw invalidOption(`a2a.allow is a list of fields that callers may set: ${[...A2A_FIELDS].join(', ')}.`)
  const names = agencies.map(({ path }) => decodeURIComponent(path))
  for (const [name, card] of Object.entries(cards)) {
    if (!names.includes(name))
      throw invalidOption(`a2a.cards has "${name}", which is no agency that is served: ${names.join(', ')}.`)
    refuseUnknown(`a2a.cards["${name}"]`, card, CARD_FIELDS)
    if (card.skills !== undefined && !card.skills.every(isSkill))
      throw invalidOption(`a2a.cards["${name}"].skills are objects with id, name, description and tags.`)
  }
  return given
}

const isSkill = ({ id, name, description, tags }: NonNullable<A2aCard['skills']>[number]) =>
  [id, name, description].every((text) => typeof text === 'string' && text !== '') && Array.isArray(tags)

export async function readMetrics(given: boolean | Metrics | undefined): Promise<Metrics | undefined> {
  if (given === undefined || given === false) return undefined
  if (given === true) return (await import('../telemetry/metrics.ts')).createMetrics()
  if (typeof given.text !== 'function' || typeof given.start !== 'function')
    throw invalidOption("metrics has to be true, or what createMetrics() of 'agency-swarm-js/otel' gives.")
  return given
}
