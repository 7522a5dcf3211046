/** Makes the names of properties fit what providers accept, and restores them in arguments and answers. */
import { createHash } from 'node:crypto'
import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { resolveRef } from './local-refs.ts'

/** "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'" (Anthropic; one other name refuses the whole request). */
const ACCEPTED = /^[a-zA-Z0-9_.-]{1,64}$/
const MAX_CHARS = 64
const HASH_CHARS = 12
const MAX_DEPTH = 64

/**
 * The names to send for the properties of one object: accepted names stay, others lose the characters that are refused
 * (`filter[id]` -> `filter_id`). A name that is then too long, empty or taken ends in a hash.
 */
export function toSentNames(names: Iterable<string>): ReadonlyMap<string, string> {
  const own = [...names]
  const taken = new Set(own)
  const sent = new Map<string, string>()
  for (const name of own) {
    const plain = toPlain(name)
    const fits = ACCEPTED.test(name) ? name : ACCEPTED.test(plain) && !taken.has(plain) ? plain : toHashed(name)
    taken.add(fits)
    sent.set(name, fits)
  }
  return sent
}

/** In characters that every provider takes, without underscores at the ends. */
function toPlain(name: string): string {
  const plain = name.replace(/[^a-zA-Z0-9_.-]+/g, '_')
  let start = 0
  let end = plain.length
  while (plain[start] === '_') start++
  while (end > start && plain[end - 1] === '_') end--
  return plain.slice(start, end)
}

function toHashed(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_CHARS)
  return `${toPlain(name).slice(0, MAX_CHARS - HASH_CHARS - 1) || 'field'}_${hash}`
}

const known = new WeakMap<JsonSchema, boolean>()

/** The value with the names of the schema in place of those that were sent. Names that are not known stay. */
export function restoreNames(value: unknown, schema: JsonSchema): unknown {
  const changes = known.get(schema) ?? hasOddNames(schema, new Set())
  known.set(schema, changes)
  return changes ? restore(value, [schema], schema, 0) : value
}

/** True when the schema has a property whose name is not sent as it is. */
function hasOddNames(part: unknown, seen: Set<unknown>): boolean {
  if (typeof part !== 'object' || part === null || seen.has(part)) return false
  seen.add(part)
  const { properties } = part as JsonObject
  if (isObject(properties) && Object.keys(properties).some((name) => !ACCEPTED.test(name))) return true
  return Object.values(part).some((one) => hasOddNames(one, seen))
}

function restore(value: unknown, schemas: readonly unknown[], root: JsonSchema, depth: number): unknown {
  if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return value
  const shapes = schemas.flatMap((schema) => listShapes(schema, root, 0))
  if (Array.isArray(value)) {
    const items = shapes.flatMap(({ items, prefixItems }) => [items, prefixItems].flat()).filter(isObject)
    return value.map((item) => restore(item, items, root, depth + 1))
  }
  const properties = new Map<string, unknown[]>()
  for (const shape of shapes)
    for (const [name, schema] of Object.entries(isObject(shape.properties) ? shape.properties : {}))
      properties.set(name, [...(properties.get(name) ?? []), schema])
  const others = shapes.map(({ additionalProperties }) => additionalProperties).filter(isObject)
  const names = new Map([...toSentNames(properties.keys())].map(([name, sent]) => [sent, name]))
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const name = properties.has(key) ? key : (names.get(key) ?? key)
      return [name, restore(item, properties.get(name) ?? others, root, depth + 1)]
    }),
  )
}

/** A schema and its parts and alternatives, references resolved. */
function listShapes(schema: unknown, root: JsonSchema, depth: number): JsonSchema[] {
  const target = resolveRef(schema, root)
  if (!isObject(target) || depth > MAX_DEPTH) return []
  const parts = [target.allOf, target.anyOf, target.oneOf].flatMap((list) => (Array.isArray(list) ? list : []))
  return [target, ...parts.flatMap((part) => listShapes(part, root, depth + 1))]
}
