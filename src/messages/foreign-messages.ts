/** Splits messages of other APIs into Responses items: their calls, outputs and reasoning are fields or parts of messages. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { toMessagePart } from './foreign-parts.ts'

/** Who speaks, by the names of LangChain, Gemini and others. */
export const ROLES: ReadonlyMap<unknown, string> = new Map([
  ['human', 'user'],
  ['ai', 'assistant'],
  ['model', 'assistant'],
  ['bot', 'assistant'],
])
/** LangChain writes the role of a message as its type. */
export const MESSAGE_TYPES = new Set<unknown>(['human', 'ai', 'system', 'tool', 'function'])

/** The types of parts that are calls, outputs or reasoning: those of Anthropic, LangChain, and the AI SDK with its UI messages. */
const BLOCK =
  /^((.+_)?tool_(use|call|result)|function_(call|response)|tool-.+|dynamic-tool|step-start|input_json_delta|thinking|redacted_thinking|reasoning)$/
/** The parts of Bedrock and Gemini have no type; one of these fields says what they are. */
const UNTYPED = ['toolUse', 'toolResult', 'functionCall', 'functionResponse', 'reasoningContent', 'thought']

/**
 * Creates a reader for one conversation. It gives the items of a message whose calls, outputs or reasoning are written as in Chat
 * Completions (`tool_calls`, `function_call`, roles `tool` and `function`), Anthropic's or Bedrock's API (`tool_use`, `toolUse`), Gemini's
 * (`functionCall`), LangChain or the AI SDK; undefined for any other item. An output without an id belongs to the oldest call without
 * an output, by its name when it has one.
 */
export function createMessageSplitter(): (item: InputItem) => InputItem[] | undefined {
  const open: { id: string; name: string }[] = []
  const openCall = (id: unknown, name: unknown): string => {
    const call = { id: toId(id) ?? toId(name) ?? '', name: toId(name) ?? '' }
    open.push(call)
    return call.id
  }
  const answerCall = (id: unknown, name: unknown): string => {
    const given = toId(id)
    const named = given === undefined ? open.findIndex((call) => call.name === name) : -1
    const index = given === undefined ? Math.max(named, 0) : open.findIndex((call) => call.id === given)
    const [call] = index === -1 ? [] : open.splice(index, 1)
    return given ?? call?.id ?? toId(name) ?? ''
  }
  return (item) => (isForeign(item) ? new Splitter(openCall, answerCall).split(item) : undefined)
}

/** True for a message that is more than a text. Histories are long: every check is a plain one. */
function isForeign(item: InputItem): boolean {
  const { type, role, content } = item
  if (type !== undefined && type !== 'message' && !MESSAGE_TYPES.has(type)) return false
  if (role === 'tool' || role === 'function' || type === 'tool' || type === 'function') return true
  if (item.tool_calls != null || item.function_call != null || item.parts != null || item.data != null) return true
  if (item.tool_call_id != null || item.reasoning_content != null || item.reasoning_details != null) return true
  return Array.isArray(content) && content.some(isBlock)
}

/** Parts that most messages have. */
const PLAIN_PARTS = new Set<unknown>(['input_text', 'output_text', 'text', 'input_image', 'input_file'])

function isBlock(part: unknown): boolean {
  if (!isObject(part) || (PLAIN_PARTS.has(part.type) && part.thought === undefined)) return false
  return typeof part.type === 'string' ? BLOCK.test(part.type) : UNTYPED.some((field) => part[field] !== undefined)
}

type LinkCall = (id: unknown, name: unknown) => string

/** Splits one message. */
class Splitter {
  readonly #openCall: LinkCall
  readonly #answerCall: LinkCall
  readonly #items: InputItem[] = []
  readonly #ids = new Set<unknown>()
  #message: InputItem | undefined

  constructor(openCall: LinkCall, answerCall: LinkCall) {
    this.#openCall = openCall
    this.#answerCall = answerCall
  }

  split(stored: InputItem): InputItem[] {
    const message = isObject(stored.data) ? { ...stored, ...stored.data } : stored
    const { content = message.parts, tool_calls: calls, function_call: call } = message
    const role = readRole(message)
    if ((role === 'tool' || role === 'function') && !(Array.isArray(content) && content.some(isBlock)))
      this.#addOutput(message.tool_call_id ?? message.toolCallId, message.name, content)
    else {
      this.#addReasoning(message)
      const head = { role, ...(message.id === undefined ? {} : { id: message.id }) } as InputItem
      for (const part of Array.isArray(content) ? content : content == null ? [] : [content]) this.#read(part, head)
      for (const entry of Array.isArray(calls) ? calls : []) if (isObject(entry)) this.#addCall(entry)
      if (isObject(call) && !Array.isArray(calls)) this.#addCall(call)
      // Refusals stand beside the content.
      if (typeof message.refusal === 'string' && message.refusal !== '')
        this.#addPart({ type: 'refusal', refusal: message.refusal }, head)
    }
    return this.#items
  }

  #read(part: unknown, head: InputItem): void {
    if (!isObject(part) || !isBlock(part)) {
      this.#addPart(part, head)
      return
    }
    const type = typeof part.type === 'string' ? part.type : ''
    const { toolUse, toolResult, functionCall, functionResponse } = part
    if (type === 'step-start' || type === 'input_json_delta') return
    if (isObject(toolUse)) this.#addCall(toolUse)
    else if (isObject(functionCall)) this.#addCall(functionCall, signatureOf(part))
    else if (isObject(toolResult)) this.#addOutput(toolResult.toolUseId, undefined, toolResult.content)
    else if (isObject(functionResponse))
      this.#addOutput(functionResponse.id, functionResponse.name, functionResponse.response)
    else if (/think|reason/.test(type) || part.thought !== undefined || part.reasoningContent !== undefined)
      this.#addThought(part)
    else if (/result$|response$/.test(type))
      this.#addOutput(
        part.tool_use_id ?? part.tool_call_id ?? part.toolCallId,
        part.toolName ?? part.name,
        part.content ?? part.output ?? part.result,
      )
    else this.#addCall(type.startsWith('tool-') && type !== 'tool-call' ? { toolName: type.slice(5), ...part } : part)
  }

  #addCall(call: JsonObject, extras: JsonObject = {}): void {
    const fields = [call.function, call.custom].find(isObject) ?? call
    const name = fields.name ?? call.toolName
    const id = call.id ?? call.toolUseId ?? call.toolCallId ?? call.call_id
    if (id !== undefined && this.#ids.has(id)) return // LangChain keeps a call as a part and in `tool_calls`
    this.#ids.add(id)
    const given = [fields.arguments, fields.args, fields.input].find((value) => value != null)
    const args = typeof given === 'string' && call.custom === undefined ? given : JSON.stringify(toInput(given))
    const data = isObject(call.extra_content) ? { extra_content: call.extra_content } : extras
    this.#push({
      type: 'function_call',
      call_id: this.#openCall(id, name),
      name: toId(name) ?? 'unknown',
      arguments: args,
      ...(Object.keys(data).length === 0 ? {} : { provider_data: data }),
    })
    // A call of a UI message brings its own output.
    const output = call.output ?? call.result ?? call.errorText
    if (output !== undefined) this.#addOutput(id, name, output)
    else if (call.state === 'output-available') this.#addOutput(id, name, '')
  }

  #addOutput(id: unknown, name: unknown, output: unknown): void {
    this.#push({
      type: 'function_call_output',
      call_id: this.#answerCall(id, name),
      output: toOutput(output) as string,
    })
  }

  /** Reasoning beside the content, as DeepSeek and OpenRouter have it. */
  #addReasoning({ reasoning_content: text, reasoning_details: details }: JsonObject): void {
    if (typeof text !== 'string' && !Array.isArray(details)) return
    const provider_data = Array.isArray(details) ? { reasoning_details: details } : {}
    this.#push({ type: 'reasoning', summary: toSummary(text), provider_data })
  }

  /** Thinking, with the signature by which Anthropic recognises it. */
  #addThought(part: JsonObject): void {
    const inner = isObject(part.reasoningContent) ? part.reasoningContent : part
    const told = isObject(inner.reasoningText) ? inner.reasoningText : inner
    const { signature, data } = { ...inner, ...told }
    const text = [told.thinking, told.text, told.reasoning].find((value) => typeof value === 'string')
    const anthropic = typeof data === 'string' ? { redactedData: data } : { signature }
    const isProven = typeof data === 'string' || typeof signature === 'string'
    const provider_data = isProven ? { provider_metadata: { anthropic } } : {}
    this.#push({ type: 'reasoning', summary: toSummary(text), provider_data })
  }

  #addPart(part: unknown, head: InputItem): void {
    const content = toMessagePart(part, head.role)
    if (this.#message === undefined) {
      this.#message = { type: 'message', ...head, content: [] }
      if (this.#items.some(({ role }) => role !== undefined)) delete this.#message.id
      this.#items.push(this.#message)
    }
    ;(this.#message.content as unknown[]).push(content)
  }

  #push(item: InputItem): void {
    this.#message = undefined
    this.#items.push(item)
  }
}

function readRole({ role, type, tool_calls: calls, tool_call_id: callId }: InputItem): string {
  const given = role ?? (MESSAGE_TYPES.has(type) ? type : undefined)
  if (given !== undefined) return ROLES.get(given) ?? String(given)
  return callId !== undefined ? 'tool' : calls !== undefined ? 'assistant' : 'user'
}

const toId = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** Arguments as an object: free text becomes the `input` of a custom tool. */
const toInput = (given: unknown): unknown => (typeof given === 'string' ? { input: given } : (given ?? {}))

const toSummary = (text: unknown): JsonObject[] =>
  typeof text === 'string' && text !== '' ? [{ type: 'summary_text', text }] : []

const signatureOf = ({ thoughtSignature }: JsonObject): JsonObject =>
  typeof thoughtSignature === 'string' ? { provider_metadata: { google: { thoughtSignature } } } : {}

/** An output without the wrapper that some APIs put around it: `{ type: 'text', value }`, `[{ json }]`, `{ output }`. */
function toOutput(output: unknown): unknown {
  if (Array.isArray(output))
    return output.map((part) => (isObject(part) && part.type === undefined ? (part.json ?? toUntyped(part)) : part))
  if (!isObject(output)) return output ?? ''
  if (typeof output.type === 'string' && 'value' in output) return toOutput(output.value)
  const keys = Object.keys(output)
  return keys.length === 1 && (keys[0] === 'output' || keys[0] === 'result') ? Object.values(output)[0] : output
}

const toUntyped = (part: JsonObject): JsonObject =>
  typeof part.text === 'string' ? { ...part, type: 'text' } : { ...part }
