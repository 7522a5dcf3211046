/** Converts conversations to the messages of Chat Completions. */
import { eachOf, inPieces } from '../../base/async.ts'
import { isSaid, toFunctionConversation } from '../../messages/functions.ts'
import { argumentsJson, saidIn } from '../../messages/items.ts'
import { createNamer, FUNCTION_NAME, type NameRule } from '../../messages/names.ts'
import { withTextOutputs } from '../../messages/text-outputs.ts'
import { asText, isObject, type JsonObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { TurnRequest } from '../model.ts'

/** Where a provider's Chat Completions API, or a family of models behind it, differs from OpenAI's. */
export interface ChatQuirks {
  /** It requires its reasoning back in this field of the messages that followed it. */
  reasoning?: 'reasoning_content' | 'reasoning_details'
  /** It refuses `stream_options`, and sends usage without it. */
  noStreamOptions?: true
  /** It answers in JSON, but accepts no schema: the schema goes into the instructions. */
  noJsonSchema?: true
  /** An assistant message with only calls has no `content` instead of null. */
  noNullContent?: true
  /** It accepts only text: no images and no files. */
  textOnly?: true
  /** The call ids that it accepts. Default: all. */
  callIds?: NameRule
  /** It refuses a user message directly after tool outputs. */
  answerAfterTools?: true
  /** It refuses a conversation that ends with an assistant message. */
  endsWithUser?: true
  /** It refuses calls in the conversation when the request has no tools. */
  definesCalledTools?: true
  /** It refuses two messages of the user, or of the assistant, that follow each other. */
  rolesAlternate?: true
}

interface Target {
  /** Reasoning is only sent back to the model that wrote it. */
  origin: string
  quirks: ChatQuirks
}

/**
 * Converts Responses items to chat messages: one system message, first; the text and calls of one turn in one message of the
 * assistant, followed by the tool outputs; empty messages are left out.
 */
export const toMessages = (request: TurnRequest, target: Target): JsonObject[] | Promise<JsonObject[]> =>
  inPieces(request.input.length, convert(request, target))

function* convert(request: TurnRequest, target: Target): Generator<undefined, JsonObject[]> {
  const { notes, items } = yield* toFunctionConversation(request.input)
  const system = systemText(request, notes, target.quirks)
  const messages = new ChatMessages(target)
  const conversation = withTextOutputs(items)
  yield
  yield* eachOf(conversation, (item, index) => messages.add(item, index === conversation.length - 1))
  return [...(system === '' ? [] : [{ role: 'system', content: system }]), ...messages.finish()]
}

function systemText(
  { instructions, outputSchema }: TurnRequest,
  notes: string[],
  { noJsonSchema }: ChatQuirks,
): string {
  const format =
    outputSchema !== undefined && noJsonSchema === true
      ? `Answer with a JSON object that fits this JSON Schema, and with nothing else:\n${JSON.stringify(outputSchema.schema)}`
      : undefined
  return [instructions, format, ...notes].filter((text) => text !== undefined && text !== '').join('\n\n')
}

/** Placeholders for messages that a provider requires. */
const ANSWER = 'OK.'
const GO_ON = 'Continue.'
/** Placeholder for unknown reasoning. Moonshot treats an empty text as missing. */
const NO_THOUGHT = ' '

class ChatMessages {
  readonly #target: Target
  readonly #messages: JsonObject[] = []
  readonly #nameCall: (id: unknown) => string
  readonly #nameFunction = createNamer(FUNCTION_NAME)
  #thoughts: JsonObject = {}

  constructor(target: Target) {
    this.#target = target
    this.#nameCall = target.quirks.callIds === undefined ? asText : createNamer(target.quirks.callIds)
  }

  add(item: InputItem, isLast: boolean): void {
    const { origin, quirks } = this.#target
    if (item.type === 'reasoning') this.#thoughts = mayReturn(item, origin) ? thoughtsOf(item, quirks) : {}
    else if (item.type === 'function_call') this.#addCall(item)
    else if (item.type === 'function_call_output')
      this.#messages.push({ role: 'tool', tool_call_id: this.#nameCall(item.call_id), content: saidIn(item.output) })
    else if (item.role === 'assistant') this.#addText(saidIn(item.content))
    else this.#addUser(toContent(item.content, quirks), isLast)
  }

  finish(): JsonObject[] {
    const { quirks } = this.#target
    if (quirks.endsWithUser === true && this.#messages.at(-1)?.role === 'assistant')
      this.#messages.push({ role: 'user', content: GO_ON })
    if (quirks.reasoning === 'reasoning_content')
      for (const message of this.#messages)
        if (message.tool_calls !== undefined) message.reasoning_content ??= NO_THOUGHT
    return this.#messages
  }

  #addCall(item: InputItem): void {
    const { extra_content } = dataOf(item)
    const call = {
      id: this.#nameCall(item.call_id),
      type: 'function',
      function: { name: this.#nameFunction(item.name), arguments: argumentsJson(item) },
      ...(extra_content === undefined ? {} : { extra_content }),
    }
    let message = this.#messages.at(-1)
    const { rolesAlternate = false } = this.#target.quirks
    if (message?.role !== 'assistant' || (!rolesAlternate && Object.keys(this.#thoughts).length > 0)) {
      const content = this.#target.quirks.noNullContent ? {} : { content: null }
      message = { role: 'assistant', ...content, ...this.#takeThoughts() }
      this.#messages.push(message)
    }
    if (Array.isArray(message.tool_calls)) message.tool_calls.push(call)
    else message.tool_calls = [call]
  }

  /** Tool outputs must directly follow their calls, so a text after a call goes into the call's message. */
  #addText(text: string): void {
    const last = this.#messages.at(-1)
    const thoughts = this.#takeThoughts()
    if (last?.tool_calls !== undefined) last.content = withLine(last.content, text)
    else if (!isSaid(text)) return
    else if (last?.role === 'assistant' && this.#target.quirks.rolesAlternate === true)
      Object.assign(last, thoughts, { content: withLine(last.content, text) })
    else this.#messages.push({ role: 'assistant', content: text, ...thoughts })
  }

  #addUser(content: string | JsonObject[], isLast: boolean): void {
    this.#thoughts = {}
    // The message to answer is sent even when it is blank.
    const isEmpty = typeof content === 'string' ? !isSaid(content) : content.length === 0
    const last = this.#messages.at(-1)
    if (isEmpty && (!isLast || last?.role === 'user')) return
    if (last?.role === 'tool' && this.#target.quirks.answerAfterTools === true)
      this.#messages.push({ role: 'assistant', content: ANSWER })
    if (last?.role === 'user' && this.#target.quirks.rolesAlternate === true)
      last.content = joinContent(last.content as string | JsonObject[], content)
    else this.#messages.push({ role: 'user', content: content.length === 0 ? '' : content })
  }

  #takeThoughts(): JsonObject {
    const thoughts = this.#thoughts
    this.#thoughts = {}
    return thoughts
  }
}

/** Appended, not joined again each time: a history may have very many texts after one call. */
function withLine(said: unknown, text: string): string {
  if (typeof said !== 'string' || said === '') return text
  return text === '' ? said : `${said}\n${text}`
}

function joinContent(before: string | JsonObject[], after: string | JsonObject[]): string | JsonObject[] {
  if (typeof before === 'string' && typeof after === 'string') return `${before}\n\n${after}`
  const parts = Array.isArray(before) ? before : [{ type: 'text', text: before }]
  for (const part of Array.isArray(after) ? after : [{ type: 'text', text: after }]) parts.push(part)
  return parts
}

const dataOf = (item: InputItem): JsonObject => (isObject(item.provider_data) ? item.provider_data : {})

/** True for reasoning of this model, and for reasoning that a caller sent in the form of Chat Completions, whose model is not known. */
const mayReturn = ({ provider_data: data }: InputItem, origin: string) =>
  isObject(data) && (data.model === origin || (data.model === undefined && data.provider_metadata === undefined))

function thoughtsOf(item: InputItem, { reasoning }: ChatQuirks): JsonObject {
  if (reasoning === 'reasoning_details') {
    const { reasoning_details } = dataOf(item)
    return reasoning_details === undefined ? {} : { reasoning_details }
  }
  const text = saidIn(item.summary)
  return reasoning === 'reasoning_content' && text !== '' ? { reasoning_content: text } : {}
}

function toContent(content: unknown, quirks: ChatQuirks): string | JsonObject[] {
  if (!Array.isArray(content)) return saidIn(content)
  const parts = content.filter(isObject).map((part) => toPart(part, quirks))
  return parts.filter((part) => part.type !== 'text' || isSaid(asText(part.text)))
}

/** A part of a message, or a note about a file that this API does not accept, so that the model can tell the user. */
function toPart(part: JsonObject, { textOnly }: ChatQuirks): JsonObject {
  const { file_id, file_data, filename } = part
  if (part.type === 'input_image' && (part.image_url == null || textOnly))
    return missingFile('image', file_id ?? part.image_url)
  if (part.type === 'input_image')
    return { type: 'image_url', image_url: { url: part.image_url, detail: part.detail ?? 'auto' } }
  if (part.type === 'input_file') {
    if (textOnly || (file_data == null && file_id == null))
      return missingFile('file', file_id ?? filename ?? part.file_url)
    return { type: 'file', file: { file_id, file_data, filename } }
  }
  if (part.type === 'input_audio') return textOnly ? missingFile('recording', '') : part
  return { type: 'text', text: asText(part.text) }
}

function missingFile(kind: string, name: unknown): JsonObject {
  const shown = asText(name).startsWith('data:') ? '' : asText(name)
  return { type: 'text', text: `(The ${[kind, shown].filter(Boolean).join(' ')} cannot be shown to this model.)` }
}
