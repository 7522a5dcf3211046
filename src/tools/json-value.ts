/** Converts the result of a tool to a JSON value, so that a Map or an Error does not become `{}`. */
import { errorText } from '../base/errors.ts'

/** Deepest nesting that is written; deeper values become a placeholder. */
const MAX_DEPTH = 200

/**
 * Converts a value to a JSON value. `toJSON` is used where an object has it. Otherwise a Map becomes an object (a list of pairs
 * when a key is not a text or number), a Set and other collections become lists, an error its message, bytes their UTF-8 text
 * (else base64), typed arrays lists of numbers, a bigint its digits, a symbol or regular expression its text, NaN and the
 * infinities their names. A function becomes its name; inside an object it is left out, like undefined. A value that contains
 * itself becomes "[circular]" there.
 * What cannot be read becomes the name of its kind, such as "[Promise]".
 * @throws TypeError for a whole value that cannot be read, such as a Response, a Blob, a stream or a generator
 */
export function toJsonValue(value: unknown): unknown {
  if (typeof value === 'function') return `[function ${value.name || 'without a name'}]`
  const json = convert(value, [])
  if (typeof value === 'object' && value !== null && isUnreadable(value) && json === `[${kindOf(value)}]`)
    throw new TypeError(
      `the tool returned a ${kindOf(value)}, whose content cannot be read here. Return the content itself, such as await response.text()`,
    )
  return json
}

/** `within` are the objects that contain the value. */
function convert(value: unknown, within: readonly object[]): unknown {
  switch (typeof value) {
    case 'bigint':
    case 'symbol':
      return String(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'function':
      return undefined
    case 'object':
      return value === null ? null : convertObject(value, within)
    default:
      return value
  }
}

function convertObject(value: object, within: readonly object[]): unknown {
  if (within.includes(value)) return '[circular]'
  if (within.length > MAX_DEPTH) return '[nested too deep]'
  const next = (part: unknown) => convert(part, [...within, value])
  const toList = (parts: Iterable<unknown>) => Array.from(parts, (part) => next(part) ?? null)
  if (value instanceof Error) return errorText(value)
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return isBytes(value) ? toText(value) : toList(value as unknown as Iterable<unknown>)
  const own = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON('') : value
  if (own !== value) return next(own)
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return next(value.valueOf())
  if (value instanceof RegExp) return String(value)
  if (value instanceof Map) return convertMap(value, next)
  if (isCollection(value)) return toList(value)
  if (isUnreadable(value)) return textOf(value)
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, next(part)]))
}

function convertMap(map: ReadonlyMap<unknown, unknown>, next: (part: unknown) => unknown): unknown {
  const simple = [...map.keys()].every((key) => typeof key === 'string' || typeof key === 'number')
  return simple
    ? Object.fromEntries([...map].map(([key, part]) => [String(key), next(part)]))
    : [...map].map(([key, part]) => [next(key) ?? null, next(part) ?? null])
}

/** An instance of a class whose content is not in its own properties, such as a Response, a Promise or a generator. */
function isUnreadable(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype) return false
  return Symbol.asyncIterator in value || Object.keys(value).length === 0
}

/** The kind of an object, such as `Response`, `Promise` or `Generator`. */
function kindOf(value: object): string {
  const tag = Object.prototype.toString.call(value).slice('[object '.length, -1)
  return tag === 'Object' ? value.constructor.name : tag
}

/** The object's own text if its class has one, else its kind. */
const textOf = (value: object) => (value.toString === Object.prototype.toString ? `[${kindOf(value)}]` : String(value))

/** Lists, sets and other iterables, but no iterators: an iterator may never end. */
const isCollection = (value: object): value is Iterable<unknown> =>
  typeof (value as Partial<Iterable<unknown>>)[Symbol.iterator] === 'function' && !('next' in value)

type Bytes = ArrayBufferView | ArrayBufferLike
const isBytes = (value: Bytes) => !ArrayBuffer.isView(value) || value instanceof Uint8Array || value instanceof DataView

function toText(value: Bytes): string {
  const bytes = ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value as ArrayBuffer)
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return bytes.toString('base64')
  }
}
