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

/**
 * Checks a JSON text before any object is made of it.
 * @throws JsonRefused
 */
export function checkJson(text: string, bounds: JsonBounds): void {
  new JsonMeter(bounds).feed(text)
  refuseProtoKey(text)
}
