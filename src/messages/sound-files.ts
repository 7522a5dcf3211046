/** Makes the files in parts sound: one that is empty or misnamed makes providers refuse every later request of a conversation. */
import { asText } from '../wire/json.ts'
import type { ContentPart } from '../wire/message.ts'

/** The start of a file's base64 text -> its media type. */
const SIGNATURES: readonly [RegExp, string][] = [
  [/^iVBORw0KGgo/, 'image/png'],
  [/^\/9j\//, 'image/jpeg'],
  [/^R0lGOD[dl]h/, 'image/gif'],
  [/^UklGR.{7}RUJQ/, 'image/webp'],
  [/^JVBERi0/, 'application/pdf'],
]
const HEAD_CHARS = 32

/**
 * An image or file as a data URL with the media type of its bytes, an address or an id; a note for one without content. The same
 * part when nothing is wrong with it. Sources: "image cannot be empty" (anthropics/claude-code/issues/8947), "Image does not match
 * the provided media type" (anthropics/claude-code/issues/12009).
 */
export function toSoundFile(part: ContentPart): ContentPart {
  const field = part.type === 'input_image' ? 'image_url' : part.type === 'input_file' ? 'file_data' : undefined
  if (field === undefined || isFilled(part.file_id) || isFilled(part.file_url)) return part
  const source = asText(part[field])
  const sound = source.startsWith('data:') ? fromDataUrl(source) : fromText(source, field)
  if (sound === undefined) return describeFile(part)
  return sound === source ? part : { ...part, [field]: sound }
}

/** What can be said of a file that is not sent. */
export function describeFile({ type, filename, file_id, image_url, file_url }: ContentPart): ContentPart {
  const names = [filename, file_id, image_url, file_url].map(asText)
  const name = names.find((text) => text !== '' && !text.startsWith('data:') && URL.canParse(text, 'http://file'))
  const kind = type === 'input_image' ? 'image' : type === 'input_audio' ? 'recording' : 'file'
  return {
    type: 'text',
    text: `(The ${[kind, name?.slice(0, MAX_NAME_CHARS)].filter(Boolean).join(' ')} cannot be shown.)`,
  }
}
const MAX_NAME_CHARS = 256

const isFilled = (value: unknown) => typeof value === 'string' && value !== ''

/** Undefined for an address without data. */
function fromDataUrl(url: string): string | undefined {
  const comma = url.indexOf(',')
  if (comma === -1 || comma === url.length - 1) return undefined
  const head = url.slice(0, comma)
  const type = head.endsWith(';base64') ? typeOf(url.slice(comma + 1, comma + 1 + HEAD_CHARS)) : undefined
  return type === undefined || head.startsWith(`data:${type};`) ? url : `data:${type};base64${url.slice(comma)}`
}

/** An address, or base64 text that lacks the address around it. */
function fromText(text: string, field: 'image_url' | 'file_data'): string | undefined {
  const type = typeOf(text.slice(0, HEAD_CHARS))
  if (type !== undefined) return `data:${type};base64,${text}`
  return text !== '' && (field === 'file_data' || URL.canParse(text)) ? text : undefined
}

const typeOf = (base64: string): string | undefined => SIGNATURES.find(([start]) => start.test(base64))?.[1]
