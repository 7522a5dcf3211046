/** Reads what an API answered: a text, a picture or a document for the model, or the error of the tool. */
import { STATUS_CODES } from 'node:http'
import type { ContentPart } from '../../wire/message.ts'
import { toolOutputFile, toolOutputImage } from '../output.ts'
import type { HttpAnswer } from './exchange.ts'

/** Largest picture or PDF that a model gets, in bytes. */
const MAX_MEDIA_BYTES = 8 * 1024 * 1024
/** How much of an error's body a model gets, in characters. */
const MAX_ERROR_CHARS = 4_000

const IMAGES = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp'])
const isMedia = (type: string) => IMAGES.has(type) || type === 'application/pdf'
const isJson = (type: string) => type === 'application/json' || type.endsWith('+json')
const isText = (type: string) =>
  isJson(type) || /^(|text\/.*|application\/(xml|.*\+xml|yaml|x-yaml|javascript|x-ndjson|graphql.*))$/.test(type)

/** How much is read of an answer. */
export const bytesToRead =
  (maxResultBytes: number) =>
  (mediaType: string): number =>
    isMedia(mediaType) ? MAX_MEDIA_BYTES : maxResultBytes

/**
 * The result of the tool.
 * @param redact masks the credentials of the call
 * @throws an Error with the status and the answer's text, for the model, when the API did not do what it was asked
 */
export function readResult(answer: HttpAnswer, what: string, redact: (text: string) => string): string | ContentPart {
  const { status, mediaType, bytes, cut } = answer
  if (status >= 300) throw new Error(redact(refusal(answer, what)))
  if (bytes.length === 0) return `${what} was answered with HTTP ${status} without content.`
  if (isText(mediaType)) return redact(compact(answer)) + (cut ? cutNote(bytes.length) : '')
  if (isMedia(mediaType) && !cut) {
    const name = `answer.${mediaType.split('/')[1]}`
    return IMAGES.has(mediaType)
      ? toolOutputImage({ data: bytes, mediaType })
      : toolOutputFile({ data: bytes, mediaType, filename: name })
  }
  return `${what} was answered with ${mediaType}, ${cut ? 'more than ' : ''}${bytes.length} bytes, which cannot be shown.`
}

const cutNote = (bytes: number) =>
  `\n[The answer was cut off here, after ${bytes} bytes. Ask for less: a filter, fewer fields, or a smaller page.]`

/** JSON without its spaces; any other text as it is. */
function compact(answer: HttpAnswer): string {
  const text = decode(answer)
  if (!isJson(answer.mediaType) || answer.cut) return text
  try {
    return JSON.stringify(JSON.parse(text))
  } catch {
    return text // it says JSON and is none: the model may still read it
  }
}

function decode({ bytes, header }: HttpAnswer): string {
  const charset = /charset="?([\w-]{1,40})/i.exec(header('content-type') ?? '')?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return bytes.toString('utf8') // a charset that Node does not know
  }
}

function refusal(answer: HttpAnswer, what: string): string {
  const { status, mediaType, header } = answer
  const text = isText(mediaType) ? compact(answer).slice(0, MAX_ERROR_CHARS).trim() : ''
  const retry = header('retry-after')
  const notes = [
    ...(status < 400 ? ['It is a redirect, which is not followed.'] : []),
    ...(retry === undefined ? [] : [`Try again after: ${retry.slice(0, 40)}.`]),
    ...(text === '' ? [] : [`It says: ${text}`]),
  ]
  return [`${what} was answered with HTTP ${`${status} ${STATUS_CODES[status] ?? ''}`.trim()}.`, ...notes].join(' ')
}
