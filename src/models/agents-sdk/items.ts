/** Converts between items of the Responses API and those of the Agents SDK. */
import { inFull } from '../../base/async.ts'
import { toFunctionConversation } from '../../messages/functions.ts'
import { argumentsJson, saidIn } from '../../messages/items.ts'
import { withTextOutputs } from '../../messages/text-outputs.ts'
import { asText, isObject, type JsonObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { ResponseSynthesis } from '../synthesis.ts'

/**
 * Wire items, unchanged, in a wrapper that an Agents SDK model over the Responses API unwraps. The SDK's own items
 * would lose fields that they do not know: file ids, annotations, outputs of hosted tools.
 */
export const wrapItems = (items: readonly InputItem[]): JsonObject[] =>
  items.map((item) => ({ type: 'unknown', ...(item.id === undefined ? {} : { id: item.id }), providerData: item }))

/** A conversation for the Agents SDK's other models: later system messages as text, and the rest as items of the SDK. */
export function toProtocol(input: readonly InputItem[]): { notes: string[]; items: JsonObject[] } {
  const { notes, items } = inFull(toFunctionConversation(input))
  const names = new Map(items.flatMap(({ type, call_id, name }) => (type === 'function_call' ? [[call_id, name]] : [])))
  const converted = withTextOutputs(items).flatMap((item): JsonObject[] => {
    const { type, id, call_id: callId } = item
    if (type === 'function_call') {
      const { name } = item
      return [{ type, id, callId, name, arguments: argumentsJson(item), status: 'completed', ...providerDataOf(item) }]
    }
    if (type === 'function_call_output') {
      const name = names.get(callId) ?? 'unknown'
      return [{ type: 'function_call_result', callId, name, status: 'completed', output: asText(item.output) }]
    }
    if (type === 'reasoning') return [{ type, id, content: summaryOf(item), ...providerDataOf(item) }]
    if (item.role === 'assistant') return [toAssistant(item)]
    return [{ role: 'user', content: Array.isArray(item.content) ? item.content.flatMap(toUserPart) : item.content }]
  })
  return { notes, items: converted }
}

/** Data that an SDK model needs back with an item, unchanged: see `remember`. */
function providerDataOf({ provider_data, encrypted_content }: InputItem): { providerData?: JsonObject } {
  const own = isObject(provider_data) && isObject(provider_data.agents_sdk) ? provider_data.agents_sdk : {}
  const providerData = typeof encrypted_content === 'string' ? { ...own, encrypted_content } : own
  return Object.keys(providerData).length > 0 ? { providerData } : {}
}

const remember = (providerData: unknown) => (isObject(providerData) ? { agents_sdk: providerData } : {})

const summaryOf = ({ summary }: InputItem) =>
  (Array.isArray(summary) ? summary.filter(isObject) : []).map(({ text }) => ({
    type: 'input_text',
    text,
    providerData: { type: 'summary_text' },
  }))

function toAssistant({ id, content }: InputItem): JsonObject {
  const parts = Array.isArray(content) ? content.filter(isObject) : [{ type: 'output_text', text: asText(content) }]
  return {
    type: 'message',
    role: 'assistant',
    status: 'completed',
    ...(id === undefined ? {} : { id }),
    content: parts.flatMap((part): JsonObject[] => {
      if (part.type === 'refusal') return [{ type: 'refusal', refusal: part.refusal }]
      if (typeof part.text !== 'string') return []
      const { type: _, text, ...providerData } = part
      return [{ type: 'output_text', text, providerData }]
    }),
  }
}

function toUserPart(part: unknown): JsonObject[] {
  if (!isObject(part)) return []
  const { type, file_id, image_url, file_url, file_data, filename, detail } = part
  if (type === 'input_image')
    return [{ type, image: file_id === undefined ? image_url : { id: file_id }, ...(detail == null ? {} : { detail }) }]
  if (type === 'input_file') {
    const file = file_id !== undefined ? { id: file_id } : file_url !== undefined ? { url: file_url } : file_data
    return [{ type, file, ...(filename === undefined ? {} : { filename }) }]
  }
  return typeof part.text === 'string' ? [{ type: 'input_text', text: part.text }] : []
}

const textOf = (content: unknown): string =>
  Array.isArray(content)
    ? content.map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : '')).join('\n')
    : asText(content)

/** The parts of an answer that were streamed before its end. */
export interface Streamed {
  text: string
  reasoning: string
}

/** The finished output of an Agents SDK model as parts of a response, without those that were streamed. */
export function readOutput(parts: ResponseSynthesis, output: unknown, { text, reasoning }: Streamed = NOTHING): void {
  const items = Array.isArray(output) ? output.filter(isObject) : []
  const thoughts = items.filter(({ type }) => type === 'reasoning')
  parts.think(restOf(thoughts.map(reasoningText).join('\n'), reasoning))
  for (const { providerData } of thoughts) parts.attach({ thought: 0 }, remember(providerData))
  const said = items.flatMap(({ role, content }) => (role === 'assistant' && Array.isArray(content) ? content : []))
  parts.say(restOf(saidIn(said), text))
  for (const [index, { type, callId, name, arguments: args, providerData }] of items.entries()) {
    if (type !== 'function_call') continue
    parts.openCall(index, { callId: asText(callId), name: String(name) })
    parts.addArguments(index, asText(args))
    parts.attach({ call: index }, remember(providerData))
  }
}

const NOTHING: Streamed = { text: '', reasoning: '' }
const restOf = (whole: string, before: string) => (whole.startsWith(before) ? whole.slice(before.length) : '')
const reasoningText = ({ content, rawContent }: JsonObject) =>
  textOf([content, rawContent].find((list) => Array.isArray(list) && list.length > 0) ?? '')
