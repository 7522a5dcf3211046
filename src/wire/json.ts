/** Plain JSON objects and JSON Schemas as data. */
export type JsonObject = { [key: string]: unknown }
export type JsonSchema = { [key: string]: unknown }

/** True for `{...}`: not null, not an array. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
