/** Values of tools as JSON values, so that nothing a tool returned reads as `{}`. */

/** Parts that are nested deeper are named, not written. */
const MAX_DEPTH = 200

/**
 * A JSON value that holds what `value` holds. An object with `toJSON` speaks for itself. Otherwise: a Map is an object (a list
 * of pairs where a key is no text or number), a Set and other collections are lists, an error is its message, bytes are their
 * text (base64 where they are none), typed arrays are lists of numbers, a bigint is its digits, a symbol or regular expression
 * is its text, NaN and the infinities are their names. A function is its name, and is left out inside an object like undefined.
 * What contains itself is "[circular]" there.
 */
export function toJsonValue(value: unknown): unknown {
  return typeof value === 'function' ? `[function ${value.name || 'without a name'}]` : convert(value, [])
}

/** `within` are the objects the value stands in. */
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
  const listed = (parts: Iterable<unknown>) => Array.from(parts, (part) => next(part) ?? null)
  if (value instanceof Error) return value.message || value.name
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer)
    return isBytes(value) ? toText(value) : listed(value as unknown as Iterable<unknown>)
  const own = 'toJSON' in value && typeof value.toJSON === 'function' ? value.toJSON('') : value
  if (own !== value) return next(own)
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return next(value.valueOf())
  if (value instanceof RegExp) return String(value)
  if (value instanceof Map) return ofMap(value, next)
  if (isCollection(value)) return listed(value)
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, next(part)]))
}

function ofMap(map: ReadonlyMap<unknown, unknown>, next: (part: unknown) => unknown): unknown {
  const simple = [...map.keys()].every((key) => typeof key === 'string' || typeof key === 'number')
  return simple
    ? Object.fromEntries([...map].map(([key, part]) => [String(key), next(part)]))
    : [...map].map(([key, part]) => [next(key) ?? null, next(part) ?? null])
}

/** Lists, sets and the like; an iterator is none of them, since it may never end. */
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
