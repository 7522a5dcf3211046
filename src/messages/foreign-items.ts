/** Converts items that other tools wrote to those of the Responses API. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { MESSAGE_TYPES, ROLES } from './foreign-messages.ts'
import { isPart, toMessagePart, toResponsesPart } from './foreign-parts.ts'

/**
 * An item in the form of the Responses API: converts the roles and types of LangChain, the fields of the JavaScript Agents SDK
 * (`callId`, `function_call_result`), parts of other APIs, a part without a message, and a message without a role, which is the
 * user's. Returns other items unchanged.
 */
export function toResponsesItem(item: InputItem): InputItem {
  const { type, role, callId } = item
  if (role === undefined && item.content === undefined && isPart(item))
    return { type: 'message', role: type === 'output_text' ? 'assistant' : 'user', content: [toResponsesPart(item)] }
  const changes: JsonObject = {}
  if (role === undefined && item.content !== undefined && (type === undefined || type === 'message'))
    changes.role = 'user'
  if (role === undefined && item.content !== undefined && MESSAGE_TYPES.has(type))
    Object.assign(changes, { type: 'message', role: ROLES.get(type) ?? type })
  else if (ROLES.has(role)) changes.role = ROLES.get(role)
  if (typeof callId === 'string') {
    if (item.call_id === undefined) changes.call_id = callId
    if (type === 'function_call_result')
      Object.assign(changes, { type: 'function_call_output', output: outputOf(item.output) })
  }
  const content = type === 'reasoning' ? undefined : contentOf(item.content, changes.role ?? role)
  if (content !== item.content && content !== undefined) changes.content = content
  return Object.keys(changes).length === 0 ? item : { ...item, ...changes }
}

/** The content as a text or a list of parts; the same value when it is one already. */
function contentOf(content: unknown, role: unknown): unknown {
  if (Array.isArray(content)) {
    const parts = content.map((part) => toMessagePart(part, role))
    return parts.some((part, index) => part !== content[index]) ? parts : content
  }
  if (isObject(content)) return [toMessagePart(content, role)]
  return typeof content === 'number' || typeof content === 'boolean' ? String(content) : content
}

/** The Agents SDK wraps an output in a part, or a list of parts. */
function outputOf(output: unknown): unknown {
  if (isObject(output) && output.type === 'text') return output.text
  return isObject(output) ? [output] : output
}
