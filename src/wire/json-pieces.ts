/** Parses large JSON in small pieces, so that the caller can take turns with other work. */
import { randomUUID } from 'node:crypto'
import { Pace } from '../base/async.ts'
import { type JsonBounds, type JsonCut, JsonMeter, JsonRefused, refuseProtoKey } from './json-meter.ts'

/** Parsing this much takes a few milliseconds at most, whatever it is. Longer strings are parsed in slices of this length. */
const PIECE_BYTES = 65_536

const UNBOUNDED: JsonBounds = {
  depth: Number.POSITIVE_INFINITY,
  keys: Number.POSITIVE_INFINITY,
  values: Number.POSITIVE_INFINITY,
}

/** The value of our own JSON, which comes in pieces, parsed in turns with other work. @throws SyntaxError */
export async function parseInTurns(pieces: Iterable<string>): Promise<unknown> {
  const text = new JsonText(UNBOUNDED)
  const buffers: Buffer[] = []
  const pace = new Pace()
  for (const piece of pieces) {
    const bytes = Buffer.from(piece)
    text.add(bytes)
    buffers.push(bytes)
    const next = pace.step()
    if (next !== undefined) await next
  }
  const whole = Buffer.concat(buffers)
  try {
    return await text.parse(whole)
  } catch (error) {
    if (error instanceof JsonRefused) return JSON.parse(whole.toString()) // a key `__proto__` of our own is plain data
    throw error
  }
}

/** A JSON text in UTF-8 that is metered while it arrives and parsed when it is complete. */
export class JsonText {
  readonly #meter: JsonMeter
  readonly #pieceBytes: number

  /** @param pieceBytes default 64 KiB; tests make it small */
  constructor(bounds: JsonBounds, pieceBytes = PIECE_BYTES) {
    this.#meter = new JsonMeter(bounds, pieceBytes)
    this.#pieceBytes = pieceBytes
  }

  /** Values so far. */
  get values(): number {
    return this.#meter.values
  }

  /** Reads the next bytes. @throws JsonRefused */
  add(bytes: Buffer): void {
    this.#meter.feed(bytes.toString('latin1'))
  }

  /**
   * The value of the text; `whole` is everything that was added, as one. Gives way to other work every few milliseconds.
   * @throws SyntaxError for what is not JSON, JsonRefused for the key `__proto__`
   */
  async parse(whole: Buffer): Promise<unknown> {
    const { cuts, longStrings, isBetweenStrings } = this.#meter
    if (!isBetweenStrings) throw new SyntaxError('a string without its end')
    const tree = new Assembly(whole)
    const pace = new Pace()
    let long = 0
    for (let index = 0; index <= cuts.length; index++) {
      const before = cuts[index - 1]
      const after = cuts[index]
      let start = before === undefined ? textStart(whole) : before.at + 1
      let piece = ''
      for (
        let place = longStrings[long];
        place !== undefined && place[1] <= end(after, whole);
        place = longStrings[++long]
      ) {
        piece += whole.toString('utf8', start, place[0]) + tree.keep(await this.#parseString(whole, place, pace))
        start = place[1]
      }
      tree.add(piece + whole.toString('utf8', start, after?.at), before, after)
      const next = pace.step()
      if (next !== undefined && index < cuts.length) await next
    }
    return tree.root
  }

  /** A long string, parsed in slices. @throws SyntaxError */
  async #parseString(whole: Buffer, [open, end]: readonly [number, number], pace: Pace): Promise<string> {
    const slices: string[] = []
    for (let start = open + 1; start < end - 1; ) {
      const stop = sliceEnd(whole, start, Math.min(start + this.#pieceBytes, end - 1), end - 1)
      slices.push(JSON.parse(`"${whole.toString('utf8', start, stop)}"`))
      start = stop
      const next = pace.step()
      if (next !== undefined) await next
    }
    return slices.join('')
  }
}

const end = (cut: JsonCut | undefined, whole: Buffer) => cut?.at ?? whole.length

const BACKSLASH = 92
const LETTER_U = 117

/** Where a slice of a string may end, at `at` or up to 6 bytes later: not in a character of UTF-8 and not in an escape. */
function sliceEnd(bytes: Buffer, start: number, at: number, last: number): number {
  const slash = bytes.lastIndexOf(BACKSLASH, at - 1)
  if (slash >= start && slash >= at - ESCAPE_BYTES) {
    let first = slash
    while (first > start && bytes[first - 1] === BACKSLASH) first--
    const escapes = (slash - first) % 2 === 0 // otherwise it is escaped itself
    if (escapes) at = Math.max(at, slash + (bytes[slash + 1] === LETTER_U ? ESCAPE_BYTES : 2))
  }
  let end = Math.min(at, last)
  while (end < last && ((bytes[end] as number) & 0xc0) === 0x80) end++
  return end
}

/** The longest escape: a backslash, `u` and four digits. */
const ESCAPE_BYTES = 6

/** Where the text begins: behind its byte order mark. */
const textStart = (bytes: Buffer) => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)

type Container = unknown[] | { [key: string]: unknown }

/** Puts the pieces of a text together again. Each is made whole with brackets, parsed, and joined to what is open. */
class Assembly {
  root: unknown
  readonly #text: Buffer
  /** Stands for the key of an object that began in an earlier piece. Nobody can guess it. */
  readonly #mark = randomUUID()
  /** The containers that are open. */
  #open: Container[] = []
  /** Long strings of the next piece, which are parsed on their own. */
  #long: string[] = []

  constructor(text: Buffer) {
    this.#text = text
  }

  /** Keeps a long string of the next piece. @returns what stands for it there */
  keep(text: string): string {
    return `"${this.#mark}${this.#long.push(text) - 1}"`
  }

  /** @param before the cut where the piece begins; `after`: where it ends */
  add(piece: string, before: JsonCut | undefined, after: JsonCut | undefined): void {
    const value = this.#parse(this.#openers(before) + piece + closers(after))
    if (before === undefined) {
      this.root = value
      this.#open = [value as Container]
    } else this.#join(value as Container)
    if (after !== undefined) this.#follow(after, before)
  }

  /** @throws SyntaxError, JsonRefused */
  #parse(text: string): unknown {
    refuseProtoKey(text)
    if (this.#long.length === 0) return JSON.parse(text)
    const long = this.#long
    this.#long = []
    return JSON.parse(text, (_, value: unknown) =>
      typeof value === 'string' && value.startsWith(this.#mark) ? long[Number(value.slice(this.#mark.length))] : value,
    )
  }

  #openers(cut: JsonCut | undefined): string {
    if (cut === undefined) return ''
    const last = cut.open.length - 1
    return Array.from(cut.open, (bracket, level) =>
      bracket === '{' && level < last ? `{"${this.#mark}":` : bracket,
    ).join('')
  }

  /** Adds a piece to the containers that were open at its start. */
  #join(value: Container): void {
    let part = value
    for (const [level, target] of this.#open.entries()) {
      const isLast = level === this.#open.length - 1
      if (isLast && isEmpty(part)) throw new SyntaxError('nothing behind a comma')
      const next = Array.isArray(part) ? part[0] : part[this.#mark]
      if (Array.isArray(target)) {
        const list = part as unknown[]
        for (let index = isLast ? 0 : 1; index < list.length; index++) target.push(list[index])
      } else for (const [key, own] of Object.entries(part)) if (isLast || key !== this.#mark) target[key] = own
      part = next as Container
    }
  }

  /** Finds the containers that are open at the end of a piece. */
  #follow({ open, kept, keys }: JsonCut, before: JsonCut | undefined): void {
    this.#open.length = before === undefined ? 1 : kept
    for (let level = this.#open.length; level < open.length; level++) {
      const parent = this.#open[level - 1] as Container
      const [start, end] = keys[level - 1] as readonly [number, number]
      const child = Array.isArray(parent) ? parent.at(-1) : parent[JSON.parse(this.#text.toString('utf8', start, end))]
      if (typeof child !== 'object' || child === null) throw new SyntaxError('a key that JSON.parse reads otherwise')
      this.#open.push(child as Container)
    }
    if (isEmpty(this.#open.at(-1) as Container)) throw new SyntaxError('nothing before a comma')
  }
}

const closers = (cut: JsonCut | undefined): string =>
  cut === undefined
    ? ''
    : Array.from(cut.open, (bracket) => (bracket === '{' ? '}' : ']'))
        .reverse()
        .join('')

const isEmpty = (container: Container) => (Array.isArray(container) ? container : Object.keys(container)).length === 0
