import { z } from 'zod'
import { AgencyError } from '../base/errors.ts'
import { API_KEY, type ClientConfigField, checkAllowed, checkClientConfig } from './client-config.ts'
import { isObject, type JsonObject } from './json.ts'
import type { InputItem, StoredMessage } from './message.ts'
import { PROVIDER_NAMES } from './provider-names.ts'
import {
  detailsFromZod,
  listed,
  MAX_DETAILS,
  missing,
  noObject,
  shorten,
  tooLong,
  type ValidationDetail,
  valueError,
} from './validation.ts'

/** A request that cannot be understood; answered with 422 and FastAPI's body. */
export class RequestInvalid extends AgencyError {
  readonly details: readonly ValidationDetail[]
  constructor(details: readonly ValidationDetail[]) {
    const some = details.slice(0, MAX_DETAILS).map(shorten)
    super('INVALID_REQUEST', 422, some.map((detail) => detail.msg).join(' '))
    this.details = some
  }
}

const text = z.string().nullish()
/** The longest name that a caller may give: it is repeated in every call, event and log line. */
const MAX_NAME_CHARS = 512
/** A name that a caller chose, such as that of a model. */
export const requiredName = z.string().max(MAX_NAME_CHARS)
const name = requiredName.nullish()
const providerNames = new Set(PROVIDER_NAMES)
const providerName = z
  .string()
  .refine((name) => providerNames.has(name), { error: listed(PROVIDER_NAMES) })
  .meta({ enum: PROVIDER_NAMES })
const BOOLEANS = new Map<unknown, boolean>([
  ...[1, '1', 'on', 't', 'true', 'y', 'yes'].map((word) => [word, true] as const),
  ...[0, '0', 'off', 'f', 'false', 'n', 'no'].map((word) => [word, false] as const),
])
/** Clients of the original may send words and numbers for booleans. */
export const flag = z.preprocess(
  (value) => BOOLEANS.get(typeof value === 'string' ? value.toLowerCase() : value) ?? value,
  z.boolean().nullish(),
)
const clientConfig = z
  .object({
    base_url: text.meta({
      description: "Address of an OpenAI-compatible API, instead of the server's own.",
      format: 'uri',
    }),
    api_key: text.meta({
      description: "Key for that API; the server's own key never goes to a base_url from a request.",
      pattern: API_KEY.source,
    }),
    default_headers: z.record(z.string(), z.string()).nullish().describe('Headers of every call to the model.'),
    litellm_keys: z
      .record(providerName, z.string())
      .nullish()
      .describe('Provider -> key, for models that are named with their provider: anthropic/..., litellm/anthropic/...'),
    model: name.describe('Model of every agent that has no model object of its own.'),
    model_settings_extra_args: z
      .record(z.string(), z.unknown())
      .nullish()
      .describe('Added to every call to the model.'),
  })
  .meta({ id: 'ClientConfig', description: 'How this one request reaches its model.' })
const fields = z.object({
  recipient_agent: text.describe('The agent to address. Default: the entry agent, or who had the conversation last.'),
  additional_instructions: text.describe('Added to the instructions for this request only.'),
  user_context: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe("Merged over the agency's context. Tools see it, the model does not."),
  generate_chat_name: flag.describe('Ask a model for a name of the conversation afterwards.'),
  client_config: clientConfig.nullish(),
})
const cancel = z
  .object({
    run_id: z.string().describe('From the meta event of the stream.'),
    cancel_mode: z
      .enum(['immediate', 'after_turn'])
      .nullish()
      .describe('Stop at once (default), or after the current turn and its tools.'),
  })
  .meta({ id: 'CancelRequest' })
/** An empty id is answered with 400, not 422, as in the original: its bound is documented, not checked here. */
const logId = z.string().meta({ description: 'The value of the x-agency-log-id header.', minLength: 1 })
const logRequest = z.object({ log_id: logId }).meta({ id: 'LogRequest' })
const item = z.record(z.string(), z.unknown())
/** What can be long, as documented; it is checked by hand, with FastAPI's codes and without copies. */
export const agencyRequestSchema = z
  .object({
    message: z.union([z.string(), z.array(item).min(1)]).describe('A text, or Responses input items.'),
    chat_history: z.array(item).nullish().describe('All earlier new_messages, in their order.'),
    file_ids: z
      .array(z.string())
      .nullish()
      .describe('Ids of files that the provider has. They are attached to the message.'),
    file_urls: z
      .record(z.string(), z.string())
      .nullish()
      .describe(
        'File name -> http(s) address or path on the server. Each is fetched, stored and attached to the message.',
      ),
  })
  .extend(fields.shape)
  .meta({ id: 'ModifiedRequest' })

/** The request bodies; their ids are the names that the original's OpenAPI document gives them. */
export const requestSchemas: readonly z.ZodType[] = [agencyRequestSchema, cancel, logRequest]

export type ClientConfig = z.infer<typeof clientConfig>
/** What the server takes of a request. */
export interface RequestRules {
  historyItems: number
  /** Fields of `client_config` that callers may set. */
  clientConfig: readonly ClientConfigField[]
}
export type CancelRequest = z.infer<typeof cancel>
/** What a caller writes; an `AgencyRequest` is what became of it. */
export type AgencyRequestBody = z.infer<typeof agencyRequestSchema>
/** What a request may carry beside its message, in every protocol. */
export type RequestFields = z.infer<typeof fields> & {
  chat_history: StoredMessage[]
  file_ids: string[] | null | undefined
  file_urls: { [name: string]: string } | null | undefined
}
export type AgencyRequest = RequestFields & { message: string | InputItem[] }

/** The body of get_response and get_response_stream. @throws RequestInvalid */
export function parseAgencyRequest(body: unknown, agents: readonly string[], rules: RequestRules): AgencyRequest {
  const object = asObject(body)
  const read = readFields(object, agents, rules)
  const details = [...checkMessage(object), ...read.details]
  if (details.length > 0) throw new RequestInvalid(details.map(redactSecrets))
  return { ...read.fields, message: object.message as string | InputItem[] }
}

/**
 * The fields beside the message, and what is wrong with them; `fields` counts only when nothing is.
 * @throws RequestInvalid for more than is looked at
 */
export function readFields(
  object: JsonObject,
  agents: readonly string[],
  { historyItems, clientConfig: allowed }: RequestRules,
): { fields: RequestFields; details: ValidationDetail[] } {
  checkCounts(object, historyItems)
  const parsed = fields.safeParse(object)
  const details = [
    ...checkHistory(object.chat_history),
    ...checkRecipient(object.recipient_agent, agents),
    ...checkFiles(object),
    ...checkAllowed(object.client_config, allowed),
    ...(parsed.success
      ? checkClientConfig(parsed.data.client_config)
      : detailsFromZod(parsed.error.issues, object, ['body'])),
  ].sort((a, b) => orderOf(a) - orderOf(b))
  return {
    fields: {
      ...(parsed.data as z.infer<typeof fields>),
      chat_history: (object.chat_history ?? []) as StoredMessage[],
      file_ids: object.file_ids as RequestFields['file_ids'],
      file_urls: object.file_urls as RequestFields['file_urls'],
    },
    details,
  }
}

/** As the original tells of wrong fields: in the order of its model. */
const ORDER = [
  'chat_history',
  'recipient_agent',
  'file_ids',
  'file_urls',
  'additional_instructions',
  'user_context',
  'generate_chat_name',
  'client_config',
]
const orderOf = ({ loc }: ValidationDetail) => ORDER.indexOf(String(loc[1]))

function checkRecipient(recipient: unknown, agents: readonly string[]): ValidationDetail[] {
  if (typeof recipient !== 'string' || agents.includes(recipient)) return []
  const names = agents.map((name) => `'${name}'`).join(', ')
  return [valueError(['body', 'recipient_agent'], `Invalid agent name. Available agents: [${names}]`, recipient)]
}

/** What /get_logs is asked for; `place` is where it stood. @throws RequestInvalid */
export function parseLogRequest(given: unknown, place: string): { log_id: string } {
  const parsed = logRequest.safeParse(asObject(given))
  if (!parsed.success) throw new RequestInvalid(detailsFromZod(parsed.error.issues, given, [place]).map(redactSecrets))
  return parsed.data
}

/** The body of cancel_response_stream. @throws RequestInvalid */
export function parseCancelRequest(body: unknown): CancelRequest {
  const parsed = cancel.safeParse(asObject(body))
  if (!parsed.success) throw new RequestInvalid(detailsFromZod(parsed.error.issues, body, ['body']).map(redactSecrets))
  return parsed.data
}

/** A body as an object. @throws RequestInvalid */
export function asObject(body: unknown): JsonObject {
  if (isObject(body)) return body
  if (body === undefined) throw new RequestInvalid([missing(['body'], null)])
  throw new RequestInvalid([noObject(['body'], Array.isArray(body) ? body.map(withoutSecrets) : body)])
}

/** Entries of the small lists and maps of a request; what is larger is refused before each entry is looked at. */
const MAX_ENTRIES = 1_000

/** Headers of a request's own: each may be long, and each is sent with every call. */
const MAX_HEADERS = 100

/** @throws RequestInvalid */
function checkCounts(body: JsonObject, historyItems: number): void {
  const config = isObject(body.client_config) ? body.client_config : {}
  const counts: [loc: string[], value: unknown, most: number][] = [
    [['message'], body.message, historyItems],
    [['chat_history'], body.chat_history, historyItems],
    [['file_ids'], body.file_ids, MAX_ENTRIES],
    [['file_urls'], body.file_urls, MAX_ENTRIES],
    [['client_config', 'default_headers'], config.default_headers, MAX_HEADERS],
    ...['litellm_keys', 'model_settings_extra_args'].map((name): [string[], unknown, number] => [
      ['client_config', name],
      config[name],
      MAX_ENTRIES,
    ]),
  ]
  for (const [loc, value, most] of counts) checkCount(value, loc, most)
}

/** @throws RequestInvalid for a list or map with more than `most` entries */
export function checkCount(value: unknown, loc: readonly string[], most: number): void {
  const count = Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0
  if (count > most) throw new RequestInvalid([tooLong(['body', ...loc], most, count)])
}

function checkMessage(body: JsonObject): ValidationDetail[] {
  const { message } = body
  const loc = ['body', 'message']
  if (typeof message === 'string') return []
  if (message === undefined) return [missing(loc, body)]
  if (!Array.isArray(message))
    return [
      { type: 'string_type', loc: [...loc, 'str'], msg: 'Input should be a valid string', input: message },
      { type: 'list_type', loc: [...loc, 'list[dict[str,any]]'], msg: 'Input should be a valid list', input: message },
    ]
  if (message.length === 0)
    return [valueError(loc, 'message must contain at least one structured Responses message', message)]
  const wrong = message.flatMap((item, index) =>
    isObject(item) ? [] : [notAnObject([...loc, 'list[dict[str,any]]', index], item)],
  )
  if (wrong.length === 0) return []
  return [
    { type: 'string_type', loc: [...loc, 'str'], msg: 'Input should be a valid string', input: message },
    ...wrong.slice(0, MAX_DETAILS),
  ]
}

/** Items are only checked for being objects: 20,000 of them must not hold up other requests. */
function checkHistory(history: unknown): ValidationDetail[] {
  const loc = ['body', 'chat_history']
  if (history === undefined || history === null) return []
  if (!Array.isArray(history)) return [{ type: 'list_type', loc, msg: 'Input should be a valid list', input: history }]
  const wrong: ValidationDetail[] = []
  for (const [index, item] of history.entries())
    if (!isObject(item) && wrong.length < MAX_DETAILS) wrong.push(notAnObject([...loc, index], item))
  if (wrong.length > 0) return wrong
  for (const [index, item] of history.entries()) {
    if (item.role === 'tool' || 'tool_calls' in item || 'tool_call_id' in item)
      return [
        valueError(
          [...loc, index],
          'this item has the shape of Chat Completions; the history has to hold Responses items. Start a new chat.',
          item,
        ),
      ]
  }
  return []
}

function checkFiles({ file_ids: ids, file_urls: urls }: JsonObject): ValidationDetail[] {
  const details: ValidationDetail[] = []
  const check = (loc: (string | number)[], input: unknown, right: boolean, type: string, noun: string) => {
    if (!right) details.push({ type, loc: ['body', ...loc], msg: `Input should be a valid ${noun}`, input })
    return right
  }
  if (ids != null && check(['file_ids'], ids, Array.isArray(ids), 'list_type', 'list')) {
    for (const [index, id] of (ids as unknown[]).entries())
      check(['file_ids', index], id, typeof id === 'string', 'string_type', 'string')
  }
  if (urls != null && check(['file_urls'], urls, isObject(urls), 'dict_type', 'dictionary')) {
    for (const [name, url] of Object.entries(urls as JsonObject))
      check(['file_urls', name], url, typeof url === 'string', 'string_type', 'string')
  }
  return details
}

const notAnObject = (loc: (string | number)[], input: unknown): ValidationDetail => ({
  type: 'dict_type',
  loc,
  msg: 'Input should be a valid dictionary',
  input,
})

/** Values of headers that name no secret are masked from this length on: shorter ones are words. */
const MIN_HEADER_CHARS = 8

/** What a request brings that no answer and no log may show. */
export function secretsOf(config: ClientConfig | null | undefined): string[] {
  const { api_key, litellm_keys, default_headers } = config ?? {}
  const headers = Object.entries(default_headers ?? {}).flatMap(([name, value]) =>
    value.length >= MIN_HEADER_CHARS || /auth|key|token|secret|cookie/i.test(name) ? [value] : [],
  )
  const bare = headers.map((value) => value.replace(/^(bearer|basic) +/i, ''))
  return [...(api_key ? [api_key] : []), ...Object.values(litellm_keys ?? {}), ...headers, ...bare]
}

/** Secrets of a request are not echoed in its 422 (docs/wire.md, "Errors"). */
export function redactSecrets(given: ValidationDetail): ValidationDetail {
  const detail = shorten(given)
  const [, field, inner] = detail.loc
  if (detail.loc.at(-1) === '[key]') return detail // a name, which stands in the location too
  if (inner === 'base_url' && field === 'client_config') return { ...detail, input: shownAddress(detail.input) }
  const secret = field === 'user_context' || (field === 'client_config' && inner !== 'model')
  return { ...detail, input: secret ? MASK : withoutSecrets(detail.input) }
}

const MASK = '[redacted]'
const SECRET_NAMES = /^user_?context$|(keys?|token|secret|password|authorization|headers?|cookies?)$/i
const CONFIG_NAMES = /^client_?config$/i

/** A copy in which nothing stands any more that a name says is secret, at any depth. */
function withoutSecrets(input: unknown): unknown {
  if (Array.isArray(input)) return input.map(withoutSecrets)
  if (!isObject(input)) return input
  return Object.fromEntries(
    Object.entries(input).map(([name, value]) => {
      if (value == null) return [name, value]
      if (SECRET_NAMES.test(name)) return [name, MASK]
      return [name, CONFIG_NAMES.test(name) ? shownConfig(value) : withoutSecrets(value)]
    }),
  )
}

/** Of a `client_config` the model is shown, and an address that holds nothing but an address. */
function shownConfig(config: unknown): unknown {
  if (!isObject(config)) return MASK
  const shown = (name: string, value: unknown) =>
    name === 'model' ? value : name === 'base_url' ? shownAddress(value) : MASK
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, value == null ? value : shown(name, value)]),
  )
}

const shownAddress = (value: unknown): unknown => (typeof value === 'string' && /[@?#\\\s]/.test(value) ? MASK : value)
