/** Writes large JSON values in pieces, so that the caller can take turns with other work. */
import { Pace } from '../base/async.ts'
import { toWellFormedJson } from './well-formed.ts'

/** Texts from here on are written in pieces. */
export const LONG_CHARS = 262_144
/** Writing this many characters takes about a millisecond. */
export const PIECE_CHARS = 65_536
/** What a value is counted for beside its text, in characters. */
const VALUE_CHARS = 8

/** The size of a value as JSON in UTF-8, about; counting stops beyond `most`. */
export function countJsonBytes(value: unknown, most = Number.POSITIVE_INFINITY): number {
  let bytes = 0
  const waiting: unknown[] = [value]
  while (waiting.length > 0 && bytes <= most) {
    const next = waiting.pop()
    bytes += VALUE_CHARS
    if (typeof next === 'string') bytes += Buffer.byteLength(next)
    else if (Array.isArray(next)) for (const part of next) waiting.push(part)
    else if (typeof next === 'object' && next !== null)
      for (const key of Object.keys(next)) {
        bytes += key.length
        waiting.push((next as { [key: string]: unknown })[key])
      }
  }
  return bytes
}

/** True for a value that is written in one piece: it has less than 256 Ki characters and 32 Ki values. */
export const isShortJson = (value: unknown): boolean => isBelow(value, LONG_CHARS)

const isBelow = (value: unknown, chars: number) => countChars(value, chars) < chars

/** A text in pieces, none of which ends in the middle of a character. */
export function* slices(text: string): Generator<string> {
  for (let start = 0; start < text.length; ) {
    let end = Math.min(start + PIECE_CHARS, text.length)
    if (isPair(text, end)) end++ // half a pair would be written as an escape
    yield text.slice(start, end)
    start = end
  }
}

/** The text that `JSON.stringify` gives; one that is long is written in turns with other work. */
export function toJsonInTurns(value: unknown): string | Promise<string> {
  return isShortJson(value) ? (JSON.stringify(value) ?? 'null') : joinInTurns(writePieces(value))
}

async function joinInTurns(pieces: Iterable<string>): Promise<string> {
  const texts: string[] = []
  const pace = new Pace()
  for (const piece of pieces) {
    texts.push(piece)
    const next = pace.step()
    if (next !== undefined) await next
  }
  return texts.join('')
}

/** The text that `toWellFormedJson` gives: a string when it is short, otherwise UTF-8, written in turns with other work. */
export async function writeJson(value: { readonly [key: string]: unknown }): Promise<string | Buffer<ArrayBuffer>> {
  return isShortJson(value)
    ? toWellFormedJson(JSON.stringify(value))
    : Buffer.concat(await encodeJson(value, toWellFormedJson))
}

/**
 * The text that `JSON.stringify` gives, in pieces of UTF-8 of about 64 KiB, written in turns with other work.
 * @param rewrite changes each piece before it is encoded; no escape is split between two pieces
 */
export async function encodeJson(value: unknown, rewrite = (json: string): string => json): Promise<Buffer[]> {
  const buffers: Buffer[] = []
  const pace = new Pace()
  let gathered = ''
  for (const text of writePieces(value)) {
    gathered += text
    if (gathered.length < PIECE_CHARS) continue
    buffers.push(Buffer.from(rewrite(gathered)))
    gathered = ''
    const next = pace.step()
    if (next !== undefined) await next
  }
  if (gathered !== '') buffers.push(Buffer.from(rewrite(gathered)))
  return buffers
}

/** Pieces of at most some 64 Ki characters before they are escaped. Together they are what `JSON.stringify` gives. */
export function* writePieces(value: unknown): Generator<string> {
  if (typeof value === 'string') yield* writeText(value)
  else if (isBelow(value, PIECE_CHARS) || !isContainer(value)) yield JSON.stringify(value) ?? 'null'
  else if (Array.isArray(value)) yield* writeList(value)
  else yield* writeObject(value)
}

function* writeText(text: string): Generator<string> {
  yield '"'
  for (const slice of slices(text)) yield JSON.stringify(slice).slice(1, -1)
  yield '"'
}

/** True when the characters before and at a place are one surrogate pair. */
const isPair = (text: string, at: number) => (text.codePointAt(at - 1) ?? 0) > 0xffff

/** Short items that stand side by side are written together. */
function* writeList(list: readonly unknown[]): Generator<string> {
  yield '['
  let begin = 0
  let chars = 0
  for (let index = 0; index < list.length; index++) {
    const own = countChars(list[index], PIECE_CHARS)
    chars += own
    if (chars < PIECE_CHARS) continue
    if (begin < index) yield writeItems(list, begin, index)
    const long = own >= PIECE_CHARS
    if (long) {
      if (index > 0) yield ','
      yield* writePieces(list[index])
    }
    begin = long ? index + 1 : index
    chars = long ? 0 : own
  }
  if (begin < list.length) yield writeItems(list, begin, list.length)
  yield ']'
}

const writeItems = (list: readonly unknown[], begin: number, end: number): string =>
  (begin > 0 ? ',' : '') + JSON.stringify(list.slice(begin, end)).slice(1, -1)

function* writeObject(object: { readonly [key: string]: unknown }): Generator<string> {
  let separator = '{'
  for (const [key, value] of Object.entries(object)) {
    if (!isWritten(value)) continue
    yield `${separator}${JSON.stringify(key)}:`
    yield* writePieces(value)
    separator = ','
  }
  yield separator === '{' ? '{}' : '}'
}

/** False for values that `JSON.stringify` leaves out of objects. */
const isWritten = (value: unknown) =>
  typeof value === 'string' || isContainer(value) || JSON.stringify(value) !== undefined

/** False for a value that decides itself how it is written. */
const isContainer = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === 'object' && value !== null && !('toJSON' in value)

/** About how many characters a value is written with; counting stops at `most`. */
function countChars(value: unknown, most: number): number {
  if (typeof value === 'string') return value.length + VALUE_CHARS
  if (typeof value !== 'object' || value === null) return VALUE_CHARS
  let chars = 0
  const waiting: unknown[] = [value]
  while (waiting.length > 0 && chars < most) {
    const next = waiting.pop()
    chars += VALUE_CHARS
    if (typeof next === 'string') chars += next.length
    else if (Array.isArray(next)) {
      chars += VALUE_CHARS * next.length
      if (chars < most) for (const part of next) waiting.push(part)
    } else if (typeof next === 'object' && next !== null)
      for (const key of Object.keys(next)) {
        chars += key.length
        waiting.push((next as { [key: string]: unknown })[key])
      }
  }
  return chars
}
