/** Standard Schema (https://standardschema.dev): schemas of other libraries. */
import { errorText } from '../base/errors.ts'
import { invalidTool } from '../base/start-errors.ts'
import type { JsonSchema } from '../wire/json.ts'

interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}
type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] }

/** A schema of any library that implements Standard Schema and its JSON Schema extension (https://standardschema.dev). */
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

/** True for an object (or function, as in some libraries) that implements both interfaces. */
export function isStandardSchema(value: unknown): value is StandardSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard = (value as Partial<StandardSchema>)['~standard']
  return typeof standard?.validate === 'function' && typeof standard.jsonSchema?.input === 'function'
}

/** The JSON Schema of a tool's parameters. @throws INVALID_TOOL when the schema cannot be written as JSON Schema */
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

/** Validates a value. */
export async function validateStandard(
  schema: StandardSchema,
  value: unknown,
): Promise<{ ok: true; value: unknown } | { ok: false; issues: { path: (string | number)[]; message: string }[] }> {
  const result = await schema['~standard'].validate(value)
  if (result.issues === undefined) return { ok: true, value: result.value }
  const issues = result.issues.map(({ message, path = [] }) => ({ message, path: path.map(toPart) }))
  return { ok: false, issues }
}

function toPart(part: PropertyKey | { readonly key: PropertyKey }): string | number {
  const key = typeof part === 'object' ? part.key : part
  return typeof key === 'symbol' ? String(key) : key
}
