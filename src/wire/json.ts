/** Plain JSON objects and JSON Schemas as data. */
export type JsonObject = { [key: string]: unknown }
export type JsonSchema = { [key: string]: unknown }

/** True for `{...}`: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A value of a foreign JSON as a text: empty for an object, which may not even let itself be written. */
export const asText = (value: unknown): string => (typeof value === 'object' ? '' : String(value ?? ''))

/** True when nothing in the value lies deeper than `depth` levels. */
export const isShallow = (value: unknown, depth: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth > 0 && Object.values(value).every((part) => isShallow(part, depth - 1)))

/** How large a foreign JSON text may be in its parts. */
export interface JsonBounds {
  depth: number
  /** Keys of one object. */
  keys: number
  values: number
}

/** Legal JSON that is not taken: it is beyond its bounds, or has a key that would change a prototype. */
export class JsonRefused extends Error {}

/** `JSON.parse` for texts from outside. @throws SyntaxError for what is no JSON, JsonRefused as `checkJson` */
export function parseJson(text: string, bounds: JsonBounds): unknown {
  checkJson(text, bounds)
  return JSON.parse(text)
}

/**
 * Checks a JSON text before any object is made of it. The key `__proto__` is refused; every other key, `constructor` too,
 * is plain data.
 * @throws JsonRefused
 */
export function checkJson(text: string, bounds: JsonBounds): void {
  checkBounds(text, bounds)
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

const QUOTE = 34
const COMMA = 44
const COLON = 58
const OPEN_LIST = 91
const BACKSLASH = 92
const CLOSE_LIST = 93
const OPEN_OBJECT = 123
const CLOSE_OBJECT = 125
/** Strings up to here are walked; longer ones are searched for their end, which is faster only for those. */
const WALK = 24

/** One pass over the text. Of a text that is no JSON it may count wrong, but only behind its first mistake. */
function checkBounds(text: string, bounds: JsonBounds): void {
  const keys: number[] = []
  let depth = 0
  let values = 1
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case QUOTE:
        index = endOfString(text, index + 1)
        break
      case COLON: {
        const count = (keys[depth] ?? 0) + 1
        if (count > bounds.keys) throw new JsonRefused(`an object has more than ${bounds.keys} keys`)
        keys[depth] = count
        break
      }
      case COMMA:
        if (++values > bounds.values) throw new JsonRefused(`it has more than ${bounds.values} values`)
        break
      case OPEN_LIST:
      case OPEN_OBJECT:
        if (++depth > bounds.depth) throw new JsonRefused(`it is nested deeper than ${bounds.depth} levels`)
        if (++values > bounds.values) throw new JsonRefused(`it has more than ${bounds.values} values`)
        keys[depth] = 0
        break
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        if (--depth < 0) return // no JSON; the parser will say so
        break
    }
  }
}

/** The place of the quote that ends a string; the text's end when none does. */
function endOfString(text: string, start: number): number {
  const near = Math.min(start + WALK, text.length)
  for (let index = start; index < near; index++) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) return index
    if (code === BACKSLASH) index++
  }
  // A backslash may have led beyond `near`; start over from the string's begin.
  for (let quote = text.indexOf('"', start); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let slashes = 0
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return quote
  }
  return text.length
}
