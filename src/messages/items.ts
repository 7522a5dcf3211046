/** Reads stored messages and Responses items. */
import { asText, isObject, parseInnerJson } from '../wire/json.ts'
import type { ContentPart, InputItem, StoredMessage } from '../wire/message.ts'
import { toResponsesItem, toResponsesPart } from './foreign-items.ts'
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
    return item
  }
  for (const key of Object.keys(message))
    if ((kind.keys.includes(key) || key === 'provider_data') && (message[key] !== null || NULLABLE.has(key)))
      item[key] = message[key]
  if (item.type === 'function_call' && item.id === item.call_id) delete item.id
  if ('arguments' in item && item.type === 'function_call') item.arguments = toText(item.arguments)
  if (item.type === 'function_call_output' || item.type === 'custom_tool_call_output')
    item.output = isParts(item.output) ? item.output.map(toResponsesPart).map(toInputPart) : toText(item.output)
  return item
}

/** Fields that an API requires and that may be null; it refuses null in others. */
const NULLABLE = new Set(['code', 'outputs', 'result', 'results'])

/** A value as text: JSON for objects, an empty text for null and undefined. */
const toText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value)

/** True for a list of content parts; any other list is data, an empty one too. */
const isParts = (output: unknown): output is ContentPart[] =>
  Array.isArray(output) && output.length > 0 && output.every((part) => isObject(part) && PARTS.has(part.type))
const PARTS = new Set<unknown>(['input_text', 'input_image', 'input_file', 'output_text', 'text', 'image_url'])

/** Renames text parts that come from other APIs. */
const toInputPart = (part: ContentPart): ContentPart =>
  part.type === 'text' || part.type === 'output_text' ? { type: 'input_text', text: asText(part.text) } : part

/** A call's arguments as a JSON object; `{}` when the model wrote anything else, which providers would refuse. */
export function argumentsJson({ arguments: args }: InputItem): string {
  const text = toText(args)
  try {
    if (isObject(parseInnerJson(text))) return text
  } catch {} // not JSON: `{}`, as for JSON that is not an object
  return '{}'
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
