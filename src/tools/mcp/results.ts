/** Turns the result of an MCP tool into what a model reads. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { ContentPart } from '../../wire/message.ts'
import { toolOutputFile, toolOutputImage, toolOutputText } from '../output.ts'

/** Largest picture or PDF that a model gets, in characters of Base64. */
const MAX_MEDIA_CHARS = 11 * 1024 * 1024
/** Most parts of a result that are read. */
const MAX_PARTS = 1_000
const IMAGES = /^image\/(png|jpeg|gif|webp)$/

/**
 * The output of a call: one text, or parts when there are pictures or files.
 * @param maxBytes how much text is kept
 * @throws an Error with the text of a result that reports a failure
 */
export function readResult(result: unknown, maxBytes: number): string | ContentPart[] {
  const { content, structuredContent, isError } = isObject(result) ? result : {}
  const parts = (Array.isArray(content) ? content.slice(0, MAX_PARTS) : []).filter(isObject).map(toPart)
  if (parts.length === 0 && structuredContent !== undefined) parts.push(JSON.stringify(structuredContent))
  const kept = cutTexts(parts, maxBytes)
  const texts = kept.filter((part) => typeof part === 'string')
  if (isError === true) throw new Error(texts.join('\n') || 'The tool failed without saying why.')
  if (texts.length === kept.length) return texts.join('\n')
  return kept.map((part) => (typeof part === 'string' ? toolOutputText(part) : part))
}

function toPart(block: JsonObject): string | ContentPart {
  switch (block.type) {
    case 'text':
      return String(block.text ?? '')
    case 'image':
      return toMedia(block.data, block.mimeType, 'An image')
    case 'audio':
      return notShown('A recording', block.mimeType, block.data)
    case 'resource':
      return isObject(block.resource) ? toResource(block.resource) : ''
    case 'resource_link':
      return [`Resource ${block.uri}`, block.title ?? block.name, block.description].filter(isText).join(': ')
    default:
      return JSON.stringify(block)
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

function toResource({ uri, text, blob, mimeType }: JsonObject): string | ContentPart {
  if (typeof text === 'string') return `Resource ${uri}:\n${text}`
  return toMedia(blob, mimeType, `The resource ${uri}`, String(uri).split('/').pop())
}

/** A picture or PDF as such; of other bytes only what they are. */
function toMedia(data: unknown, type: unknown, what: string, filename = 'file.pdf'): string | ContentPart {
  const mediaType = String(type ?? '').toLowerCase()
  if (typeof data !== 'string' || data.length > MAX_MEDIA_CHARS) return notShown(what, type, data)
  if (IMAGES.test(mediaType)) return toolOutputImage({ data, mediaType })
  if (mediaType === 'application/pdf') return toolOutputFile({ data, mediaType, filename })
  return notShown(what, type, data)
}

const notShown = (what: string, type: unknown, data: unknown) =>
  `[${what} (${type ?? 'of an unknown type'}, about ${typeof data === 'string' ? Math.floor((data.length * 3) / 4) : 0} bytes) cannot be shown.]`

/** Keeps texts up to the size, in bytes; a note tells the model how much is missing. */
function cutTexts(parts: readonly (string | ContentPart)[], maxBytes: number): (string | ContentPart)[] {
  let left = maxBytes
  return parts.flatMap((part): (string | ContentPart)[] => {
    if (typeof part !== 'string') return [part]
    if (left <= 0) return []
    const bytes = Buffer.from(part)
    const fits = bytes.length <= left
    const text = fits
      ? part
      : `${bytes
          .subarray(0, left)
          .toString('utf8')
          .replace(/\uFFFD$/, '')}\n[The result was cut off here, after ${maxBytes} bytes. Ask for less.]`
    left -= bytes.length
    return [text]
  })
}
