/** Checks of the long fields of a request, written by hand with FastAPI's codes: they copy nothing and stop early. */
import { isObject, type JsonObject } from './json.ts'
import { MAX_DETAILS, missing, RequestInvalid, tooLong, type ValidationDetail, valueError } from './validation.ts'

/** The order in which the original lists wrong fields. */
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
const position = ({ loc }: ValidationDetail) => ORDER.indexOf(String(loc[1]))
export const compareDetails = (a: ValidationDetail, b: ValidationDetail): number => position(a) - position(b)

export function checkRecipient(recipient: unknown, agents: readonly string[]): ValidationDetail[] {
  if (typeof recipient !== 'string' || agents.includes(recipient)) return []
  const names = agents.map((name) => `'${name}'`).join(', ')
  return [valueError(['body', 'recipient_agent'], `Invalid agent name. Available agents: [${names}]`, recipient)]
}

/** Most entries of the small lists and maps of a request. A larger one is refused before its entries are read. */
const MAX_ENTRIES = 1_000

/** Most entries of `default_headers`: each may be long, and each is sent with every model call. */
const MAX_HEADERS = 100

/** @throws RequestInvalid */
export function checkCounts(body: JsonObject, historyItems: number): void {
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

export function checkMessage(body: JsonObject): ValidationDetail[] {
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

/** Checks only that items are objects, because 20,000 of them must not block other requests. */
export function checkHistory(history: unknown): ValidationDetail[] {
  const loc = ['body', 'chat_history']
  if (history === undefined || history === null) return []
  if (!Array.isArray(history)) return [{ type: 'list_type', loc, msg: 'Input should be a valid list', input: history }]
  const wrong: ValidationDetail[] = []
  for (const [index, item] of history.entries())
    if (!isObject(item) && wrong.length < MAX_DETAILS) wrong.push(notAnObject([...loc, index], item))
  return wrong
}

export function checkFiles({ file_ids: ids, file_urls: urls }: JsonObject): ValidationDetail[] {
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
