/** Converts schemas for the strict mode of OpenAI's API. */
import { toStrictJsonSchema } from 'openai/lib/transform'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { toPortable } from './portable-schema.ts'

const strictSchemas = new WeakMap<JsonSchema, { schema: JsonSchema; strict: boolean }>()

/**
 * Limits of strict mode for one schema (OpenAI, "Structured outputs, supported schemas"). An enum with more than `manyValues`
 * values may have at most `manyChars` characters.
 */
const LIMITS = { levels: 10, properties: 5_000, values: 1_000, chars: 120_000, manyValues: 250, manyChars: 15_000 }

/** Keywords that strict mode does not support. They are left out; arguments are still validated against them here. */
const LEFT_OUT = new Set(['default', 'minLength', 'maxLength'])

/**
 * The schema as sent in strict mode: every object closed, every field required (a nullable field, too). When that would
 * change its meaning, or when it is beyond the limits of strict mode, the portable schema is sent without `strict`.
 * @throws SchemaTooLarge
 */
export function asStrict(schema: JsonSchema): { schema: JsonSchema; strict: boolean } {
  const cached = strictSchemas.get(schema)
  if (cached !== undefined) return cached
  const portable = toPortable(schema)
  const strict = transform(portable)
  const result = strict === undefined ? { schema: portable, strict: false } : { schema: strict, strict: true }
  strictSchemas.set(schema, result)
  return result
}

function transform(portable: JsonSchema): JsonSchema | undefined {
  try {
    const strict = toStrictJsonSchema(removeUnsupported(portable) as JsonSchema) as JsonSchema
    return fits(strict) ? strict : undefined
  } catch {
    return undefined
  }
}

/** `names` is true when the keys are names of fields or definitions. */
function removeUnsupported(node: unknown, names = false): unknown {
  if (Array.isArray(node)) return node.map((part) => removeUnsupported(part))
  if (!isObject(node)) return node
  const entries = Object.entries(node).filter(([word]) => names || !LEFT_OUT.has(word))
  return Object.fromEntries(
    entries.map(([word, part]) => [
      word,
      word === 'enum' && !names ? part : removeUnsupported(part, !names && isMap(word)),
    ]),
  )
}

const isMap = (word: string) => word === 'properties' || word === '$defs'

/** True when every part has a type and the schema is within the limits. */
function fits(strict: JsonSchema): boolean {
  const total = { properties: 0, values: 0, chars: 0 }
  const visit = (node: unknown, level: number): boolean => {
    if (!isObject(node)) return false
    if (!('type' in node || 'anyOf' in node || '$ref' in node)) return false
    const here = isObject(node.properties) ? level + 1 : level
    const values = Array.isArray(node.enum) ? node.enum : []
    const names = Object.keys({ ...(node.properties as object), ...(node.$defs as object) })
    const chars = values.reduce<number>((sum, value) => sum + String(value).length, 0)
    if (here > LIMITS.levels || (values.length > LIMITS.manyValues && chars > LIMITS.manyChars)) return false
    total.properties += names.length
    total.values += values.length
    total.chars += chars + names.join('').length
    const parts = [node.items, ...(Array.isArray(node.anyOf) ? node.anyOf : [])].filter((part) => part !== undefined)
    return (
      parts.every((part) => visit(part, here)) &&
      Object.values(isObject(node.properties) ? node.properties : {}).every((part) => visit(part, here)) &&
      Object.values(isObject(node.$defs) ? node.$defs : {}).every((part) => visit(part, 0))
    )
  }
  return (
    visit(strict, 0) &&
    total.properties <= LIMITS.properties &&
    total.values <= LIMITS.values &&
    total.chars <= LIMITS.chars
  )
}
