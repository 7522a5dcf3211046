/** Parses large JSON in small pieces, so that whoever parses can take turns with other work. */
import { randomUUID } from 'node:crypto'
import { takeTurn } from '../base/async.ts'
import { type JsonBounds, type JsonCut, JsonMeter, refuseProtoKey } from './json-meter.ts'

/** Parsing this much takes some milliseconds at most, whatever it is; only a single string is not split. */
const PIECE_BYTES = 65_536

/** A piece of a long string; decoding and parsing it are two turns. */
const LONG_CHARS = 1024 * 1024

/** How long pieces are parsed before others get their turn, in milliseconds. */
const TURN_MS = 10

/** A JSON text in UTF-8 that is metered while it arrives and parsed when it is complete. */
export class JsonText {
  readonly #meter: JsonMeter

  /** @param pieceBytes default 64 KiB; tests make it small */
  constructor(bounds: JsonBounds, pieceBytes = PIECE_BYTES) {
    this.#meter = new JsonMeter(bounds, pieceBytes)
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
    const { cuts } = this.#meter
    const tree = new Assembly(whole)
    let began = performance.now()
    for (let index = 0; index <= cuts.length; index++) {
      const before = cuts[index - 1]
      const after = cuts[index]
      const start = before === undefined ? textStart(whole) : before.at + 1
      const piece = whole.toString('utf8', start, after?.at)
      if (piece.length > LONG_CHARS) await takeTurn()
      tree.add(piece, before, after)
      if (index === cuts.length || performance.now() - began < TURN_MS) continue
      await takeTurn()
      began = performance.now()
    }
    return tree.root
  }
}

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

  constructor(text: Buffer) {
    this.#text = text
  }

  /** @param before the cut where the piece begins; `after`: where it ends */
  add(piece: string, before: JsonCut | undefined, after: JsonCut | undefined): void {
    const value = parsePlain(this.#openers(before) + piece + closers(after))
    if (before === undefined) {
      this.root = value
      this.#open = [value as Container]
    } else this.#join(value as Container)
    if (after !== undefined) this.#follow(after, before)
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

/** @throws SyntaxError, JsonRefused */
function parsePlain(text: string): unknown {
  refuseProtoKey(text)
  return JSON.parse(text)
}
