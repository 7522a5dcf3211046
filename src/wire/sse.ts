/** Frames of server-sent events. */
import { isShortJson, LONG_CHARS, slices, writePieces } from './json-write.ts'

/** U+0085, U+2028 and U+2029 end a line for some clients. Escaped, the JSON has the same meaning. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g

export const escapeLineEnds = (json: string) =>
  json.replace(LINE_ENDS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** Compact JSON that stays on one line for every reader of an event stream. */
export const toJson = (value: unknown) => escapeLineEnds(JSON.stringify(value))

/** A server-sent event without a name (HTML standard, "Server-sent events"). */
export const frame = (json: string) => `data: ${json}\n\n`

/** Frames as one text, or in pieces when they are long. */
export type FrameText = string | Iterable<string>

/** `frame(toJson(value))`; in pieces when it is long. */
export const valueFrame = (value: unknown): FrameText =>
  isShortJson(value) ? frame(toJson(value)) : pieceFrame('', writePieces(value), '')

/** `frame(head + json + tail)` for finished JSON; in pieces when it is long. */
export function jsonFrame(head: string, json: string, tail: string): FrameText {
  const short = json.length < LONG_CHARS
  return short ? frame(head + escapeLineEnds(json) + tail) : pieceFrame(head, slices(json), tail)
}

function* pieceFrame(head: string, pieces: Iterable<string>, tail: string): Generator<string> {
  yield `data: ${head}`
  for (const piece of pieces) yield escapeLineEnds(piece)
  yield `${tail}\n\n`
}

/** Concatenates frames: one text when all of them are. */
export function joinFrames(parts: readonly FrameText[]): FrameText {
  let out = ''
  for (const part of parts) {
    if (typeof part !== 'string') return flatten(parts)
    out += part
  }
  return out
}

/** The frames of all values. */
export function mapFrames<T>(values: readonly T[], toFrame: (value: T) => FrameText): FrameText {
  let out = ''
  for (let index = 0; index < values.length; index++) {
    const text = toFrame(values[index] as T)
    if (typeof text !== 'string') return joinFrames([out, text, ...values.slice(index + 1).map(toFrame)])
    out += text
  }
  return out
}

function* flatten(parts: readonly FrameText[]): Generator<string> {
  for (const part of parts)
    if (typeof part === 'string') yield part
    else yield* part
}
