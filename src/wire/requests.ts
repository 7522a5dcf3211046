import { z } from 'zod'
import { AgencyError } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { isObject, type JsonObject } from './json.ts'
import type { InputItem, StoredMessage } from './message.ts'
import { detailsFromZod, MAX_DETAILS, shorten, tooLong, type ValidationDetail, valueError } from './validation.ts'

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
const clientConfig = z
  .object({
    base_url: text.describe("Address of an OpenAI-compatible API, instead of the server's own."),
    api_key: text.describe("Key for that API; the server's own key never goes to a base_url from a request."),
    default_headers: z.record(z.string(), z.string()).nullish().describe('Headers of every call to the model.'),
    litellm_keys: z.record(z.string(), z.string()).nullish().describe('Provider name -> key.'),
    model: text.describe('Model of every agent that has no Model object of its own.'),
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
  file_ids: z.array(z.string()).nullish(),
  file_urls: z.record(z.string(), z.string()).nullish(),
  generate_chat_name: z.boolean().nullish(),
  client_config: clientConfig.nullish(),
})
const cancel = z.object({
  run_id: z.string().describe('From the meta event of the stream.'),
  cancel_mode: z
    .enum(['immediate', 'after_turn'])
    .nullish()
    .describe('Stop at once (default), or after the current turn and its tools.'),
})
const logRequest = z.object({ log_id: z.string().describe('The value of the x-agency-log-id header.') })
const item = z.record(z.string(), z.unknown())
/** `message` and `chat_history` as documented; they are checked by hand, with FastAPI's codes and without copies. */
const described = z
  .object({
    message: z.union([z.string(), z.array(item).min(1)]).describe('A text, or Responses input items.'),
    chat_history: z.array(item).nullish().describe('All earlier new_messages, in their order.'),
  })
  .extend(fields.omit({ file_ids: true, file_urls: true, generate_chat_name: true }).shape)

/** JSON Schemas of the request bodies, by the names the original's OpenAPI document gives them. */
export const requestSchemas = (): { [name: string]: JsonObject } =>
  Object.fromEntries(
    Object.entries({ ModifiedRequest: described, CancelRequest: cancel, LogRequest: logRequest }).map(
      ([title, schema]) => {
        const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' })
        return [title, { title, ...json }]
      },
    ),
  )

export type ClientConfig = z.infer<typeof clientConfig>
export type CancelRequest = z.infer<typeof cancel>
export type AgencyRequest = z.infer<typeof fields> & { message: string | InputItem[]; chat_history: StoredMessage[] }

/** The body of get_response and get_response_stream. @throws RequestInvalid */
export function parseAgencyRequest(
  body: unknown,
  agents: readonly string[],
  { historyItems }: Pick<Limits, 'historyItems'>,
): AgencyRequest {
  const object = asObject(body)
  checkCounts(object, historyItems)
  const details = [...checkMessage(object), ...checkHistory(object.chat_history)]
  const parsed = fields.safeParse(object)
  if (!parsed.success) details.push(...detailsFromZod(parsed.error.issues, object, ['body']))
  else details.push(...checkMeaning(parsed.data, agents))
  if (details.length > 0) throw new RequestInvalid(details.map(redactSecrets))
  return {
    ...(parsed.data as z.infer<typeof fields>),
    message: object.message as string | InputItem[],
    chat_history: (object.chat_history ?? []) as StoredMessage[],
  }
}

/** What /get_logs is asked for; `place` is where it stood. @throws RequestInvalid */
export function parseLogRequest(given: unknown, place: string): { log_id: string } {
  const parsed = logRequest.safeParse(asObject(given))
  if (!parsed.success) throw new RequestInvalid(detailsFromZod(parsed.error.issues, given, [place]))
  return parsed.data
}

/** The body of cancel_response_stream. @throws RequestInvalid */
export function parseCancelRequest(body: unknown): CancelRequest {
  const parsed = cancel.safeParse(asObject(body))
  if (!parsed.success) throw new RequestInvalid(detailsFromZod(parsed.error.issues, body, ['body']))
  return parsed.data
}

function asObject(body: unknown): JsonObject {
  if (isObject(body)) return body
  if (body === undefined || body === null)
    throw new RequestInvalid([{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }])
  throw new RequestInvalid([
    {
      type: 'model_attributes_type',
      loc: ['body'],
      msg: 'Input should be a valid dictionary or object to extract fields from',
      input: Array.isArray(body) ? [] : null,
    },
  ])
}

/** Entries of the small lists and maps of a request; what is larger is refused before each entry is looked at. */
const MAX_ENTRIES = 1_000

/** @throws RequestInvalid */
function checkCounts(body: JsonObject, historyItems: number): void {
  const config = isObject(body.client_config) ? body.client_config : {}
  const counts: [loc: string[], value: unknown, most: number][] = [
    [['message'], body.message, historyItems],
    [['chat_history'], body.chat_history, historyItems],
    [['file_ids'], body.file_ids, MAX_ENTRIES],
    [['file_urls'], body.file_urls, MAX_ENTRIES],
    ...['default_headers', 'litellm_keys', 'model_settings_extra_args'].map((name): [string[], unknown, number] => [
      ['client_config', name],
      config[name],
      MAX_ENTRIES,
    ]),
  ]
  const details = counts.flatMap(([loc, value, most]) => {
    const count = Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0
    return count > most ? [tooLong(['body', ...loc], most, count)] : []
  })
  if (details.length > 0) throw new RequestInvalid(details)
}

function checkMessage(body: JsonObject): ValidationDetail[] {
  const { message } = body
  const loc = ['body', 'message']
  if (typeof message === 'string') return []
  if (message === undefined) return [{ type: 'missing', loc, msg: 'Field required', input: body }]
  if (!Array.isArray(message))
    return [
      { type: 'string_type', loc: [...loc, 'str'], msg: 'Input should be a valid string', input: message },
      { type: 'list_type', loc: [...loc, 'list[dict[str,any]]'], msg: 'Input should be a valid list', input: message },
    ]
  if (message.length === 0)
    return [valueError(loc, 'message must contain at least one structured Responses message', message)]
  const wrong = message.findIndex((item) => !isObject(item))
  return wrong === -1 ? [] : [notAnObject([...loc, 'list[dict[str,any]]', wrong], message[wrong])]
}

/** Items are only checked for being objects: 20,000 of them must not hold up other requests. */
function checkHistory(history: unknown): ValidationDetail[] {
  const loc = ['body', 'chat_history']
  if (history === undefined || history === null) return []
  if (!Array.isArray(history)) return [{ type: 'list_type', loc, msg: 'Input should be a valid list', input: history }]
  for (const [index, item] of history.entries()) {
    if (!isObject(item)) return [notAnObject([...loc, index], item)]
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

const notAnObject = (loc: (string | number)[], input: unknown): ValidationDetail => ({
  type: 'dict_type',
  loc,
  msg: 'Input should be a valid dictionary',
  input,
})

function checkMeaning(request: z.infer<typeof fields>, agents: readonly string[]): ValidationDetail[] {
  const details: ValidationDetail[] = []
  const { recipient_agent: recipient, client_config: config } = request
  if (typeof recipient === 'string' && !agents.includes(recipient)) {
    const names = agents.map((name) => `'${name}'`).join(', ')
    details.push(valueError(['body', 'recipient_agent'], `Invalid agent name. Available agents: [${names}]`, recipient))
  }
  const later = (name: string, value: object | null | undefined, loc: string[]) => {
    if (value && Object.keys(value).length > 0)
      details.push(valueError(loc, `${name} is not supported in this version`, value))
  }
  later('file_ids', request.file_ids, ['body', 'file_ids'])
  later('file_urls', request.file_urls, ['body', 'file_urls'])
  later('client_config.litellm_keys', config?.litellm_keys, ['body', 'client_config', 'litellm_keys'])
  if (request.generate_chat_name === true)
    details.push(
      valueError(['body', 'generate_chat_name'], 'generate_chat_name is not supported in this version', true),
    )
  if (typeof config?.base_url === 'string' && !isGatewayUrl(config.base_url))
    details.push(
      valueError(
        ['body', 'client_config', 'base_url'],
        'base_url has to be an http or https address without credentials',
        config.base_url,
      ),
    )
  const badKey = (key: unknown) => typeof key === 'string' && !/^[\x21-\x7e]{0,8192}$/.test(key)
  if (badKey(config?.api_key))
    details.push(valueError(['body', 'client_config', 'api_key'], 'api_key has to be printable ASCII', '[redacted]'))
  for (const [name, key] of Object.entries(config?.litellm_keys ?? {}))
    if (badKey(key))
      details.push(
        valueError(['body', 'client_config', 'litellm_keys', name], 'a key has to be printable ASCII', '[redacted]'),
      )
  for (const [name, value] of Object.entries(config?.default_headers ?? {}))
    if (
      !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ||
      /[^\t\x20-\x7e\x80-\xff]/.test(value) ||
      FORBIDDEN_HEADER.test(name) ||
      name.length + value.length > MAX_HEADER_CHARS
    )
      details.push(
        valueError(['body', 'client_config', 'default_headers', name], 'this header cannot be set', '[redacted]'),
      )
  return details
}

/** Headers that belong to the connection or to the body, which are ours. */
const FORBIDDEN_HEADER =
  /^(host|connection|keep-alive|te|trailer|upgrade|expect|via|proxy-.*|transfer-encoding|accept-encoding|content-.*)$/i
const MAX_HEADER_CHARS = 8_192
const MAX_ADDRESS_CHARS = 2_048

function isGatewayUrl(value: string): boolean {
  const url = URL.parse(value)
  return (
    value.length <= MAX_ADDRESS_CHARS &&
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.hostname !== '' &&
    url.username === '' &&
    url.password === ''
  )
}

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
function redactSecrets(detail: ValidationDetail): ValidationDetail {
  const [, field, inner] = detail.loc
  const open = inner === 'model' || inner === 'base_url'
  const secret = field === 'user_context' || (field === 'client_config' && !open)
  return { ...detail, input: secret ? '[redacted]' : withoutSecrets(detail.input) }
}

function withoutSecrets(input: unknown): unknown {
  if (typeof input === 'string') return input.replace(/^([a-z]*:?\/\/)[^/]*@/i, '$1[redacted]@') // a key in an address
  if (!isObject(input)) return input
  const copy: JsonObject = { ...input }
  for (const key of ['user_context', 'api_key', 'litellm_keys', 'default_headers'])
    if (copy[key] != null) copy[key] = '[redacted]'
  for (const key of ['base_url', 'client_config']) if (copy[key] != null) copy[key] = withoutSecrets(copy[key])
  return copy
}
