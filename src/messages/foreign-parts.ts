/** Converts the parts of messages and outputs that other APIs and tools write to those of the Responses API. */
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart } from '../wire/message.ts'
import { describeFile, toSoundFile } from './sound-files.ts'

/**
 * The fields that the Responses API accepts for each type of part; it refuses any other ("Unknown parameter:
 * 'input[0].content[0].cache_control'"). Source: the types of the installed `openai` package; a test compares them.
 */
const FIELDS: { readonly [type: string]: readonly string[] } = {
  input_text: ['text', 'prompt_cache_breakpoint'],
  input_image: ['image_url', 'file_id', 'detail', 'prompt_cache_breakpoint'],
  input_file: ['file_data', 'file_id', 'file_url', 'filename', 'detail', 'prompt_cache_breakpoint'],
  input_audio: ['input_audio'],
  output_text: ['text', 'annotations', 'logprobs'],
  refusal: ['refusal'],
  text: ['text'],
}
const KNOWN: ReadonlyMap<unknown, ReadonlySet<string>> = new Map(
  Object.entries(FIELDS).map(([type, fields]) => [type, new Set(['type', ...fields])]),
)

/** True for a part of a message or an output; false for other data, such as the entry `{ type: 'file', name: 'a.txt' }` of a listing. */
export function isPart(part: unknown): part is JsonObject {
  if (!isObject(part)) return false
  const { type, text, resource } = part
  if (type === 'text') return typeof text === 'string'
  if (KNOWN.has(type) || (typeof type === 'string' && /^(input|output)_[a-z]+$/.test(type))) return true
  return toFilePart(part) !== undefined || (type === 'resource' && isObject(resource))
}

/**
 * A part of a message or an output as the Responses API has it, without fields that the API refuses and without null. A part of an
 * unknown type becomes its text, or its JSON.
 */
export function toResponsesPart(part: unknown): ContentPart {
  if (typeof part === 'string') return { type: 'text', text: part }
  if (!isObject(part)) return { type: 'text', text: part == null ? '' : String(part) }
  const { type } = part
  const fields = KNOWN.get(type)
  if (fields !== undefined) return toSoundFile(withFields(type === 'input_image' ? readImage(part) : part, fields))
  if (type === undefined && typeof part.text === 'string') return { type: 'text', text: part.text }
  const file = toFilePart(part)
  return file === undefined ? toTextPart(part) : toSoundFile(file)
}

/** A part of a message by this role: the assistant's messages are texts for every API, so a file in one becomes a note. */
export function toMessagePart(part: unknown, role: unknown): ContentPart {
  const read = toResponsesPart(part)
  return role === 'assistant' && /^input_(image|file|audio)$/.test(read.type) ? describeFile(read) : read
}

/** The texts of an assistant's message. A file in it becomes a note; parts with neither, such as thinking, are left out. */
export function assistantTexts(content: unknown): string[] {
  if (typeof content === 'string') return [content]
  if (!Array.isArray(content)) return []
  return content.flatMap((part) => {
    const { text, refusal } = isPart(part) ? toMessagePart(part, 'assistant') : isObject(part) ? part : {}
    const said = text ?? refusal
    return typeof said === 'string' ? [said] : []
  })
}

/** The same part when it has no other fields. */
function withFields(part: JsonObject, fields: ReadonlySet<string>): ContentPart {
  if (Object.keys(part).every((key) => part[key] !== null && fields.has(key))) return part as ContentPart
  return Object.fromEntries(
    Object.entries(part).filter(([key, value]) => value != null && fields.has(key)),
  ) as ContentPart
}

/** An image with the fields of the Agents SDK (`image`), or of Chat Completions. */
function readImage(part: JsonObject): JsonObject {
  const { image, image_url: url, ...rest } = part
  if (isObject(url)) return { ...rest, image_url: url.url, detail: rest.detail ?? url.detail }
  if (image === undefined) return part
  return isObject(image) ? { ...rest, file_id: image.id } : { ...rest, image_url: image }
}

function toFilePart(part: JsonObject): ContentPart | undefined {
  const { type, image_url: address, file, source, inlineData: inline, resource } = part
  if (type === 'image_url') {
    const { url, detail } = isObject(address) ? address : { url: address }
    return { type: 'input_image', image_url: url, ...(typeof detail === 'string' ? { detail } : {}) }
  }
  if (type === 'file' && isObject(file))
    return withFields({ type: 'input_file', ...file }, KNOWN.get('input_file') as Set<string>)
  if (isObject(source)) return fromSource(part, source)
  if (isObject(inline)) return fromData(inline.mimeType, inline.data, part)
  if (type === 'resource' && isObject(resource) && typeof resource.blob === 'string')
    return fromData(resource.mimeType, resource.blob, { filename: resource.uri })
  if (type === 'image' || type === 'file' || type === 'audio')
    return fromData(
      part.mediaType ?? part.mimeType ?? part.mime_type,
      part.data ?? part.image ?? part.url ?? part.base64,
      part,
    )
  return undefined
}

/** Anthropic's images and documents. */
function fromSource(part: JsonObject, source: JsonObject): ContentPart | undefined {
  const title = part.title ?? part.name
  const named = typeof title === 'string' ? { filename: title } : {}
  if (typeof source.file_id === 'string')
    return part.type === 'image'
      ? { type: 'input_image', file_id: source.file_id }
      : { type: 'input_file', file_id: source.file_id }
  if (source.type === 'text' && typeof source.data === 'string') return { type: 'text', text: source.data }
  return fromData(source.media_type, source.data ?? source.url, { ...named, type: part.type })
}

/** A file from its data or address. */
function fromData(mediaType: unknown, data: unknown, { type, filename }: JsonObject): ContentPart | undefined {
  if (typeof data !== 'string' || data === '') return undefined
  const media = typeof mediaType === 'string' ? mediaType : type === 'image' ? 'image/png' : 'application/octet-stream'
  const isAddress = /^(data:|https?:)/i.test(data)
  const url = isAddress ? data : `data:${media};base64,${data}`
  const isImage = media.startsWith('image') || data.startsWith('data:image/')
  if (isImage) return { type: 'input_image', image_url: url }
  const named = typeof filename === 'string' ? { filename } : {}
  return data.startsWith('http')
    ? { type: 'input_file', file_url: data }
    : { type: 'input_file', file_data: url, ...named }
}

/** What can be said of a part that no API here accepts. */
function toTextPart(part: JsonObject): ContentPart {
  const { type, text, resource, title, url, uri } = part
  if (typeof type === 'string' && /^(input|output|computer|summary|reasoning)_/.test(type)) return part as ContentPart
  if (typeof text === 'string') return { type: 'text', text }
  if (isObject(resource) && typeof resource.text === 'string') return { type: 'text', text: resource.text }
  const address = url ?? uri
  if (typeof address === 'string')
    return { type: 'text', text: [title, address].filter((one) => typeof one === 'string').join(' ') }
  return { type: 'text', text: JSON.stringify(part) }
}
