import { toStrictJsonSchema } from 'openai/lib/transform'
import type { JsonSchema } from '../wire/json.ts'

const known = new WeakMap<JsonSchema, JsonSchema | undefined>()

/**
 * A schema as the strict mode of OpenAI's API takes it: every object closed, every field required (one that may be null
 * counts as such). A schema that would mean something else then, or has words the mode does not know, stays as it is,
 * unstrict: the API refuses a whole request for one schema of that kind.
 */
export function asStrict(schema: JsonSchema): { schema: JsonSchema; strict: boolean } {
  if (!known.has(schema)) known.set(schema, transform(schema))
  const strict = known.get(schema)
  return strict === undefined ? { schema, strict: false } : { schema: strict, strict: true }
}

function transform(schema: JsonSchema): JsonSchema | undefined {
  try {
    return toStrictJsonSchema(schema) as JsonSchema
  } catch {
    return undefined
  }
}
