import { saidIn } from '../messages/items.ts'
import { asText, isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { TurnRequest } from './model.ts'

type Json = null | string | number | boolean | Json[] | { [key: string]: Json }
/** What one provider wants back, under its own name. */
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

/** A prompt as AI SDK models of specification v4 take it. */
export type Prompt = (
  | { role: 'system'; content: string }
  | { role: 'user'; content: (TextPart | FilePart)[] }
  | { role: 'assistant'; content: AssistantPart[] }
  | { role: 'tool'; content: ToolResult[] }
)[]

/**
 * Responses items as an AI SDK prompt. Notes of the system join the instructions at the top, where every provider takes
 * them; reasoning goes along where a provider gave data to prove it with; hosted calls are left out.
 * @param provider whose file ids the file ids are
 */
export function toPrompt({ instructions, input }: TurnRequest, provider: string): Prompt {
  const notes = input.filter((item) => item.role === 'system' || item.role === 'developer')
  const system = [instructions, ...notes.map((item) => saidIn(item.content))].filter(Boolean).join('\n\n')
  const prompt: Prompt = system === '' ? [] : [{ role: 'system', content: system }]
  const names = new Map(input.map((item) => [item.call_id, asText(item.name)]))
  const said = (...parts: AssistantPart[]) => {
    const last = prompt.at(-1)
    if (last?.role === 'assistant') last.content.push(...parts)
    else if (parts.length > 0) prompt.push({ role: 'assistant', content: parts })
  }
  for (const item of input) {
    if (item.type === 'reasoning') said(...toReasoning(item))
    else if (item.type === 'function_call')
      said({
        type: 'tool-call',
        toolCallId: asText(item.call_id),
        toolName: asText(item.name),
        input: readArguments(item.arguments),
        ...extrasOf(item),
      })
    else if (item.type === 'function_call_output') {
      const toolCallId = asText(item.call_id)
      const output = toOutput(item.output, provider)
      const result: ToolResult = { type: 'tool-result', toolCallId, toolName: names.get(toolCallId) ?? '', output }
      const last = prompt.at(-1)
      if (last?.role === 'tool') last.content.push(result)
      else prompt.push({ role: 'tool', content: [result] })
    } else if (item.role === 'assistant') {
      const text = saidIn(item.content)
      const extras = extrasOf(item)
      if (text !== '' || extras.providerOptions !== undefined) said({ type: 'text', text, ...extras })
    } else if (item.role === 'user') prompt.push({ role: 'user', content: toParts(item.content, provider) })
  }
  return prompt
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

/** Providers want an object; what the model wrote instead is shown to it as it was. */
function readArguments(value: unknown): unknown {
  if (typeof value !== 'string' || value.trim() === '') return {}
  try {
    const read: unknown = JSON.parse(value)
    if (isObject(read)) return read
  } catch {} // shown below
  return { invalid_arguments: value }
}

function toOutput(output: unknown, provider: string): ToolResult['output'] {
  if (!Array.isArray(output)) return { type: 'text', value: typeof output === 'string' ? output : '' }
  return { type: 'content', value: toParts(output, provider) }
}

function toParts(content: unknown, provider: string): (TextPart | FilePart)[] {
  if (!Array.isArray(content)) return [{ type: 'text', text: typeof content === 'string' ? content : '' }]
  return content.filter(isObject).map((part) => toFile(part, provider) ?? { type: 'text', text: asText(part.text) })
}

/** Ids of files at OpenAI and Azure. */
const OPENAI_FILE = /^(file|assistant)-/

/** A file or image of a message, or a note about one that the provider cannot have; undefined for anything else. */
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
    const inline = /^data:([^;,]+)[^,]*;base64,(.*)$/s.exec(source)
    if (inline !== null)
      return {
        type: 'file',
        data: { type: 'data', data: inline[2] as string },
        mediaType: inline[1] as string,
        ...filename,
      }
    const url = URL.parse(source)
    if (url !== null)
      return { type: 'file', data: { type: 'url', url }, mediaType: mediaTypeOf(url.pathname, image), ...filename }
  }
  if (typeof part.file_id !== 'string') return undefined
  // OpenAI keeps what `file_ids` and `file_urls` name; the model is told, so that it can tell.
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

/** By the name's ending; images and PDF are the usual ones where it says nothing. */
function mediaTypeOf(name: string, image: boolean): string {
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const known = Object.hasOwn(MEDIA_TYPES, extension) ? MEDIA_TYPES[extension] : undefined
  return known ?? (image ? 'image/jpeg' : 'application/pdf')
}
