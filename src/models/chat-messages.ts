import { saidIn } from '../messages/items.ts'
import { withTextOutputs } from '../messages/text-outputs.ts'
import { asText, isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { TurnRequest } from './model.ts'

/** Where a provider's Chat Completions API differs from OpenAI's. */
export interface ChatQuirks {
  /** It wants its reasoning back with the messages that came after it, in this field. */
  reasoning?: 'reasoning_content' | 'reasoning_details'
  /** It refuses `stream_options`; usage comes unasked. */
  noStreamOptions?: true
  /** It answers in JSON, but takes no schema: that has to stand in the instructions. */
  noJsonSchema?: true
  /** An assistant's message that only calls has no `content`, instead of null. */
  noNullContent?: true
}

interface Target {
  /** Reasoning goes back to the model it came from only. */
  origin: string
  quirks: ChatQuirks
}

/** Responses items as chat messages; what one turn said and called belongs to one assistant message. Hosted calls are left out. */
export function toMessages(request: TurnRequest, { origin, quirks }: Target): JsonObject[] {
  const messages: JsonObject[] = systemMessages(request, quirks)
  let thoughts: JsonObject = {}
  const assistant = (): JsonObject => {
    const last = messages.at(-1)
    if (last?.role === 'assistant') return last
    const message: JsonObject = { role: 'assistant', ...(quirks.noNullContent ? {} : { content: null }), ...thoughts }
    messages.push(message)
    thoughts = {}
    return message
  }
  for (const item of withTextOutputs(request.input)) {
    if (item.type === 'reasoning') {
      thoughts = dataOf(item).model === origin ? thoughtsOf(item, quirks) : {}
    } else if (item.type === 'function_call') {
      const { extra_content } = dataOf(item)
      const call = {
        id: item.call_id,
        type: 'function',
        function: { name: item.name, arguments: item.arguments || '{}' },
        ...(extra_content === undefined ? {} : { extra_content }),
      }
      const message = assistant()
      if (Array.isArray(message.tool_calls)) message.tool_calls.push(call)
      else message.tool_calls = [call]
    } else if (item.type === 'function_call_output')
      messages.push({ role: 'tool', tool_call_id: item.call_id, content: saidIn(item.output) })
    else if (item.role === 'assistant') {
      // The answers to calls have to follow them, so a text that came after a call stands beside it.
      const last = messages.at(-1)
      const text = saidIn(item.content)
      if (last?.tool_calls === undefined) messages.push({ role: 'assistant', content: text, ...thoughts })
      else last.content = withLine(last.content, text)
      thoughts = {}
    } else if (typeof item.role === 'string') {
      thoughts = {}
      const user = item.role === 'user'
      messages.push({ role: user ? 'user' : 'system', content: user ? toContent(item.content) : saidIn(item.content) })
    }
  }
  return messages
}

/** Appended and not joined anew: a history may have very many texts after one call. */
function withLine(said: unknown, text: string): string {
  if (typeof said !== 'string' || said === '') return text
  return text === '' ? said : `${said}\n${text}`
}

function systemMessages({ instructions, outputSchema }: TurnRequest, { noJsonSchema }: ChatQuirks): JsonObject[] {
  const format =
    outputSchema !== undefined && noJsonSchema === true
      ? `Answer with a JSON object that fits this JSON Schema, and with nothing else:\n${JSON.stringify(outputSchema.schema)}`
      : undefined
  const content = [instructions, format].filter((text) => text !== undefined).join('\n\n')
  return content === '' ? [] : [{ role: 'system', content }]
}

const dataOf = (item: InputItem): JsonObject => (isObject(item.provider_data) ? item.provider_data : {})

function thoughtsOf(item: InputItem, { reasoning }: ChatQuirks): JsonObject {
  if (reasoning === 'reasoning_details') {
    const { reasoning_details } = dataOf(item)
    return reasoning_details === undefined ? {} : { reasoning_details }
  }
  const text = saidIn(item.summary)
  return reasoning === 'reasoning_content' && text !== '' ? { reasoning_content: text } : {}
}

function toContent(content: unknown): unknown {
  if (!Array.isArray(content)) return saidIn(content)
  return content.filter(isObject).map((part) => {
    // This API knows no stored images; the model is told, so that it can tell.
    if (part.type === 'input_image' && part.image_url == null)
      return { type: 'text', text: `(The image ${part.file_id} cannot be shown to this model.)` }
    if (part.type === 'input_image')
      return { type: 'image_url', image_url: { url: part.image_url, detail: part.detail ?? 'auto' } }
    if (part.type === 'input_file')
      return { type: 'file', file: { file_id: part.file_id, file_data: part.file_data, filename: part.filename } }
    if (part.type === 'input_audio') return part
    return { type: 'text', text: asText(part.text) }
  })
}
