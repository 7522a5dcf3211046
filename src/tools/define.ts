import { z } from 'zod'
import { invalidTool } from '../errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

export interface ToolDefinition<Input, Output = unknown> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string
  /** What the model reads to decide when to call it. */
  description?: string
  /** A zod object, or a JSON Schema as plain data (sent untouched). Default: no arguments. */
  parameters?: z.ZodType<Input> | JsonSchema
  /** What it returns: a zod schema, or a JSON Schema as plain data. It stands in the OpenAPI document and is not checked when the tool runs. Default: anything. */
  returns?: z.ZodType<Output> | JsonSchema
  /** Ask the provider to follow the schema exactly. Default true. */
  strict?: boolean
  /** No other tool of the same agent may run beside it. Default false. */
  oneCallAtATime?: boolean
  execute(input: Input, context: ToolContext): NoInfer<Output> | Promise<NoInfer<Output>>
}

/** The JSON Schema of a zod object as a model gets it: all constraints kept. */
export function schemaOf(parameters: z.ZodType): JsonSchema {
  const schema = toJsonSchema(parameters)
  return { ...schema, additionalProperties: schema.additionalProperties ?? false }
}

/** The JSON Schema of a tool's result, for callers. */
export const resultSchemaOf = (returns: z.ZodType | JsonSchema | undefined): JsonSchema | undefined =>
  returns instanceof z.ZodType ? toJsonSchema(returns) : returns

function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input' }) as JsonSchema
  return json
}

/**
 * Defines a function tool.
 * @throws INVALID_TOOL for a name a provider would refuse, a missing `execute` or a schema that is no object
 */
export function tool<Input = { [key: string]: unknown }, Output = unknown>(
  definition: ToolDefinition<Input, Output>,
): FunctionTool {
  const { name, description = '', strict = true, execute } = definition
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name))
    throw invalidTool(`The tool name ${JSON.stringify(name)} is not valid: use 1 to 64 letters, digits, "_" or "-".`)
  if (typeof execute !== 'function') throw invalidTool(`The tool "${name}" needs an execute function.`)
  const given = definition.parameters ?? { type: 'object', properties: {}, additionalProperties: false }
  const zodSchema = given instanceof z.ZodType ? given : undefined
  if (zodSchema === undefined && !isObject(given))
    throw invalidTool(`The parameters of tool "${name}" have to be a zod object or a JSON Schema.`)
  const parameters = zodSchema === undefined ? (given as JsonSchema) : schemaOf(zodSchema)
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name,
    description: definition.oneCallAtATime ? sequential(description) : description,
    parameters,
    returns: resultSchemaOf(definition.returns),
    // Strict mode wants every property required; a schema with optional ones is sent as it is, unstrict.
    strict: strict && allRequired(parameters),
    oneCallAtATime: definition.oneCallAtATime ?? false,
    check: createCheck(parameters, zodSchema, 'as-schema'),
    run: async (value, context) => execute(value as Input, context),
  })
}

/** The description of a tool that runs alone, for the model. */
export const sequential = (description: string) =>
  `${description} Call it alone: no other tool can run beside it.`.trim()

function allRequired(schema: JsonSchema): boolean {
  const required = new Set(Array.isArray(schema.required) ? schema.required : [])
  return Object.keys(isObject(schema.properties) ? schema.properties : {}).every((key) => required.has(key))
}
