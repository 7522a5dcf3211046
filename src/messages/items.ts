import { asText, isObject } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'

/** The keys a stored message has beside its Responses item; they never reach a model (docs/wire.md, "Messages"). */
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
])

/** A stored message as the model gets it: metadata removed, and a call whose `id` merely repeats its `call_id` loses the `id`. */
export function toModelItem(message: InputItem): InputItem {
  const item: InputItem = {}
  for (const key of Object.keys(message)) if (!METADATA.has(key)) item[key] = message[key]
  if (item.type === 'function_call' && item.id === item.call_id) delete item.id
  return item
}

/**
 * Items for a provider that stores nothing (`store: false`): it knows none of its earlier ids, and reasoning is only of
 * use to it with its encrypted content.
 */
export function withoutServerState(items: readonly InputItem[]): InputItem[] {
  return items.flatMap((item) => {
    if (item.type === 'reasoning') return item.encrypted_content ? [item] : []
    const { id: _, ...rest } = item
    return [rest]
  })
}

/**
 * Items for the Responses API: what another provider said goes there without that provider's own data and ids, and its
 * reasoning not at all. The list itself when there is nothing of the kind.
 */
export function withoutForeignData(items: readonly InputItem[]): readonly InputItem[] {
  if (!items.some((item) => item.provider_data !== undefined)) return items
  return items.flatMap((item) => {
    if (item.provider_data === undefined) return [item]
    if (item.type === 'reasoning') return []
    const { provider_data: _, id: __, ...rest } = item
    return [rest]
  })
}

/** True for a call that needs an output of ours: function calls (hosted calls answer themselves). */
const isCall = (item: InputItem) => item.type === 'function_call'
const isOutput = (item: InputItem) => item.type === 'function_call_output'

/**
 * Removes what a provider would reject: calls without an output, outputs without a call, reasoning that lost the item
 * it belongs to, and repeated ids (the first stays). Order is kept. Used for a model's input and for `new_messages`.
 */
export function clean<T extends InputItem>(items: readonly T[]): T[] {
  const calls = new Set<unknown>()
  const outputs = new Set<unknown>()
  for (const item of items) {
    if (isCall(item)) calls.add(item.call_id)
    else if (isOutput(item)) outputs.add(item.call_id)
  }
  const seen = new Set<unknown>()
  const kept = items.filter((item) => {
    if (isCall(item) && !outputs.has(item.call_id)) return false
    if (isOutput(item) && !calls.has(item.call_id)) return false
    if (typeof item.id !== 'string') return true
    if (seen.has(item.id)) return false
    seen.add(item.id)
    return true
  })
  return kept.filter((item, index) => item.type !== 'reasoning' || follows(kept[index + 1]))
}

/** Reasoning stands directly before the assistant item, call or further reasoning it led to. */
const follows = (next: InputItem | undefined) =>
  next !== undefined && (next.role === 'assistant' || next.type === 'reasoning' || isAnyCall(next.type))
const isAnyCall = (type: unknown) => typeof type === 'string' && type.endsWith('_call')

/** The text of an assistant message item; empty for anything else. */
export function messageText(item: InputItem): string {
  if (typeof item.content === 'string') return item.content
  if (!Array.isArray(item.content)) return ''
  return item.content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('')
}

/** What a message's content says, refusals too. */
export function saidIn(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === 'string' ? content : ''
  return content.map((part) => (isObject(part) ? asText(part.text ?? part.refusal) : '')).join('')
}

/** Why the model would not answer, in its own words; undefined when it did not refuse. */
export function refusalOf({ content }: InputItem): string | undefined {
  const part = Array.isArray(content) ? content.find((one) => isObject(one) && one.type === 'refusal') : undefined
  if (!isObject(part)) return undefined
  return typeof part.refusal === 'string' ? part.refusal : ''
}

/** The newest trace id found in a history, so that a conversation keeps one trace over its turns. */
export function latestTraceId(history: readonly StoredMessage[]): string | undefined {
  for (let index = history.length - 1; index >= 0; index--) {
    const trace = history[index]?.run_trace_id
    if (typeof trace === 'string' && /^trace_[0-9a-f]{32}$/.test(trace)) return trace
  }
  return undefined
}
