/** Reads stored messages and Responses items. */
import { asText, isObject, type JsonObject, parseInnerJson } from '../wire/json.ts'
import type { ContentPart, InputItem, StoredMessage } from '../wire/message.ts'
import { toResponsesItem } from './foreign-items.ts'
import { createMessageSplitter } from './foreign-messages.ts'
import { isPart, toResponsesPart } from './foreign-parts.ts'
import { kindOf } from './item-kinds.ts'

/** The keys of a stored message that are not part of its Responses item; they are never sent to a model (docs/wire.md, "Messages"). */
const METADATA = new Set([
  'agent',
  'callerAgent',
  'timestamp',
  'citations',
  'agent_run_id',
  'parent_run_id',
  'message_origin',
  'run_trace_id',
  'history_protocol',
  'previous_response_id',
  'conversation_id',
  'response_id',
])

/**
 * Converts a stored message to the item sent to a model. An item of a known kind keeps the fields that the API accepts and
 * `provider_data`, which its provider wants back; an item of another kind keeps everything but the metadata. Values that the
 * API would refuse are corrected.
 */
export function toModelItem(stored: InputItem): InputItem {
  const message = toResponsesItem(stored)
  const kind = kindOf(message)
  const item: InputItem = {}
  if (kind === undefined) {
    for (const key of Object.keys(message)) if (!METADATA.has(key)) item[key] = message[key]
    return toWellFormed(item)
  }
  for (const key of Object.keys(message))
    if ((kind.keys.includes(key) || key === 'provider_data') && (message[key] !== null || NULLABLE.has(key)))
      item[key] = toWellFormed(message[key])
  if (item.type === 'function_call' && item.id === item.call_id) delete item.id
  if ('arguments' in item && item.type === 'function_call') item.arguments = toText(item.arguments)
  if (item.type === 'function_call_output' || item.type === 'custom_tool_call_output')
    item.output = toOutput(item.output)
  return item
}

/**
 * Creates a reader for the history of one conversation, in order: converts each stored message to the items sent to a model. Most
 * are one item; messages of other APIs may hold several.
 */
export function createHistoryReader(): (stored: InputItem) => InputItem[] {
  const split = createMessageSplitter()
  return (stored) => split(stored)?.map(toModelItem) ?? [toModelItem(stored)]
}

/**
 * The value with U+FFFD in place of each half of a surrogate pair; the same value when it has none. JSON writes such a half as an
 * escape (RFC 8259, section 8.2), and providers refuse the whole request for it. Keys keep theirs.
 */
export function toWellFormed<T>(value: T): T {
  if (typeof value === 'string') return (value.isWellFormed() ? value : value.toWellFormed()) as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const parts = value.map(toWellFormed)
    return parts.some((part, index) => part !== value[index]) ? (parts as T) : value
  }
  let copy: JsonObject | undefined
  for (const key of Object.keys(value)) {
    const part = (value as JsonObject)[key]
    const sound = toWellFormed(part)
    if (sound === part) continue
    copy ??= { ...(value as JsonObject) }
    copy[key] = sound
  }
  return (copy ?? value) as T
}

/** Fields that an API requires and that may be null; it refuses null in others. */
const NULLABLE = new Set(['code', 'outputs', 'result', 'results'])

/** A value as text: JSON for objects, an empty text for null and undefined. */
export const toText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)

/** The output of a call: content parts as the API has them; anything else, an empty list too, is data and becomes its JSON. */
export function toOutput(output: unknown): string | ContentPart[] {
  const parts = isObject(output) ? [output] : output
  const isContent = Array.isArray(parts) && parts.length > 0 && parts.every(isPart)
  return isContent ? parts.map(toResponsesPart).map(toInputPart) : toText(output)
}

/** Renames text parts that come from other APIs. */
export const toInputPart = (part: ContentPart): ContentPart =>
  part.type === 'text' || part.type === 'output_text' ? { type: 'input_text', text: asText(part.text) } : part

/** A call's arguments as a JSON object; `{}` when the model wrote anything else, which providers would refuse. */
export function argumentsJson({ arguments: args }: InputItem): string {
  const text = toText(args)
  try {
    const value = parseInnerJson(text)
    if (isObject(value)) return text.includes('\\u') ? keepWellFormed(text, value) : text
  } catch {} // not JSON: `{}`, as for JSON that is not an object
  return '{}'
}

/** The text itself unless it escapes half of a surrogate pair. */
function keepWellFormed(text: string, value: JsonObject): string {
  const sound = toWellFormed(value)
  return sound === value ? text : JSON.stringify(sound)
}

/** True for `{}`, whatever blanks are in it. */
export const isEmptyObject = (json: string): boolean => /^\s*\{\s*\}\s*$/.test(json)

/** Arguments without the `{}` that some gateways put in front of the real ones. */
export const withoutEmptyStart = (json: string): string => json.replace(/^\s*\{\s*\}(?=\s*\{\s*")/, '')

/** The text of an assistant message item; empty for anything else. */
export function messageText(item: InputItem): string {
  if (typeof item.content === 'string') return item.content
  if (!Array.isArray(item.content)) return ''
  return item.content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('')
}

/** The text of a message's content, including refusals. */
export function saidIn(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content.map((part) => (isObject(part) ? asText(part.text ?? part.refusal) : '')).join('')
}

/** The model's explanation when it refused to answer; undefined when it did not refuse. */
export function refusalOf({ content }: InputItem): string | undefined {
  const part = Array.isArray(content) ? content.find((one) => isObject(one) && one.type === 'refusal') : undefined
  if (!isObject(part)) return undefined
  return typeof part.refusal === 'string' ? part.refusal : ''
}

/** The newest trace id in a history, so that all turns of a conversation share one trace. */
export function latestTraceId(history: readonly StoredMessage[]): string | undefined {
  for (let index = history.length - 1; index >= 0; index--) {
    const trace = history[index]?.run_trace_id
    if (typeof trace === 'string' && /^trace_[0-9a-f]{32}$/.test(trace)) return trace
  }
  return undefined
}

/** `data:image/png;charset=x;base64,AAAA` -> its type and data (RFC 2397); undefined for any other address. */
export function readDataUrl(url: string): { mediaType: string; data: string } | undefined {
  if (!url.startsWith('data:')) return undefined
  const comma = url.indexOf(',')
  const [mediaType = '', ...parameters] = url.slice('data:'.length, Math.max(comma, 0)).split(';')
  if (mediaType === '' || parameters.at(-1) !== 'base64') return undefined
  return { mediaType, data: url.slice(comma + 1) }
}
