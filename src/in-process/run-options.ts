/** What a run in this process is asked: its message and options, checked as an HTTP request's are. */
import { Agent } from '../agency/agent.ts'
import type { RunHooks } from '../agency/hooks.ts'
import { emptyMessage, invalidOption } from '../errors.ts'
import type { Prices } from '../models/prices.ts'
import { type Moved, refuseUnknown } from '../options.ts'
import type { Telemetry } from '../runs/span.ts'
import { CLIENT_CONFIG_FIELDS } from '../wire/client-config.ts'
import { isObject } from '../wire/json.ts'
import { type ClientConfig, type RequestFields, RequestInvalid, readFields } from '../wire/requests.ts'
import type { ValidationDetail } from '../wire/validation.ts'

/** Options of `getResponse` and `getResponseStream`; all may be left out. `To` is the type of `recipientAgent`. */
export interface RunOptions<
  // biome-ignore lint/suspicious/noExplicitAny: options of any run
  Context extends object = any,
  To extends string | Agent = string | Agent,
> {
  /** Any agent of the agency, or its name. Default: the first entry point. */
  recipientAgent?: To
  /** Merged over the agency's `userContext` for this run; without it the run shares the agency's own object. */
  contextOverride?: Partial<Context> & { [key: string]: unknown }
  /** Added to the recipient's instructions for this run. */
  additionalInstructions?: string
  /** Model turns over the whole tree of agents; null lifts the limit. Default: `AGENCY_MAX_TURNS`, else 100. */
  maxTurns?: number | null
  /** Another address, key or model for this run, in the wire's names. */
  clientConfig?: ClientConfig
  /** Model name -> what its tokens cost, beside the shipped price table and before it. */
  prices?: Prices
  /** Ask a model for a name of the conversation afterwards. @default false */
  generateChatName?: boolean
  /** Listeners of this run. */
  hooks?: RunHooks<Context>
  /** Ids of files that the provider has, attached to the message. */
  fileIds?: readonly string[]
  /** File name -> http(s) address, or local path in one of `allowedLocalFileDirs`: fetched, stored with the provider and attached. */
  fileUrls?: { readonly [name: string]: string }
  /** Directories whose files `fileUrls` may name. Default none. */
  allowedLocalFileDirs?: readonly string[]
  /** Telemetry listeners of this run: what `openTelemetry()` or `createMetrics()` of `agency-swarm-js/otel` gives, or several. */
  telemetry?: Telemetry | readonly Telemetry[]
  /** Aborting it cancels the run at once. */
  signal?: AbortSignal
}

const OPTIONS = new Set<string>([
  'recipientAgent',
  'contextOverride',
  'additionalInstructions',
  'maxTurns',
  'clientConfig',
  'prices',
  'generateChatName',
  'hooks',
  'fileIds',
  'fileUrls',
  'allowedLocalFileDirs',
  'telemetry',
  'signal',
] satisfies (keyof RunOptions)[])

/** Options of a run in the Python original, the Agents SDK and the AI SDK, and what to write here. */
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
  messages: 'the first argument, with loadThreads of the agency for what was said before',
  history: 'loadThreads of the agency',
  chatHistory: 'loadThreads of the agency',
  session: 'loadThreads and saveThreads of the agency',
  runConfig: 'clientConfig, and modelSettings of each agent',
}

const CONFIG = new Set<string>([
  'base_url',
  'api_key',
  'default_headers',
  'litellm_keys',
  'model',
  'model_settings_extra_args',
] satisfies (keyof ClientConfig)[])
const CONFIG_MOVED: Moved = {
  apiKey: 'api_key',
  baseUrl: 'base_url',
  baseURL: 'base_url',
  headers: 'default_headers',
  defaultHeaders: 'default_headers',
  litellmKeys: 'litellm_keys',
  modelSettingsExtraArgs: 'model_settings_extra_args',
}

/** The wire's names of what is checked by its schemas -> the option's name. */
const WIRE_NAMES: { readonly [field: string]: string } = {
  additional_instructions: 'additionalInstructions',
  client_config: 'clientConfig',
  file_ids: 'fileIds',
  file_urls: 'fileUrls',
  generate_chat_name: 'generateChatName',
  recipient_agent: 'recipientAgent',
}

/** The options of a run as the wire's fields; `recipient_agent` is the name of the agent. */
export type CheckedOptions = Pick<
  RequestFields,
  'recipient_agent' | 'additional_instructions' | 'client_config' | 'generate_chat_name'
>

/**
 * Checks the message and options of a run.
 * @throws INVALID_OPTION, naming the option; EMPTY_MESSAGE for a blank text
 */
export function checkRun(message: unknown, options: unknown): CheckedOptions {
  checkMessage(message)
  if (!isObject(options) || options instanceof Agent)
    throw invalidOption(
      `The options of a run are an object, not ${kindOf(options)}. To choose the agent: { recipientAgent: agent }.`,
    )
  refuseUnknown('A run', options, OPTIONS, MOVED)
  const given: RunOptions = options
  checkValues(given)
  if (isObject(given.clientConfig)) refuseUnknown('clientConfig of a run', given.clientConfig, CONFIG, CONFIG_MOVED)
  const { recipientAgent: recipient } = given
  const { fields, details } = readWireFields({
    recipient_agent: recipient instanceof Agent ? recipient.name : recipient,
    additional_instructions: given.additionalInstructions,
    client_config: given.clientConfig,
    generate_chat_name: given.generateChatName,
    file_ids: given.fileIds,
    file_urls: given.fileUrls,
  })
  if (details.length > 0) throw invalidOption(`A run has options that do not fit. ${details.join(' ')}`)
  return fields
}

function checkMessage(message: unknown): void {
  if (typeof message === 'string') {
    if (message.trim() === '') throw emptyMessage()
    return
  }
  if (!Array.isArray(message) || message.length === 0 || !message.every(isObject))
    throw invalidOption(
      `The message of a run is a text, or a list of Responses input items such as [{ role: 'user', content: 'Hi' }], not ${kindOf(message)}.`,
    )
}

function checkValues({ maxTurns, contextOverride, hooks, signal, allowedLocalFileDirs: dirs }: RunOptions): void {
  if (maxTurns != null && !(Number.isInteger(maxTurns) && maxTurns >= 1))
    throw invalidOption(
      `maxTurns of a run is a whole number of 1 or more, or null for no limit, not ${kindOf(maxTurns)}.`,
    )
  for (const [name, value] of Object.entries({ contextOverride, hooks }))
    if (value !== undefined && !isObject(value))
      throw invalidOption(`${name} of a run is an object, not ${kindOf(value)}.`)
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw invalidOption('signal of a run is an AbortSignal: new AbortController().signal or AbortSignal.timeout(ms).')
  if (dirs !== undefined && !(Array.isArray(dirs) && dirs.every((entry) => typeof entry === 'string' && entry !== '')))
    throw invalidOption('allowedLocalFileDirs of a run is a list of directories such as ["/srv/uploads"].')
}

/** As the body of an HTTP request is read, with the sentences about what does not fit. */
function readWireFields(body: { [field: string]: unknown }): { fields: RequestFields; details: string[] } {
  const agents = typeof body.recipient_agent === 'string' ? [body.recipient_agent] : [] // the agency knows its agents
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

/** How an error names a value: the value where it is short and harmless, else its kind. */
function kindOf(value: unknown): string {
  if (value === null || ['undefined', 'number', 'boolean'].includes(typeof value)) return String(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'such a list'
  if (value instanceof Agent) return 'an Agent'
  return typeof value === 'string' ? 'a text' : typeof value === 'object' ? 'such an object' : `a ${typeof value}`
}
