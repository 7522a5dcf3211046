/** Counts what a JSON text will become, while it arrives and before any object is made of it. */

/** How large a foreign JSON text may be in its parts. */
export interface JsonBounds {
  depth: number
  /** Keys of one object. */
  keys: number
  values: number
}

/** Legal JSON that is not taken: it is beyond its bounds, or has a key that would change a prototype. */
export class JsonRefused extends Error {}

/** A comma where the text can be split: the containers that are open there, and the newest key of each open object. */
export interface JsonCut {
  /** Offset of the comma. */
  at: number
  /** `[` or `{` for each open container, outermost first. */
  open: string
  /** How many of the containers that were open at the cut before stayed open all the time. */
  kept: number
  /** Start and end of the newest key of each open container, quotes included; meaningless for lists. */
  keys: readonly (readonly [start: number, end: number])[]
}

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_LIST = 91
const BACKSLASH = 92
const CLOSE_LIST = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125
const NOWHERE = [0, 0] as const
/** Strings are walked for so many characters, then searched for their next quote, which is faster only for long ones. */
const WALK = 24
/** Engines keep a table of all keys and look at every character of each. */
const MAX_KEY_CHARS = 1024 * 1024

/**
 * One pass over a text that comes in pieces. Of a text that is not JSON it may count wrong, but only behind its first
 * mistake. UTF-8 may be fed as Latin-1: all characters that matter are ASCII.
 */
export class JsonMeter {
  /** Values so far; a container counts once more than its parts. */
  values = 1
  /** Where the text can be split, about `cutEvery` characters apart. */
  readonly cuts: JsonCut[] = []
  /** Start and end, quotes included, of each string that is longer than `cutEvery` and no key. */
  readonly longStrings: (readonly [start: number, end: number])[] = []
  readonly #bounds: JsonBounds
  readonly #cutEvery: number
  /** Keys of each open container. */
  readonly #keys: number[] = []
  readonly #keyPlaces: (readonly [number, number])[] = []
  /** The bracket that opened each open container, as a character code. */
  readonly #brackets: number[] = []
  #depth = 0
  #kept = 0
  #lastCut = 0
  /** Characters that were fed before the current piece. */
  #offset = 0
  #inString = false
  #escaped = false
  #stringStart = 0
  #stringEnd = 0
  /** False behind the first bracket that does not fit. */
  #sound = true

  constructor(bounds: JsonBounds, cutEvery = Number.POSITIVE_INFINITY) {
    this.#bounds = bounds
    this.#cutEvery = cutEvery
  }

  /** @throws JsonRefused */
  feed(text: string): void {
    for (let index = this.#inString ? this.#skipString(text, 0) + 1 : 0; index < text.length; index++) {
      switch (text.charCodeAt(index)) {
        case QUOTE:
          this.#inString = true
          this.#stringStart = this.#offset + index
          index = this.#skipString(text, index + 1)
          break
        case COLON:
          this.#countKey()
          break
        case COMMA:
          this.#countValue()
          if (this.#offset + index - this.#lastCut >= this.#cutEvery) this.#cut(this.#offset + index)
          break
        case OPEN_LIST:
          this.#enter(OPEN_LIST)
          break
        case OPEN_OBJECT:
          this.#enter(OPEN_OBJECT)
          break
        case CLOSE_LIST:
          this.#leave(OPEN_LIST)
          break
        case CLOSE_OBJECT:
          this.#leave(OPEN_OBJECT)
          break
      }
    }
    this.#offset += text.length
  }

  /** False in the middle of a string: a text that ends there is not JSON. */
  get isBetweenStrings(): boolean {
    return !this.#inString
  }

  #countValue(): void {
    if (++this.values > this.#bounds.values) throw new JsonRefused(`it has more than ${this.#bounds.values} values`)
  }

  #countKey(): void {
    const depth = this.#depth
    const count = (this.#keys[depth] ?? 0) + 1
    if (count > this.#bounds.keys) throw new JsonRefused(`an object has more than ${this.#bounds.keys} keys`)
    this.#keys[depth] = count
    if (this.#stringEnd - this.#stringStart > MAX_KEY_CHARS)
      throw new JsonRefused(`a key is longer than ${MAX_KEY_CHARS} characters`)
    if (this.longStrings.at(-1)?.[1] === this.#stringEnd) this.longStrings.pop()
    if (this.#cutEvery !== Number.POSITIVE_INFINITY) this.#keyPlaces[depth - 1] = [this.#stringStart, this.#stringEnd]
  }

  #enter(bracket: number): void {
    this.#brackets[this.#depth] = bracket
    this.#keys[++this.#depth] = 0
    if (this.#depth > this.#bounds.depth) throw new JsonRefused(`it is nested deeper than ${this.#bounds.depth} levels`)
    this.#countValue()
  }

  #leave(bracket: number): void {
    if (this.#depth === 0 || this.#brackets[this.#depth - 1] !== bracket) this.#sound = false
    if (this.#depth === 0) return
    this.#depth--
    this.#kept = Math.min(this.#kept, this.#depth)
  }

  #cut(at: number): void {
    if (!this.#sound || this.#depth === 0) return
    const brackets = this.#brackets.slice(0, this.#depth)
    const keys = brackets.map((_, level): readonly [number, number] => this.#keyPlaces[level] ?? NOWHERE)
    this.cuts.push({ at, open: String.fromCharCode(...brackets), kept: this.#kept, keys })
    this.#kept = this.#depth
    this.#lastCut = at
  }

  /** The place of the quote that ends the string; the text's length while it goes on. */
  #skipString(text: string, start: number): number {
    let index = this.#escaped ? start + 1 : start
    this.#escaped = false
    for (;;) {
      for (const near = Math.min(index + WALK, text.length); index < near; index++) {
        const code = text.charCodeAt(index)
        if (code === QUOTE) return this.#endString(index)
        if (code === BACKSLASH) index++
      }
      if (index >= text.length) {
        this.#escaped = index > text.length
        return text.length
      }
      const quote = text.indexOf('"', index)
      const stop = quote === -1 ? text.length : quote
      let slashes = 0
      while (stop - slashes > index && text.charCodeAt(stop - 1 - slashes) === BACKSLASH) slashes++
      const escaped = slashes % 2 === 1
      if (quote === -1) {
        this.#escaped = escaped
        return text.length
      }
      if (!escaped) return this.#endString(quote)
      index = quote + 1
    }
  }

  #endString(quote: number): number {
    this.#inString = false
    this.#stringEnd = this.#offset + quote + 1
    if (this.#stringEnd - this.#stringStart > this.#cutEvery)
      this.longStrings.push([this.#stringStart, this.#stringEnd])
    return quote
  }
}

/**
 * The key `__proto__` is refused; every other key, `constructor` too, is plain data.
 * @throws JsonRefused
 */
export function refuseProtoKey(text: string): void {
  // JSON.parse makes it a property like any other, but an assignment further on would not.
  if ((text.includes('__proto__') || text.includes('\\u00')) && PROTO_KEY.test(text))
    throw new JsonRefused('the key "__proto__" is not taken')
}

/** The key, each of its letters written plainly or as an escape. */
const PROTO_KEY = new RegExp(
  `"${Array.from('__proto__', (char) => `(?:${char}|\\\\u00${escapeOf(char)})`).join('')}"\\s*:`,
)

/** The last two digits of a letter's escape, in either case. */
function escapeOf(char: string): string {
  const digits = char.charCodeAt(0).toString(16)
  return digits.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
}
