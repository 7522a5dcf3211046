/** Converts content between AG-UI parts and Responses items. */
import { readDataUrl } from '../../messages/items.ts'
import type { ResponseEvent } from '../../models/model.ts'
import type { AguiPart } from '../../wire/agui.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import type { ContentPart, InputItem } from '../../wire/message.ts'

/** The names under which hosted tools appear in AG-UI. */
export const FILE_SEARCH = 'FileSearchTool'
export const CODE_INTERPRETER = 'CodeInterpreterTool'

/** The tool name of a call in AG-UI; undefined for items that are not calls, and for calls that AG-UI does not show. */
export function toolNameOf(item: InputItem): string | undefined {
  if (item.type === 'function_call') return String(item.name)
  if (item.type === 'file_search_call') return FILE_SEARCH
  return item.type === 'code_interpreter_call' ? CODE_INTERPRETER : undefined
}

/** The result of a call that its provider made, which is part of the call; undefined for other items. */
export function hostedResultOf(item: InputItem): string | undefined {
  const results = item.type === 'file_search_call' ? item.results : item.outputs
  return item.type === 'file_search_call' || item.type === 'code_interpreter_call'
    ? JSON.stringify(results ?? [])
    : undefined
}

/** The objects of a list; empty for anything but a list. */
export const partsOf = (list: unknown): JsonObject[] => (Array.isArray(list) ? list.filter(isObject) : [])

/** The place of an event's item in its response. Ids are not reliable: some gateways change them within a stream. */
export const placeOf = ({ output_index, item_id, item }: ResponseEvent): unknown =>
  typeof output_index === 'number' ? output_index : (item_id ?? (isObject(item) ? item.id : undefined))

/** The content of a complete item: its text, or a call's arguments as JSON. */
export function contentOf(item: InputItem): string {
  switch (item.type) {
    case 'function_call':
      return typeof item.arguments === 'string' ? item.arguments : ''
    case 'file_search_call':
      return JSON.stringify({ queries: item.queries ?? [] })
    case 'code_interpreter_call':
      return JSON.stringify({ code: item.code ?? '', container_id: item.container_id ?? null })
    case 'reasoning':
      return [...partsOf(item.summary), ...partsOf(item.content)].map((part) => String(part.text ?? '')).join('\n\n')
    default:
      return partsOf(item.content)
        .map((part) => String(part.text ?? part.refusal ?? ''))
        .join('')
  }
}

/** A tool's output. Only clients of protocol 1.0 accept parts; others get the texts, and a name in brackets for each other part. */
export function toResult(output: unknown, modern: boolean): string | AguiPart[] {
  if (!Array.isArray(output)) return typeof output === 'string' ? output : JSON.stringify(output ?? '')
  const parts = partsOf(output)
  if (modern) return parts.map(toPart)
  return parts
    .map((part) => String(part.text ?? `[${part.filename ?? String(part.type).replace('input_', '')}]`))
    .join('\n')
}

function toPart(part: JsonObject): AguiPart {
  if (part.type === 'input_text') return { type: 'text', text: String(part.text) }
  const type = part.type === 'input_image' ? 'image' : 'document'
  const metadata = typeof part.filename === 'string' ? { metadata: { filename: part.filename } } : {}
  if (typeof part.file_id === 'string') return { type, source: { type: 'file', value: part.file_id }, ...metadata }
  const url = String(part.image_url ?? part.file_url ?? part.file_data ?? '')
  const inline = readDataUrl(url)
  if (inline === undefined) return { type, source: { type: 'url', value: url }, ...metadata }
  return { type, source: { type: 'data', value: inline.data, mimeType: inline.mediaType }, ...metadata }
}

/** A message's content in the form of the Responses API. */
export const toContent = (content: string | readonly AguiPart[]): string | ContentPart[] =>
  typeof content === 'string' ? content : content.map(toInputPart)

function toInputPart(part: AguiPart): ContentPart {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text }
    case 'image':
      return toImage(toPlace(part.source))
    case 'document':
    case 'audio':
    case 'video':
      return toFile(toPlace(part.source), isObject(part.metadata) ? part.metadata.filename : undefined)
    case 'binary': {
      const { mimeType, id, url, data, filename } = part
      const place = id ? { id } : url ? { url } : { data: toDataUrl(mimeType, data ?? ''), mimeType }
      return mimeType.startsWith('image/') ? toImage(place) : toFile(place, filename)
    }
    default:
      return part satisfies never
  }
}

/** Where the bytes of a part are; `data` is a data URL. */
type Place = { id: string } | { url: string } | { data: string; mimeType: string }

function toPlace(source: Extract<AguiPart, { type: 'image' }>['source']): Place {
  if (source.type === 'file') return { id: source.value }
  if (source.type === 'url') return { url: source.value }
  return { data: toDataUrl(source.mimeType, source.value), mimeType: source.mimeType }
}

const toDataUrl = (mimeType: string, data: string) =>
  data.startsWith('data:') ? data : `data:${mimeType};base64,${data}`

function toImage(place: Place): ContentPart {
  const image = { type: 'input_image', detail: 'auto' }
  if ('id' in place) return { ...image, file_id: place.id }
  return { ...image, image_url: 'url' in place ? place.url : place.data }
}

/** A file part. The Responses API refuses inline bytes without a file name, so one is made from the media type. */
function toFile(place: Place, filename: unknown): ContentPart {
  const name = typeof filename === 'string' && filename !== '' ? { filename } : {}
  if ('id' in place) return { type: 'input_file', file_id: place.id, ...name }
  if ('url' in place) return { type: 'input_file', file_url: place.url, ...name }
  const [extension] = /^\w*/.exec(place.mimeType.slice(place.mimeType.lastIndexOf('/') + 1)) as RegExpExecArray
  return { type: 'input_file', file_data: place.data, filename: `attachment.${extension}`, ...name }
}
