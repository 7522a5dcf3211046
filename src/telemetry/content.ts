/** Content attributes of spans: messages, instructions and tool data, recorded when `captureContent` is on. */
import type { Ends, SpanKind, Starts } from '../runs/span.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import * as names from './semantics.ts'
import type { Attributes } from './span-attributes.ts'

type Part = { type: string; [key: string]: unknown }
interface Message {
  role: string
  parts: Part[]
}

/** Writes content as attribute values: shortened, with secrets masked. */
export interface ContentWriter {
  text(value: unknown): string
  messages(items: readonly InputItem[]): string
}

/** Content attributes known when a span starts. */
export const startContents: { [Kind in SpanKind]: (start: Starts[Kind], write: ContentWriter) => Attributes } = {
  run: ({ input }, write) => ({ [names.ATTR_GEN_AI_INPUT_MESSAGES]: write.messages(input) }),
  agent: () => ({}),
  model: ({ request: { instructions, input } }, write) => ({
    [names.ATTR_GEN_AI_SYSTEM_INSTRUCTIONS]:
      instructions === undefined ? undefined : JSON.stringify([{ type: 'text', content: write.text(instructions) }]),
    [names.ATTR_GEN_AI_INPUT_MESSAGES]: write.messages(input),
  }),
  tool: ({ call }, write) => ({ [names.ATTR_GEN_AI_TOOL_CALL_ARGUMENTS]: write.text(call.argumentsJson) }),
}

/** Content attributes known when a span ends. */
export const endContents: { [Kind in SpanKind]: (end: Ends[Kind], write: ContentWriter) => Attributes } = {
  run: ({ finalOutput }, write) => describeAnswer(finalOutput, write),
  agent: ({ output }, write) => describeAnswer(output, write),
  model: ({ response }, write) => ({
    [names.ATTR_GEN_AI_OUTPUT_MESSAGES]: response?.output && write.messages(response.output),
  }),
  tool: ({ output }, write) => ({
    [names.ATTR_GEN_AI_TOOL_CALL_RESULT]: output === undefined ? undefined : write.text(output),
  }),
}

function describeAnswer(output: unknown, write: ContentWriter): Attributes {
  if (output === undefined) return {}
  const content = typeof output === 'string' ? output : JSON.stringify(output)
  return { [names.ATTR_GEN_AI_OUTPUT_MESSAGES]: write.messages([{ role: 'assistant', content }]) }
}

/**
 * Creates a writer for content in the shape of the semantic conventions: a JSON list of `{ role, parts }` with secrets masked.
 * It keeps the newest messages up to `chars` characters and cuts longer texts. The bytes of files are left out.
 */
export function createContentWriter(redact: (text: string) => string, chars: number): ContentWriter {
  const cut = (text: string) => (text.length > chars ? `${text.slice(0, chars)}…` : text)
  const text = (value: unknown) => cut(redact(typeof value === 'string' ? value : (toJson(value) ?? '')))
  const messages = (items: readonly InputItem[]) => {
    const kept: string[] = []
    let size = 0
    for (const item of items.toReversed()) {
      const message = JSON.stringify(toMessage(item, (value) => text(value)))
      size += message.length
      if (size > chars && kept.length > 0) break
      kept.push(message)
    }
    return `[${kept.reverse().join(',')}]`
  }
  return { text, messages }
}

/** JSON of a value, with the bytes of data URLs left out. */
const toJson = (value: unknown): string | undefined =>
  JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'string' && part.startsWith('data:') ? `${part.slice(0, part.indexOf(',') + 1)}...` : part,
  )

function toMessage(item: InputItem, text: (value: unknown) => string): Message {
  if (item.type === 'function_call')
    return {
      role: 'assistant',
      parts: [{ type: 'tool_call', id: item.call_id, name: item.name, arguments: text(item.arguments) }],
    }
  if (item.type === 'function_call_output')
    return { role: 'tool', parts: [{ type: 'tool_call_response', id: item.call_id, response: text(item.output) }] }
  if (item.type === 'reasoning')
    return { role: 'assistant', parts: toParts(item.summary, text).map((part) => ({ ...part, type: 'reasoning' })) }
  if (typeof item.role === 'string') return { role: item.role, parts: toParts(item.content, text) }
  return { role: 'assistant', parts: [{ type: String(item.type), content: text(item) }] }
}

function toParts(content: unknown, text: (value: unknown) => string): Part[] {
  if (!Array.isArray(content)) return [{ type: 'text', content: text(content) }]
  return content
    .filter(isObject)
    .map((part) =>
      typeof part.text === 'string'
        ? { type: 'text', content: text(part.text) }
        : { type: String(part.type), content: text(part) },
    )
}
