import { errorText, invalidTool } from '../errors.ts'
import type { JsonSchema } from '../wire/json.ts'

interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** A schema of any library that speaks Standard Schema and can tell its JSON Schema (https://standardschema.dev). */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
    validate(value: unknown): StandardResult<Output> | Promise<StandardResult<Output>>
    readonly jsonSchema: {
      input(options: { readonly target: 'draft-2020-12' }): Record<string, unknown>
    }
  }
}

/** True for an object or, as some libraries have it, a function with both halves of the interface. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as Partial<StandardSchema>)['~standard']
  return typeof standard?.validate === 'function' && typeof standard.jsonSchema?.input === 'function'
}

/** @throws INVALID_TOOL when the schema cannot be written as JSON Schema */
export function standardToJsonSchema(tool: string, schema: StandardSchema): JsonSchema {
  let written: JsonSchema
  try {
    written = schema['~standard'].jsonSchema.input({ target: 'draft-2020-12' })
  } catch (error) {
    throw invalidTool(`The parameters of tool "${tool}" have no JSON Schema: ${errorText(error)}`)
  }
  const { $schema: _, ...plain } = written
  return plain.type === 'object' ? { ...plain, additionalProperties: false } : plain
}

/** What a schema says to a value. One that can only answer later is told so: arguments are checked at once. */
export function validateStandard(
  schema: StandardSchema,
  value: unknown,
): { ok: true; value: unknown } | { ok: false; issues: { path: (string | number)[]; message: string }[] } {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    result.catch(() => {}) // its answer comes too late to matter
    return {
      ok: false,
      issues: [{ path: [], message: 'the schema checks asynchronously, which tools cannot wait for' }],
    }
  }
  if (result.issues === undefined) return { ok: true, value: result.value }
  const issues = result.issues.map(({ message, path = [] }) => ({ message, path: path.map(toPart) }))
  return { ok: false, issues }
}

function toPart(part: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof part === 'object' ? part.key : part
  return typeof key === 'symbol' ? String(key) : key
}
