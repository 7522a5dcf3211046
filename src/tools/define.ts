import { z } from 'zod'
import { invalidTool } from '../errors.ts'
import { type Moved, refuseUnknown } from '../options.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
import { isStandardSchema, type StandardSchema, standardToJsonSchema } from './standard-schema.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** What `tool()` makes a tool of. */
export interface ToolDefinition<Input, Output = unknown> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: string
  /** What the model reads to decide when to call it. */
  description?: string
  /**
   * A zod object, an object of another library that fulfils Standard Schema with JSON Schema, or a JSON Schema as plain
   * data. Default: no arguments.
   */
  parameters?: z.ZodType<Input> | StandardSchema<Input> | JsonSchema
  /** What it returns: a zod schema, or a JSON Schema as plain data. It stands in the OpenAPI document and is not checked when the tool runs. Default: anything. */
  returns?: z.ZodType<Output> | JsonSchema
  /** Ask the provider to follow the schema exactly; done where the schema lets itself be written in that way. Default true. */
  strict?: boolean
  /** No other tool of the same agent may run beside it. Default false. */
  oneCallAtATime?: boolean
  /** Whether the agent may use it, asked before every model call. Default: always. */
  isEnabled?: FunctionTool['isEnabled']
  /** Gets checked arguments; what it returns is the answer to the model, what it throws becomes a text for it. */
  execute(input: Input, context: ToolContext): NoInfer<Output> | Promise<NoInfer<Output>>
}

const OPTIONS = new Set<string>([
  'name',
  'description',
  'parameters',
  'returns',
  'strict',
  'oneCallAtATime',
  'isEnabled',
  'execute',
] satisfies (keyof ToolDefinition<unknown>)[])
const MOVED: Moved = {
  nameOverride: 'name',
  descriptionOverride: 'description',
  paramsJsonSchema: 'parameters',
  inputSchema: 'parameters',
  strictMode: 'strict',
  strictJsonSchema: 'strict',
  onInvokeTool: 'execute(input, context)',
  invoke: 'execute(input, context)',
  run: 'execute(input, context)',
  failureErrorFunction: 'a try and catch inside execute',
  errorFunction: 'a try and catch inside execute',
  needsApproval: 'a check inside execute, which may refuse with a text for the model',
  timeout: 'AbortSignal.any([context.signal, AbortSignal.timeout(ms)]) inside execute',
  timeoutMs: 'AbortSignal.any([context.signal, AbortSignal.timeout(ms)]) inside execute',
}

const known = new WeakMap<z.ZodType, JsonSchema>()

/** The JSON Schema of a zod object: all constraints kept. Made once, since agencies may be made for every request. */
export function schemaOf(parameters: z.ZodType): JsonSchema {
  const made = known.get(parameters)
  if (made !== undefined) return made
  const json = toJsonSchema(parameters)
  const schema = { ...json, additionalProperties: json.additionalProperties ?? false }
  known.set(parameters, schema)
  return schema
}

/** The JSON Schema of a tool's result, for callers. */
export const resultSchemaOf = (returns: z.ZodType | JsonSchema | undefined): JsonSchema | undefined =>
  returns instanceof z.ZodType ? toJsonSchema(returns) : returns

function toJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io: 'input', override }) as JsonSchema
  return json
}

function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  // OpenAI's API knows no `oneOf`; with a discriminator `anyOf` says the same.
  if ('discriminator' in zodSchema._zod.def && jsonSchema.oneOf !== undefined) {
    jsonSchema.anyOf = jsonSchema.oneOf
    delete jsonSchema.oneOf
  }
  // What every number of JavaScript keeps is no rule of a tool's.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

/**
 * Defines a function tool.
 * @throws INVALID_TOOL for a name a provider would refuse, a missing `execute` or a schema that is no object; INVALID_OPTION
 *   for an unknown option
 */
export function tool<Input = { [key: string]: unknown }, Output = unknown>(
  definition: ToolDefinition<Input, Output>,
): FunctionTool {
  const { name, description = '', strict = true, execute } = definition
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_-]{1,64}$/.test(name))
    throw invalidTool(`The tool name ${JSON.stringify(name)} is not valid: use 1 to 64 letters, digits, "_" or "-".`)
  refuseUnknown(`The tool "${name}"`, definition, OPTIONS, MOVED)
  if (typeof execute !== 'function') throw invalidTool(`The tool "${name}" needs an execute function.`)
  const { parameters, validator } = readParameters(name, definition.parameters)
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name,
    description: definition.oneCallAtATime ? sequential(description) : description,
    parameters,
    returns: resultSchemaOf(definition.returns),
    strict,
    oneCallAtATime: definition.oneCallAtATime ?? false,
    isEnabled: definition.isEnabled,
    check: createCheck(parameters, validator, 'as-schema'),
    run: async (value, context) => execute(value as Input, context),
  })
}

function readParameters(
  name: string,
  given: unknown = { type: 'object', properties: {}, additionalProperties: false },
): { parameters: JsonSchema; validator: z.ZodType | StandardSchema | undefined } {
  if (given instanceof z.ZodType) return { parameters: schemaOf(given), validator: given }
  if (isStandardSchema(given)) return { parameters: standardToJsonSchema(name, given), validator: given }
  if (isObject(given) && !('~standard' in given)) return { parameters: given, validator: undefined }
  throw invalidTool(
    `The parameters of tool "${name}" have to be a zod 4 object, a Standard Schema that can tell its JSON Schema, or a JSON Schema.`,
  )
}

/** The description of a tool that runs alone, for the model. */
export const sequential = (description: string) =>
  `${description} Call it alone: no other tool can run beside it.`.trim()
