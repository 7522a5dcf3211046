/** Converts conversations to prompts of the AI SDK. */
import { eachOf, inPieces } from '../../base/async.ts'
import { isSaid, toFunctionConversation } from '../../messages/functions.ts'
import { readDataUrl, saidIn, toWellFormed } from '../../messages/items.ts'
import { createNamer, FUNCTION_NAME, type NameRule } from '../../messages/names.ts'
import { asText, isObject, type JsonObject, parseInnerJson } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { quirksOf, takesPrefill } from '../families.ts'
import type { TurnRequest } from '../model.ts'

type Json = null | string | number | boolean | Json[] | { [key: string]: Json }
/** Data that one provider needs back, under the provider's name. */
type ProviderOptions = { [provider: string]: { [key: string]: Json } }
type Extras = { providerOptions?: ProviderOptions }
type FileData =
  | { type: 'data'; data: string }
  | { type: 'url'; url: URL }
  | { type: 'reference'; reference: { [provider: string]: string } }
type FilePart = { type: 'file'; data: FileData; mediaType: string; filename?: string }
type TextPart = { type: 'text'; text: string } & Extras
type AssistantPart =
  | TextPart
  | ({ type: 'reasoning'; text: string } & Extras)
  | ({ type: 'tool-call'; toolCallId: string; toolName: string; input: unknown } & Extras)
type ToolResult = {
  type: 'tool-result'
  toolCallId: string
  toolName: string
  output: { type: 'text'; value: string } | { type: 'content'; value: (TextPart | FilePart)[] }
}

/** A prompt of the AI SDK's specification v4. */
export type Prompt = (
  | { role: 'system'; content: string }
  | { role: 'user'; content: (TextPart | FilePart)[] }
  | { role: 'assistant'; content: AssistantPart[] }
  | { role: 'tool'; content: ToolResult[] }
)[]

type Message = Prompt[number]

/** The model that a prompt is for. */
export interface PromptTarget {
  /** The provider that file ids belong to. */
  provider: string
  model: string
}

/** Call ids that all these APIs accept; the limit is Bedrock's. */
const CALL_ID: NameRule = { maxLength: 64, alphabet: 'a-zA-Z0-9_-' }

/** Placeholders for texts that a provider requires. */
const BEGINNING = '(The conversation so far.)'
const GO_ON = 'Continue.'
const NO_TEXT = '(no text)'
const FILES_FOLLOW = '(The result follows.)'

/**
 * Responses items as an AI SDK prompt. System messages join the instructions at the top, where every provider takes them;
 * reasoning is sent where a provider gave data to prove it with; hosted calls and blank texts are left out. The first message is the
 * user's, and so is the last one, except for models that accept a prefilled answer.
 */
export const toPrompt = (request: TurnRequest, target: PromptTarget): Prompt | Promise<Prompt> =>
  inPieces(request.input.length, convert(request, target))

function* convert({ instructions, input }: TurnRequest, target: PromptTarget): Generator<undefined, Prompt> {
  const { provider, model } = target
  const { notes, items } = yield* toFunctionConversation(input)
  const system = [instructions, ...notes].filter(Boolean).join('\n\n')
  const names = new Map(items.flatMap(({ type, call_id, name }) => (type === 'function_call' ? [[call_id, name]] : [])))
  const nameCall = createNamer(quirksOf(model).callIds ?? CALL_ID)
  const nameFunction = createNamer(FUNCTION_NAME)
  const messages: Message[] = []
  yield* eachOf(items, (item, index) => {
    if (item.type === 'reasoning') add(messages, 'assistant', toReasoning(item))
    else if (item.type === 'function_call')
      add(messages, 'assistant', [
        {
          type: 'tool-call',
          toolCallId: nameCall(item.call_id),
          toolName: nameFunction(item.name),
          input: readArguments(item.arguments),
          ...extrasOf(item),
        },
      ])
    else if (item.type === 'function_call_output') {
      const toolName = nameFunction(names.get(item.call_id))
      const output = toOutput(item.output, provider)
      add(messages, 'tool', [{ type: 'tool-result', toolCallId: nameCall(item.call_id), toolName, output }])
    } else if (item.role === 'assistant') add(messages, 'assistant', toText(item, provider))
    else {
      const parts = toParts(item.content, provider)
      const isLast = index === items.length - 1
      add(messages, 'user', parts.length > 0 || !isLast ? parts : [{ type: 'text', text: NO_TEXT }])
    }
  })
  const talk = withUsersWords(messages.filter(isAnything), model)
  return system === '' ? talk : [{ role: 'system', content: system }, ...talk]
}

/** Adds to the last message when that is of the same role. */
function add(messages: Message[], role: 'user' | 'assistant' | 'tool', parts: readonly object[]): void {
  if (parts.length === 0) return
  const last = messages.at(-1)
  if (last?.role === role) for (const part of parts) (last.content as object[]).push(part)
  else messages.push({ role, content: [...parts] } as Message)
}

/** False for an assistant message with reasoning only: packages drop the reasoning of other providers, and it would be empty. */
const isAnything = ({ role, content }: Message) =>
  role !== 'assistant' || content.some(({ type }) => type !== 'reasoning')

function withUsersWords(messages: Message[], model: string): Message[] {
  const say = (text: string): Message => ({ role: 'user', content: [{ type: 'text', text }] })
  const begins = messages[0]?.role === 'user'
  const ends = messages.at(-1)?.role !== 'assistant' || takesPrefill(model)
  if (begins && ends) return messages
  if (messages.length === 0) return [say(GO_ON)]
  return [...(begins ? [] : [say(BEGINNING)]), ...messages, ...(ends ? [] : [say(GO_ON)])]
}

const dataOf = (item: InputItem): JsonObject => (isObject(item.provider_data) ? item.provider_data : {})

function extrasOf(item: InputItem): Extras {
  const { provider_metadata } = dataOf(item)
  return isObject(provider_metadata) ? { providerOptions: provider_metadata as ProviderOptions } : {}
}

function toReasoning(item: InputItem): AssistantPart[] {
  const extras = extrasOf(item)
  return extras.providerOptions === undefined ? [] : [{ type: 'reasoning', text: saidIn(item.summary), ...extras }]
}

/** Providers refuse blank texts. A blank text of Gemini's stays when it has a thought signature. */
function toText(item: InputItem, provider: string): AssistantPart[] {
  const text = saidIn(item.content)
  const extras = extrasOf(item)
  const isSigned = extras.providerOptions?.[provider]?.thoughtSignature !== undefined
  return isSaid(text) || isSigned ? [{ type: 'text', text, ...extras }] : []
}

/** Providers require an object; other text that the model wrote is sent back to it inside one. */
function readArguments(value: unknown): unknown {
  if (typeof value !== 'string' || value.trim() === '') return {}
  try {
    const read = parseInnerJson(value)
    if (isObject(read)) return toWellFormed(read)
    if (read === null) return {}
  } catch {} // shown below
  return { invalid_arguments: value }
}

/** One text, then the files: the package for Gemini makes one function response of each text, and none without a text. */
function toOutput(output: unknown, provider: string): ToolResult['output'] {
  const parts = Array.isArray(output) ? toParts(output, provider) : []
  const files = parts.filter(({ type }) => type === 'file')
  const texts = parts.flatMap((part) => (part.type === 'text' ? [part.text] : []))
  const said = Array.isArray(output) ? texts.join('\n') : asText(output)
  if (files.length === 0) return { type: 'text', value: isSaid(said) ? said : NO_TEXT }
  return { type: 'content', value: [{ type: 'text', text: said === '' ? FILES_FOLLOW : said }, ...files] }
}

function toParts(content: unknown, provider: string): (TextPart | FilePart)[] {
  if (!Array.isArray(content)) return isSaid(asText(content)) ? [{ type: 'text', text: asText(content) }] : []
  return content.filter(isObject).flatMap((part): (TextPart | FilePart)[] => {
    const file = toFile(part, provider)
    if (file !== undefined) return [file]
    const text = asText(part.text)
    return isSaid(text) ? [{ type: 'text', text }] : []
  })
}

/** Ids of files at OpenAI and Azure. */
const OPENAI_FILE = /^(file|assistant)-/

/** A file or image of a message, or a note about one that the provider cannot read; undefined for other parts. */
function toFile(part: JsonObject, provider: string): FilePart | TextPart | undefined {
  const image = part.type === 'input_image'
  const filename = typeof part.filename === 'string' ? { filename: part.filename } : {}
  if (part.type === 'input_audio' && isObject(part.input_audio)) {
    const { data, format } = part.input_audio
    return { type: 'file', data: { type: 'data', data: asText(data) }, mediaType: `audio/${format}` }
  }
  if (!image && part.type !== 'input_file') return undefined
  const source = [part.image_url, part.file_data, part.file_url].find((value) => typeof value === 'string')
  if (typeof source === 'string') {
    const inline = readDataUrl(source)
    if (inline !== undefined)
      return { type: 'file', data: { type: 'data', data: inline.data }, mediaType: inline.mediaType, ...filename }
    const url = URL.parse(source)
    if (url !== null)
      return { type: 'file', data: { type: 'url', url }, mediaType: mediaTypeOf(url.pathname, image), ...filename }
  }
  if (typeof part.file_id !== 'string') return undefined
  // The files in `file_ids` and `file_urls` are stored at OpenAI; a note tells the model, so that it can tell the user.
  if (OPENAI_FILE.test(part.file_id) && provider !== 'openai')
    return { type: 'text', text: `(The ${image ? 'image' : 'file'} ${part.file_id} cannot be shown to this model.)` }
  const mediaType = mediaTypeOf(asText(part.filename), image)
  return { type: 'file', data: { type: 'reference', reference: { [provider]: part.file_id } }, mediaType, ...filename }
}

const MEDIA_TYPES: { readonly [extension: string]: string } = {
  png: 'image/png',
  gif: 'image/gif',
  webp: 'image/webp',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/plain',
  csv: 'text/csv',
  html: 'text/html',
}

/** By the file name's ending; without a known one, the usual type of an image or PDF. */
function mediaTypeOf(name: string, image: boolean): string {
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const known = Object.hasOwn(MEDIA_TYPES, extension) ? MEDIA_TYPES[extension] : undefined
  return known ?? (image ? 'image/jpeg' : 'application/pdf')
}
