import type { TurnRequest } from '../models/model.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { ATTR_GEN_AI_INPUT_MESSAGES, ATTR_GEN_AI_SYSTEM_INSTRUCTIONS } from './semantics.ts'

type Part = { type: string; [key: string]: unknown }
interface Message {
  role: string
  parts: Part[]
}

/** Writes what was said in a run, as far as it may be written. */
export interface ContentWriter {
  text(value: unknown): string
  messages(items: readonly InputItem[]): string
  request(request: TurnRequest): { [name: string]: string }
}

/**
 * Contents in the shape of the semantic conventions: a JSON list of `{ role, parts }`, secrets masked. Of more than
 * `chars` the newest messages are kept; a text is cut. Files are named, their bytes left out.
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
  return {
    text,
    messages,
    request: ({ instructions, input }) => ({
      ...(instructions === undefined
        ? {}
        : { [ATTR_GEN_AI_SYSTEM_INSTRUCTIONS]: JSON.stringify([{ type: 'text', content: text(instructions) }]) }),
      [ATTR_GEN_AI_INPUT_MESSAGES]: messages(input),
    }),
  }
}

/** Bytes of files say nothing to a reader. */
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
