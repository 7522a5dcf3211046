/** Results of tools: what the model gets, and what readers of a stream get. */
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart } from '../wire/message.ts'
import { toJsonValue } from './json-value.ts'

/** The output of a call as sent to the model: a text, or content parts. */
export type ToolOutput = string | ContentPart[]

/** The result of a call. */
export interface ToolAnswer {
  /** The output for the model. */
  output: ToolOutput
  /** The output in stream events: the value as plain JSON, with content parts in the original's shape. */
  value: unknown
  /** The output says why the call failed. */
  failed?: true
}

/** The content of an image or file: exactly one of `url`, `fileId` and `data`. */
export interface OutputSource {
  /** An http(s) address that the provider can reach, or a data URL. */
  url?: string
  /** The id of an uploaded file. */
  fileId?: string
  /** The bytes, or their base64 text. */
  data?: Uint8Array | string
  /** The media type of `data`, such as `image/png`. @default 'image/png' for images, 'text/plain' for files */
  mediaType?: string
}

/** Creates a text part, for a result that also has images or files. */
export const toolOutputText = (text: string): ContentPart => ({ type: 'input_text', text })

/** Creates an image part for the model: `return toolOutputImage({ data: await readFile('chart.png'), mediaType: 'image/png' })`. @throws INVALID_TOOL without a source */
export function toolOutputImage({
  detail,
  ...source
}: OutputSource & { detail?: 'low' | 'high' | 'auto' }): ContentPart {
  const image = toImage(source)
  if (image === undefined) throw noSource('toolOutputImage')
  return { type: 'input_image', ...image, ...(detail === undefined ? {} : { detail }) }
}

/** Creates a file part for the model. @throws INVALID_TOOL without a source */
export function toolOutputFile({ filename, ...source }: OutputSource & { filename?: string }): ContentPart {
  const file = toFile(source)
  if (file === undefined) throw noSource('toolOutputFile')
  return { type: 'input_file', ...file, ...(filename === undefined ? {} : { filename }) }
}

const noSource = (helper: string) => invalidTool(`${helper}() needs a url, a fileId, or data with its mediaType.`)

/**
 * Converts the return value of a tool. The model gets a text unchanged, content parts (of this package or of the Agents SDK,
 * alone or in a list with texts) as parts, null and undefined as an empty text, an error as its message, and any other value as
 * JSON (see `toJsonValue`).
 */
export function toAnswer(value: unknown): ToolAnswer {
  if (typeof value === 'string') return ofText(value)
  if (value === undefined || value === null) return { output: '', value: null }
  const parts = (Array.isArray(value) ? value : [value]).map((item) => toPart(item) ?? item)
  // Plain data from here on; a value that JSON cannot write throws, and counts as a failure of the tool.
  if (parts.some(isPart) && parts.every((part) => isPart(part) || typeof part === 'string')) {
    const output: ContentPart[] = JSON.parse(
      JSON.stringify(parts.map((part) => (typeof part === 'string' ? toolOutputText(part) : part))),
    )
    const shown = output.map(toOriginalPart)
    return { output, value: Array.isArray(value) ? shown : shown[0] }
  }
  const plain = toJsonValue(value) ?? null
  if (plain === null) return { output: '', value: null }
  return typeof plain === 'string' ? ofText(plain) : { output: JSON.stringify(plain), value: plain }
}

/** Half of a pair of surrogates, which a text that was cut may end in, becomes U+FFFD: providers refuse a request that has one. */
function ofText(given: string): ToolAnswer {
  const text = given.toWellFormed()
  return { output: text, value: text }
}

/** A part in the original's shape, with unset fields as null (docs/wire.md, "Stream"). */
function toOriginalPart({ type, ...part }: ContentPart): JsonObject {
  const all = (names: string[]) => Object.fromEntries(names.map((name) => [name, part[name] ?? null]))
  switch (type) {
    case 'input_text':
      return { type: 'text', text: part.text }
    case 'input_image':
      return { type: 'image', ...all(['image_url', 'file_id', 'detail']) }
    default:
      return { type: 'file', ...all(['file_data', 'file_url', 'file_id', 'filename']) }
  }
}

const isPart = (value: unknown) => isObject(value) && /^input_(text|image|file)$/.test(String(value.type))

/**
 * Converts a part of the Agents SDK; undefined for parts that need no conversion and for other values. The Agents SDK puts the
 * source in `image` or `file`, or next to `type` under longer names (a plain `url` or `id` there is the tool's own data).
 */
function toPart(value: unknown): ContentPart | undefined {
  if (!isObject(value)) return undefined
  const { type, detail } = value
  if (type === 'text' && typeof value.text === 'string') return toolOutputText(value.text)
  if (type === 'image' || (type === 'input_image' && 'image' in value)) {
    const image = toImage(value.image === undefined ? readLongNames(value, 'image') : readSource(value.image))
    return image && { type: 'input_image', ...image, ...(typeof detail === 'string' ? { detail } : {}) }
  }
  if (type !== 'file' && !(type === 'input_file' && 'file' in value)) return undefined
  const file = toFile(value.file === undefined ? readLongNames(value, 'file') : readSource(value.file))
  const filename = (isObject(value.file) ? value.file.filename : undefined) ?? value.filename
  return file && { type: 'input_file', ...file, ...(typeof filename === 'string' ? { filename } : {}) }
}

function readSource(value: unknown): OutputSource {
  if (typeof value === 'string') return /^(https?|data):/.test(value) ? { url: value } : { data: value }
  if (!isObject(value)) return {}
  return toSource(value.url, value.data, value.fileId ?? value.id, value.mediaType)
}

function readLongNames(value: JsonObject, kind: 'image' | 'file'): OutputSource {
  const url = value[`${kind}Url`] ?? value[`${kind}_url`]
  const data = kind === 'image' ? value.data : (value.fileData ?? value.file_data)
  return toSource(url, data, value.fileId ?? value.file_id, value.mediaType ?? value.mimeType)
}

const toSource = (url: unknown, data: unknown, fileId: unknown, mediaType: unknown): OutputSource => ({
  ...(typeof url === 'string' ? { url } : {}),
  ...(typeof data === 'string' || data instanceof Uint8Array ? { data } : {}),
  ...(typeof fileId === 'string' ? { fileId } : {}),
  ...(typeof mediaType === 'string' ? { mediaType } : {}),
})

function toImage({ url, data, fileId, mediaType = 'image/png' }: OutputSource): JsonObject | undefined {
  if (url !== undefined) return { image_url: url }
  if (data !== undefined) return { image_url: toDataUrl(data, mediaType) }
  return fileId === undefined ? undefined : { file_id: fileId }
}

function toFile({ url, data, fileId, mediaType = 'text/plain' }: OutputSource): JsonObject | undefined {
  if (url !== undefined) return url.startsWith('data:') ? { file_data: url } : { file_url: url }
  if (data !== undefined) return { file_data: toDataUrl(data, mediaType) }
  return fileId === undefined ? undefined : { file_id: fileId }
}

const toDataUrl = (data: Uint8Array | string, mediaType: string) =>
  typeof data === 'string' && data.startsWith('data:')
    ? data
    : `data:${mediaType};base64,${typeof data === 'string' ? data : Buffer.from(data).toString('base64')}`
