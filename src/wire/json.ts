/** JSON: types, guards, and parsing within bounds. */
import { type JsonBounds, JsonMeter, refuseProtoKey } from './json-meter.ts'

export type { JsonBounds } from './json-meter.ts'
export { JsonRefused } from './json-meter.ts'

/** Plain JSON objects and JSON Schemas as data. */
export type JsonObject = { [key: string]: unknown }
export type JsonSchema = { [key: string]: unknown }

/** True for `{...}`: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** True for an object that is not an instance of a class. */
export function isPlainObject(value: unknown): value is JsonObject {
  if (!isObject(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A value of JSON from outside as a text: empty for an object, which may have no text form. */
export const asText = (value: unknown): string => (typeof value === 'object' ? '' : String(value ?? ''))

/** True when the value has at most `depth` levels. */
export const isShallow = (value: unknown, depth: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth > 0 && Object.values(value).every((part) => isShallow(part, depth - 1)))

/** `JSON.parse` for texts from outside. @throws SyntaxError for a text that is not JSON, JsonRefused as `checkJson` */
export function parseJson(text: string, bounds: JsonBounds): unknown {
  checkJson(text, bounds)
  return JSON.parse(text)
}

/** Bounds of JSON inside a text value, such as the arguments of a call or a structured answer. A text beyond them is not JSON. */
const INNER_BOUNDS: JsonBounds = { depth: 300, keys: 100_000, values: 100_000 }

/**
 * `JSON.parse` for a text value of a request or of a model's answer. The bounds of the outer JSON count it as one value, but a
 * text of 30 MB can become a gigabyte of objects.
 * @throws SyntaxError for a text that is not JSON, JsonRefused for more than 100,000 values
 */
export function parseInnerJson(text: string): unknown {
  new JsonMeter(INNER_BOUNDS).feed(text)
  return JSON.parse(text)
}

/** The number of values in a JSON text; 0 for a text that `parseInnerJson` rejects. */
export function countInnerValues(text: string): number {
  const meter = new JsonMeter(INNER_BOUNDS)
  try {
    meter.feed(text)
    return meter.values
  } catch {
    return 0
  }
}

/**
 * Checks a JSON text before it is parsed.
 * @throws JsonRefused
 */
export function checkJson(text: string, bounds: JsonBounds): void {
  new JsonMeter(bounds).feed(text)
  refuseProtoKey(text)
}
