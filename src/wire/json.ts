import { type JsonBounds, JsonMeter, refuseProtoKey } from './json-meter.ts'

export type { JsonBounds } from './json-meter.ts'
export { JsonRefused } from './json-meter.ts'

/** Plain JSON objects and JSON Schemas as data. */
export type JsonObject = { [key: string]: unknown }
export type JsonSchema = { [key: string]: unknown }

/** True for `{...}`: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** True for an object that is no instance of a class. */
export function isPlainObject(value: unknown): value is JsonObject {
  if (!isObject(value)) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

/** A value of a foreign JSON as a text: empty for an object, which may not even let itself be written. */
export const asText = (value: unknown): string => (typeof value === 'object' ? '' : String(value ?? ''))

/** True when nothing in the value lies deeper than `depth` levels. */
export const isShallow = (value: unknown, depth: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (depth > 0 && Object.values(value).every((part) => isShallow(part, depth - 1)))

/** `JSON.parse` for texts from outside. @throws SyntaxError for what is not JSON, JsonRefused as `checkJson` */
export function parseJson(text: string, bounds: JsonBounds): unknown {
  checkJson(text, bounds)
  return JSON.parse(text)
}

/** How large the JSON within a text may become: the arguments of a call, a structured answer. */
const INNER_BOUNDS: JsonBounds = { depth: 300, keys: 100_000, values: 100_000 }

/**
 * `JSON.parse` for a text that is itself a value of a request or of a model's answer. Whoever counted the values around it saw
 * one text, and a text of 30 MB can become a gigabyte of objects.
 * @throws SyntaxError for what is not JSON, JsonRefused for what would become more than 100,000 values
 */
export function parseInnerJson(text: string): unknown {
  new JsonMeter(INNER_BOUNDS).feed(text)
  return JSON.parse(text)
}

/** How many values a JSON text holds, counted only as far as `parseInnerJson` takes them; 0 for a text that it refuses. */
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
 * Checks a JSON text before any object is made of it.
 * @throws JsonRefused
 */
export function checkJson(text: string, bounds: JsonBounds): void {
  new JsonMeter(bounds).feed(text)
  refuseProtoKey(text)
}
