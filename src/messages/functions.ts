/** Converts conversations for APIs that know only function calls. */
import { eachOf } from '../base/async.ts'
import { isObject } from '../wire/json.ts'
import type { ContentPart, InputItem } from '../wire/message.ts'
import { callHalf, isModelMade, typeOf } from './item-kinds.ts'
import { saidIn } from './items.ts'

/** A conversation for APIs that know only function calls and accept system messages only at the top. */
export interface FunctionConversation {
  /** System messages from the middle of the conversation. */
  notes: string[]
  items: InputItem[]
}

/** Definitions of tools that were called earlier, for providers that refuse calls of tools that a request does not define. */
export const defineCalled = (names: Iterable<string>) =>
  [...new Set(names)].map((name) => ({
    name,
    description: 'Was called earlier in this conversation; not available now.',
    parameters: { type: 'object', properties: {} },
  }))

/**
 * Converts a conversation: calls of other tools become function calls, outputs follow the calls of their turn, and items that
 * only the Responses API knows (hosted calls, approvals, references) are removed. A generator, for `inPieces`.
 */
export function* toFunctionConversation(
  conversation: readonly InputItem[],
): Generator<undefined, FunctionConversation> {
  const all: InputItem[] = []
  yield* eachOf(conversation, (item) => {
    for (const converted of toFunctionItem(item)) all.push(converted)
  })
  const last = all.findLastIndex((item) => !isNote(item))
  // Notes after the last answer become a user message: moved to the top, they would leave a conversation that ends with the
  // assistant, which these APIs refuse.
  const closing =
    all[last]?.role === 'assistant'
      ? all
          .slice(last + 1)
          .map(readNote)
          .filter(isSaid)
      : []
  const notes = (closing.length > 0 ? all.slice(0, last) : all).filter(isNote).map(readNote).filter(isSaid)
  yield
  const items = moveOutputsBehindCalls(all.filter((item) => !isNote(item)))
  return { notes, items: closing.length === 0 ? items : [...items, { role: 'user', content: closing.join('\n\n') }] }
}

/** True for messages with the role system, developer, or an unknown one. */
const isNote = ({ role }: InputItem) => typeof role === 'string' && role !== 'user' && role !== 'assistant'
const readNote = ({ content }: InputItem) => saidIn(content)
export const isSaid = (text: string): boolean => text.trim() !== ''

/** Type of a call of another tool -> name of its function. */
const FUNCTION_NAMES: { readonly [type: string]: string } = {
  computer_call: 'computer',
  local_shell_call: 'local_shell',
  shell_call: 'shell',
  apply_patch_call: 'apply_patch',
  tool_search_call: 'tool_search',
}
/** The fields with the arguments of such calls. */
const ARGUMENT_KEYS = ['input', 'action', 'actions', 'operation', 'arguments']

function toFunctionItem(item: InputItem): InputItem[] {
  const type = typeOf(item)
  if (type === 'function_call' || type === 'function_call_output' || type === 'reasoning') return [item]
  if (type === 'message') return typeof item.role === 'string' ? [item] : []
  const call = callHalf(item)
  if (call === undefined || type.startsWith('mcp_approval')) return []
  const call_id = (item.call_id ?? item.id) as string
  if (call.half === 'call') {
    const name = (item.name ?? FUNCTION_NAMES[type]) as string
    const args = ARGUMENT_KEYS.filter((key) => item[key] !== undefined).map((key) => [key, item[key]])
    return [{ type: 'function_call', call_id, name, arguments: JSON.stringify(Object.fromEntries(args)) }]
  }
  return [{ type: 'function_call_output', call_id, output: toOutput(item) }]
}

function toOutput(item: { [key: string]: unknown }): string | ContentPart[] {
  const { output, tools } = item
  if (isObject(output) && output.type === 'computer_screenshot') {
    const { image_url, file_id } = output
    return [{ type: 'input_image', ...(image_url == null ? { file_id } : { image_url }) }]
  }
  if (typeof output === 'string') return output
  if (Array.isArray(output) && output.every((part) => isObject(part) && /^input_/.test(String(part.type))))
    return output
  const data = output ?? tools
  return data === undefined ? '' : JSON.stringify(data)
}

/**
 * Moves outputs right behind the answer with their calls. Other items come in between when two runs on one thread overlapped.
 */
function moveOutputsBehindCalls(items: readonly InputItem[]): InputItem[] {
  const outputs = new Map<unknown, InputItem[]>()
  for (const item of items) {
    if (item.type !== 'function_call_output') continue
    const known = outputs.get(item.call_id)
    if (known === undefined) outputs.set(item.call_id, [item])
    else known.push(item)
  }
  const out: InputItem[] = []
  const waiting: InputItem[] = []
  let answered = false
  for (const item of items) {
    if (item.type === 'function_call_output') {
      answered = true
      continue
    }
    // A new answer of the model starts with reasoning, or with the first item after an output.
    if (answered || item.type === 'reasoning' || !isModelMade(item)) out.push(...waiting.splice(0))
    answered = false
    out.push(item)
    if (item.type !== 'function_call') continue
    for (const output of outputs.get(item.call_id) ?? []) waiting.push(output)
    outputs.delete(item.call_id)
  }
  return [...out, ...waiting]
}
