import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart, InputItem } from '../wire/message.ts'

/** Who speaks, by the names of LangChain, Gemini and others. */
const ROLES: ReadonlyMap<unknown, string> = new Map([
  ['human', 'user'],
  ['ai', 'assistant'],
  ['model', 'assistant'],
  ['bot', 'assistant'],
])
/** LangChain writes the role of a message as its type. */
const MESSAGE_TYPES = new Set<unknown>(['human', 'ai', 'system'])

/**
 * An item that another tool wrote, in the words of the Responses API: roles and types of LangChain, fields of the JavaScript Agents SDK
 * (`callId`, `function_call_result`), parts of Chat Completions. Other items are given back as they are.
 */
export function toResponsesItem(item: InputItem): InputItem {
  const { type, role, content, callId } = item
  const changes: JsonObject = {}
  if (role === undefined && content !== undefined && MESSAGE_TYPES.has(type))
    Object.assign(changes, { type: 'message', role: ROLES.get(type) ?? type })
  else if (ROLES.has(role)) changes.role = ROLES.get(role)
  if (typeof callId === 'string') {
    if (item.call_id === undefined) changes.call_id = callId
    if (type === 'function_call_result')
      Object.assign(changes, { type: 'function_call_output', output: outputOf(item.output) })
  }
  if (Array.isArray(content) && type !== 'reasoning') {
    const parts = content.map(toResponsesPart)
    if (parts.some((part, index) => part !== content[index])) changes.content = parts
  }
  return Object.keys(changes).length === 0 ? item : { ...item, ...changes }
}

/** The Agents SDK wraps an output in a part, or a list of parts. */
function outputOf(output: unknown): unknown {
  if (isObject(output) && output.type === 'text') return output.text
  return isObject(output) ? [output] : output
}

/** Fields that client libraries add to parts; the API refuses them. */
const CLIENT_FIELDS = new Set(['parsed'])

/** A part of a message or an output. The API refuses null where a field may be left out. */
export function toResponsesPart(part: unknown): ContentPart {
  if (typeof part === 'string') return { type: 'text', text: part }
  if (!isObject(part)) return part as ContentPart
  const { type, image_url, image, file } = part
  if (type === 'image_url') {
    const { url, detail } = isObject(image_url) ? image_url : { url: image_url }
    return { type: 'input_image', image_url: url, ...(typeof detail === 'string' ? { detail } : {}) }
  }
  if (type === 'file' && isObject(file)) return withoutNulls({ type: 'input_file', ...file })
  if (type === 'input_image' && image !== undefined) {
    const { image: _, ...rest } = part
    return withoutNulls({ ...rest, ...(isObject(image) ? { file_id: image.id } : { image_url: image }) })
  }
  const isClean = Object.entries(part).every(([key, value]) => value !== null && !CLIENT_FIELDS.has(key))
  return isClean ? (part as ContentPart) : withoutNulls(part)
}

const withoutNulls = (part: JsonObject): ContentPart =>
  Object.fromEntries(
    Object.entries(part).filter(([key, value]) => value != null && !CLIENT_FIELDS.has(key)),
  ) as ContentPart
