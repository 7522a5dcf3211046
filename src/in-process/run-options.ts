/** Message and options of an in-process run, validated by the same schemas as an HTTP request. */
import { Agent } from '../agency/agent.ts'
import type { RunHooks } from '../agency/hooks.ts'
import { type Moved, optionNames, refuseUnknown } from '../base/options.ts'
import { emptyMessage } from '../base/run-errors.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { Prices } from '../models/pricing/prices.ts'
import type { Telemetry } from '../runs/span.ts'
import { CLIENT_CONFIG_FIELDS } from '../wire/client-config.ts'
import { isObject, isPlainObject } from '../wire/json.ts'
import { type ClientConfig, type RequestFields, RequestInvalid, readFields } from '../wire/requests.ts'
import type { ValidationDetail } from '../wire/validation.ts'

/** Options of `getResponse` and `getResponseStream`. All are optional. `To` is the type of `recipientAgent`. */
export interface RunOptions<
  // biome-ignore lint/suspicious/noExplicitAny: options of any run
  Context extends object = any,
  To extends string | Agent = string | Agent,
> {
  /** The agent that answers: any agent of the agency, or its name. @default the first entry agent */
  recipientAgent?: To | undefined
  /** Merged over the agency's `userContext` for this run only. Without it, the run uses the agency's own object. */
  contextOverride?: (Partial<Context> & { [key: string]: unknown }) | undefined
  /** Added to the recipient's instructions for this run. @default none */
  additionalInstructions?: string | undefined
  /** Most model turns of the run, sub-agents included; null for no limit. @default `AGENCY_MAX_TURNS`, or 100 */
  maxTurns?: number | null | undefined
  /** US dollars for all model calls of the run, sub-agents included; null for no limit (docs/usage.md). @default null */
  maxCost?: number | null | undefined
  /** Another address, key or model for this run, in the names of the wire. */
  clientConfig?: ClientConfig | undefined
  /** Model name -> price of its tokens. Overrides the built-in price table. */
  prices?: Prices | undefined
  /** Ask a model to name the conversation after the run. @default false */
  generateChatName?: boolean | undefined
  /** Listeners of this run. */
  hooks?: RunHooks<Context> | undefined
  /** Ids of files stored with the provider, to attach to the message. */
  fileIds?: readonly string[] | undefined
  /** File name -> http(s) address, or local path in one of `allowedLocalFileDirs`. Each file is stored with the provider and attached. */
  fileUrls?: { readonly [name: string]: string } | undefined
  /** Directories whose files `fileUrls` may name. @default [] */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Telemetry listeners of this run: `openTelemetry()` or `createMetrics()` of `agency-swarm-js/otel`, or a list. */
  telemetry?: Telemetry | readonly Telemetry[] | undefined
  /** Whose run it is: MCP servers with `oauth` are used with the logins of this user. @default one user for all runs */
  owner?: string | undefined
  /** Cancels the run at once when it aborts. */
  signal?: AbortSignal | undefined
}

const OPTIONS = optionNames<RunOptions>({
  recipientAgent: true,
  contextOverride: true,
  additionalInstructions: true,
  maxTurns: true,
  maxCost: true,
  clientConfig: true,
  prices: true,
  generateChatName: true,
  hooks: true,
  fileIds: true,
  fileUrls: true,
  allowedLocalFileDirs: true,
  telemetry: true,
  owner: true,
  signal: true,
})

/** Names that the Python original, the Agents SDK and the AI SDK use for an option -> the option here. */
const MOVED: Moved = {
  recipient: 'recipientAgent',
  recipientAgentName: 'recipientAgent',
  agent: 'recipientAgent',
  context: 'contextOverride',
  userContext: 'contextOverride',
  instructions: 'additionalInstructions',
  system: 'additionalInstructions',
  hooksOverride: 'hooks',
  stream: 'the method getResponseStream()',
  model: 'clientConfig: { model }',
  apiKey: 'clientConfig: { api_key }',
  baseUrl: 'clientConfig: { base_url }',
  baseURL: 'clientConfig: { base_url }',
  files: 'fileUrls or fileIds',
  messageFiles: 'fileIds',
  attachments: 'fileUrls or fileIds',
  abortSignal: 'signal',
  maxSteps: 'maxTurns',
  message: 'the first argument',
  messages: 'the first argument, with loadThreads of the agency for earlier messages',
  history: 'loadThreads of the agency',
  chatHistory: 'loadThreads of the agency',
  session: 'loadThreads and saveThreads of the agency',
  runConfig: 'clientConfig, and modelSettings of each agent',
}

const CONFIG: ReadonlySet<string> = new Set(CLIENT_CONFIG_FIELDS)
const CONFIG_MOVED: Moved = {
  apiKey: 'api_key',
  baseUrl: 'base_url',
  baseURL: 'base_url',
  headers: 'default_headers',
  defaultHeaders: 'default_headers',
  litellmKeys: 'litellm_keys',
  modelSettingsExtraArgs: 'model_settings_extra_args',
}

/** Wire name of a field that the request schemas validate -> name of the option. */
const WIRE_NAMES: { readonly [field: string]: string } = {
  additional_instructions: 'additionalInstructions',
  client_config: 'clientConfig',
  file_ids: 'fileIds',
  file_urls: 'fileUrls',
  generate_chat_name: 'generateChatName',
  recipient_agent: 'recipientAgent',
}

/** The validated options as wire fields; `recipient_agent` is the name of the agent. */
export type CheckedOptions = Omit<RequestFields, 'chat_history' | 'user_context'>

/**
 * Validates the message and options of a run.
 * @throws INVALID_OPTION, which names the option; EMPTY_MESSAGE for a blank text
 */
export function checkRun(message: unknown, options: unknown): CheckedOptions {
  checkMessage(message)
  if (!isObject(options) || options instanceof Agent)
    throw invalidOption(
      `The options of a run are an object, not ${describeValue(options)}. To choose the agent: { recipientAgent: agent }.`,
    )
  refuseUnknown('A run', options, OPTIONS, MOVED)
  const runOptions: RunOptions = options
  checkValues(runOptions)
  if (isObject(runOptions.clientConfig))
    refuseUnknown('clientConfig of a run', runOptions.clientConfig, CONFIG, CONFIG_MOVED)
  const { recipientAgent: recipient } = runOptions
  const { fields, details } = readWireFields({
    recipient_agent: recipient instanceof Agent ? recipient.name : recipient,
    additional_instructions: runOptions.additionalInstructions,
    client_config: runOptions.clientConfig,
    generate_chat_name: runOptions.generateChatName,
    file_ids: runOptions.fileIds,
    file_urls: runOptions.fileUrls,
  })
  if (details.length > 0) throw invalidOption(`The options of the run are not valid. ${details.join(' ')}`)
  return fields
}

function checkMessage(message: unknown): void {
  if (typeof message === 'string') {
    if (message.trim() === '') throw emptyMessage()
    return
  }
  if (!Array.isArray(message) || message.length === 0 || !message.every(isObject))
    throw invalidOption(
      `The message of a run is a text, or a list of Responses input items such as [{ role: 'user', content: 'Hi' }], not ${describeValue(message)}.`,
    )
}

function checkValues(options: RunOptions): void {
  const { maxTurns, maxCost, contextOverride, hooks, owner, signal, allowedLocalFileDirs: dirs } = options
  if (maxTurns != null && !(Number.isInteger(maxTurns) && maxTurns >= 1))
    throw invalidOption(
      `maxTurns of a run is a whole number of 1 or more, or null for no limit, not ${describeValue(maxTurns)}.`,
    )
  if (maxCost != null && !(typeof maxCost === 'number' && maxCost > 0 && maxCost < Number.POSITIVE_INFINITY))
    throw invalidOption(
      `maxCost of a run is a number of US dollars above 0, or null for no limit, not ${describeValue(maxCost)}.`,
    )
  if (contextOverride !== undefined && !isPlainObject(contextOverride))
    throw invalidOption(
      `contextOverride of a run is a plain object, not ${describeValue(contextOverride)}. Put an instance under a key: { session }.`,
    )
  if (hooks !== undefined && !isObject(hooks))
    throw invalidOption(`hooks of a run is an object, not ${describeValue(hooks)}.`)
  if (owner !== undefined && (typeof owner !== 'string' || owner === ''))
    throw invalidOption(`owner of a run is a text such as the id of a user, not ${describeValue(owner)}.`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidOption('signal of a run is an AbortSignal: new AbortController().signal or AbortSignal.timeout(ms).')
  if (dirs !== undefined && !(Array.isArray(dirs) && dirs.every((entry) => typeof entry === 'string' && entry !== '')))
    throw invalidOption('allowedLocalFileDirs of a run is a list of directories such as ["/srv/uploads"].')
}

/** Validates fields as the body of an HTTP request is validated; `details` has a sentence for each problem. */
function readWireFields(body: { [field: string]: unknown }): { fields: RequestFields; details: string[] } {
  const agents = typeof body.recipient_agent === 'string' ? [body.recipient_agent] : [] // any name passes here: the agency checks it later
  try {
    const { fields, details } = readFields(body, agents, { historyItems: 0, clientConfig: CLIENT_CONFIG_FIELDS })
    return { fields, details: details.map(toSentence) }
  } catch (error) {
    if (!(error instanceof RequestInvalid)) throw error
    return { fields: {} as RequestFields, details: error.details.map(toSentence) }
  }
}

const toSentence = ({ loc, msg }: ValidationDetail) => `${optionAt(loc)}: ${msg.replace(/^Value error, /, '')}.`

/** `["body", "client_config", "base_url"]` -> `clientConfig.base_url`. */
const optionAt = ([, field, ...rest]: readonly (string | number)[]): string =>
  [WIRE_NAMES[String(field)] ?? field, ...rest].join('.')

/** A value as an error text names it: itself when it is short and cannot be a secret, else its kind. */
function describeValue(value: unknown): string {
  if (value === null || ['undefined', 'number', 'boolean'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'this list'
  if (value instanceof Agent) return 'an Agent'
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'this object' : `a ${typeof value}`
}
