/** Removes nulls and unknown fields that models add to arguments. */
import { isObject, type JsonObject, type JsonSchema } from '../wire/json.ts'
import { resolveRef } from './local-refs.ts'

const MAX_DEPTH = 64

/**
 * Returns a copy of `value` without nulls in fields that are optional but not nullable, at every depth. With `extras`, fields
 * that a closed object does not define are removed, too.
 */
export function prune(value: unknown, schema: JsonSchema, { extras }: { extras: boolean }): unknown {
  const visit = (part: unknown, place: unknown, depth: number): unknown => {
    const target = shapeFor(part, place, schema)
    if (target === undefined || depth > MAX_DEPTH) return part
    if (Array.isArray(part)) return part.map((item, index) => visit(item, itemAt(target, index), depth + 1))
    if (!isObject(part)) return part
    const properties = isObject(target.properties) ? target.properties : {}
    const required = Array.isArray(target.required) ? target.required : []
    const closed = extras && target.additionalProperties === false
    const entries = Object.entries(part).flatMap(([name, item]) => {
      if (!Object.hasOwn(properties, name)) return closed ? [] : [[name, item]]
      const absent = item === null && !required.includes(name) && !takesNull(properties[name], schema)
      return absent ? [] : [[name, visit(item, properties[name], depth + 1)]]
    })
    return Object.fromEntries(entries)
  }
  return visit(value, schema, 0)
}

function itemAt({ items, prefixItems }: JsonSchema, index: number): unknown {
  const places = Array.isArray(items) ? items : Array.isArray(prefixItems) ? prefixItems : []
  return places[index] ?? (Array.isArray(items) ? undefined : items)
}

/** The schema that applies to a value: references resolved, `allOf` merged, and the first alternative that may fit. */
function shapeFor(value: unknown, schema: unknown, root: JsonSchema): JsonSchema | undefined {
  const target = resolveRef(schema, root)
  if (!isObject(target)) return undefined
  const parts = toList(target.allOf)
  const alternatives = [...toList(target.anyOf), ...toList(target.oneOf)]
  if (parts.length + alternatives.length === 0) return target
  const chosen = alternatives.find((part) => mayBe(value, resolveRef(part, root), root))
  const joined = [...parts, chosen].map((part) => resolveRef(part, root)).filter(isObject)
  return {
    ...target,
    ...Object.assign({}, ...joined.map(({ items, prefixItems }) => ({ items, prefixItems }))),
    properties: Object.assign({}, ...[...joined, target].map((part) => part.properties)),
    required: [...joined, target].flatMap((part) => toList(part.required)),
    // A single closed alternative decides which fields exist; merged parts do not.
    additionalProperties:
      parts.length === 0 && target.properties === undefined ? joined[0]?.additionalProperties : undefined,
  }
}

const toList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

/** False when the type or a constant field shows that the value belongs to another alternative. */
function mayBe(value: unknown, schema: unknown, root: JsonSchema): boolean {
  if (!isObject(schema)) return false
  const types = Array.isArray(schema.type) ? schema.type : schema.type === undefined ? [] : [schema.type]
  if (types.length > 0 && !types.includes(Array.isArray(value) ? 'array' : isObject(value) ? 'object' : ''))
    return false
  if (!isObject(value)) return Array.isArray(value)
  const fields = Object.entries(isObject(schema.properties) ? schema.properties : {})
  const fixed = fields.every(([name, field]) => {
    const place = resolveRef(field, root)
    if (!isObject(place)) return true
    if ('const' in place) return value[name] === place.const
    return !Array.isArray(place.enum) || !Object.hasOwn(value, name) || place.enum.includes(value[name])
  })
  return fixed && toList(schema.required).every((name) => Object.hasOwn(value, String(name)))
}

/** True when a schema accepts null, as far as its keywords show. `known` caches results, so shared references cost linear time. */
function takesNull(schema: unknown, root: JsonSchema, known: Map<object, boolean> = new Map()): boolean {
  const target = resolveRef(schema, root)
  if (!isObject(target)) return target === true
  const before = known.get(target)
  if (before !== undefined) return before
  known.set(target, false) // a schema that only refers to itself does not decide
  const within = (part: unknown) => takesNull(part, root, known)
  const result = readOwnNull(target) ?? partsTakeNull(target, within)
  known.set(target, result)
  return result
}

/** Whether the schema's own keywords accept null; undefined when its parts decide. */
function readOwnNull({ nullable, type, enum: values, ...rest }: JsonSchema): boolean | undefined {
  if (nullable === true) return true
  if (type !== undefined) return [type].flat().includes('null')
  if ('const' in rest) return rest.const === null
  return Array.isArray(values) ? values.includes(null) : undefined
}

function partsTakeNull(target: JsonSchema, within: (part: unknown) => boolean): boolean {
  const alternatives = [...toList(target.anyOf), ...toList(target.oneOf)]
  if (alternatives.length > 0) return alternatives.some(within)
  const parts = toList(target.allOf)
  return parts.length > 0 ? parts.every(within) : isOpen(target)
}

/** True for a schema without a rule for its value. */
const isOpen = (schema: JsonObject) =>
  !['properties', 'items', 'not', 'pattern', 'minimum'].some((word) => word in schema)
