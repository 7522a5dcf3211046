import { z } from 'zod'
import { errorText, invalidTool } from '../errors.ts'
import { type Moved, refuseUnknown } from '../options.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
import { requireToolName } from './names.ts'
import { describesObject } from './portable-schema.ts'
import { isStandardSchema, type StandardSchema, standardToJsonSchema } from './standard-schema.ts'
import type { FunctionTool, ToolContext } from './tool.ts'
import type { UserContext } from './user-context.ts'

/** Lets the type checker refuse zod types of a text, a number or a list as parameters. */
type RequireObject<Input> = unknown extends Input
  ? unknown
  : [Input] extends [object & { readonly [Symbol.iterator]?: never }]
    ? unknown
    : { parameters?: { readonly _zod?: 'parameters have to describe an object' } }

/** What `tool()` makes a tool of. */
export interface ToolDefinition<
  Input,
  Output = unknown,
  Context extends object = UserContext,
  Name extends string = string,
  Sent = unknown,
  Result = Output,
> {
  /** Letters, digits, `_` and `-`, at most 64. */
  name: Name
  /** What the model reads to decide when to call it. */
  description?: string
  /**
   * A zod object or its fields (`{ city: z.string() }`), an object of another library that fulfils Standard Schema with JSON
   * Schema, or a JSON Schema as plain data. Default: no arguments.
   */
  parameters?: z.ZodType<Input, Sent> | StandardSchema<Input> | JsonSchema
  /** What it returns: a zod schema, or a JSON Schema as plain data. It stands in the OpenAPI document and is not checked when the tool runs. Default: anything. */
  returns?: z.ZodType<Output> | JsonSchema
  /** Ask the provider to follow the schema exactly; done where the schema lets itself be written in that way. Default true. */
  strict?: boolean
  /** No other tool of the same agent may run beside it. Default false. */
  oneCallAtATime?: boolean
  /** Whether the agent may use it, asked before every model call. Default: always. */
  isEnabled?: FunctionTool['isEnabled']
  /** Gets checked arguments; what it returns is the answer to the model, what it throws becomes a text for it. */
  execute(input: Input, context: ToolContext<Context>): Result | Promise<Result>
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

/**
 * The JSON Schema of a zod object: all constraints kept. Made once, since agencies may be made for every request.
 * @throws Error for a schema that no JSON value fits, such as z.date() or z.map()
 */
export function schemaOf(parameters: z.ZodType): JsonSchema {
  const made = known.get(parameters)
  if (made !== undefined) return made
  const json = toJsonSchema(parameters)
  const plain = json.type === 'object' && !('anyOf' in json || 'oneOf' in json || 'allOf' in json)
  const schema = plain ? { ...json, additionalProperties: json.additionalProperties ?? false } : json
  known.set(parameters, schema)
  return schema
}

/** The JSON Schema of a tool's result, for callers. @throws INVALID_TOOL for types that JSON does not have */
export function resultSchemaOf(tool: string, returns: z.ZodType | JsonSchema | undefined): JsonSchema | undefined {
  if (!(returns instanceof z.ZodType)) return returns
  try {
    return toJsonSchema(returns)
  } catch (error) {
    throw invalidTool(`The result of tool "${tool}" has no JSON Schema: ${errorText(error)}.`)
  }
}

function toJsonSchema(schema: z.ZodType): JsonSchema {
  const written = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override })
  const { $schema: _, ...json } = written as JsonSchema
  return json
}

/** zod types whose values JSON does not have, and what to write instead. */
const NOT_JSON: { [type: string]: string } = {
  date: 'z.iso.datetime() or z.coerce.date()',
  bigint: 'z.int() or z.coerce.bigint()',
  map: 'z.record()',
  set: 'z.array()',
  undefined: 'z.null() or .optional()',
  void: 'z.null() or .optional()',
  nan: 'z.number()',
  symbol: 'z.string()',
  function: 'an object of plain values',
  custom: 'a JSON type with .refine()',
}
/** zod types that make their value of a JSON value. */
const COERCED: { [type: string]: JsonSchema } = {
  date: { type: 'string', format: 'date-time' },
  bigint: { type: 'integer' },
}

type Place = { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema; path: (string | number)[] }

function override({ zodSchema, jsonSchema, path }: Place): void {
  const { def } = zodSchema._zod
  if ('coerce' in def && def.coerce === true && COERCED[def.type] !== undefined)
    Object.assign(jsonSchema, COERCED[def.type])
  else if (NOT_JSON[def.type] !== undefined && jsonSchema.type === undefined)
    throw new Error(
      `JSON has no value for z.${def.type}() at ${path.join('.') || 'the top'}, use ${NOT_JSON[def.type]}`,
    )
  // OpenAI's API knows no `oneOf`; with a discriminator `anyOf` says the same.
  if ('discriminator' in def && jsonSchema.oneOf !== undefined) {
    jsonSchema.anyOf = jsonSchema.oneOf
    delete jsonSchema.oneOf
  }
  // What every number of JavaScript keeps is no rule of a tool's.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (hasFlags(def)) {
    delete jsonSchema.pattern
    delete jsonSchema.allOf
  }
}

/** JSON Schema has no flags, and a pattern without them would refuse what they allow. */
function hasFlags(def: z.core.$ZodTypes['_zod']['def']): boolean {
  const checks = def.type === 'string' ? [def, ...(def.checks ?? []).map((check) => check._zod.def)] : []
  return checks.some(
    (check) => 'pattern' in check && check.pattern instanceof RegExp && /[ims]/.test(check.pattern.flags),
  )
}

/** The same with the fields of a zod object as `parameters`. */
export type ShapedToolDefinition<
  Shape extends z.ZodRawShape,
  Output = unknown,
  Context extends object = UserContext,
  Name extends string = string,
  Result = Output,
> = Omit<ToolDefinition<z.output<z.ZodObject<Shape>>, Output, Context, Name, unknown, Result>, 'parameters'> & {
  parameters: Shape
}

/**
 * Defines a function tool.
 * @throws INVALID_TOOL for a name a provider would refuse, a missing `execute`, parameters that describe no object or have
 *   types that JSON lacks; INVALID_OPTION for an unknown option
 */
export function tool<
  Shape extends z.ZodRawShape,
  Output = unknown,
  Context extends object = UserContext,
  const Name extends string = string,
  Result extends Output = Output,
>(
  definition: ShapedToolDefinition<Shape, Output, Context, Name, Result>,
): FunctionTool<Context, Name, z.input<z.ZodObject<Shape>>, Awaited<Result>>
export function tool<
  Input = { [key: string]: unknown },
  Output = unknown,
  Context extends object = UserContext,
  const Name extends string = string,
  Sent = Input,
  Result extends Output = Output,
>(
  definition: ToolDefinition<Input, Output, Context, Name, Sent, Result> & RequireObject<Input>,
): FunctionTool<Context, Name, Sent, Awaited<Result>>
export function tool(definition: Omit<ToolDefinition<unknown>, 'parameters'> & { parameters?: unknown }): FunctionTool {
  const { name, description = '', strict = true, execute } = definition
  requireToolName(name)
  refuseUnknown(`The tool "${name}"`, definition, OPTIONS, MOVED)
  if (typeof execute !== 'function') throw invalidTool(`The tool "${name}" needs an execute function.`)
  const { parameters, validator } = readParameters(name, definition.parameters)
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'function',
    name,
    description: definition.oneCallAtATime ? sequential(description) : description,
    parameters,
    returns: resultSchemaOf(name, definition.returns),
    strict,
    oneCallAtATime: definition.oneCallAtATime ?? false,
    isEnabled: definition.isEnabled,
    check: createCheck(parameters, validator, 'as-schema'),
    run: async (value, context) => execute(value, context),
  })
}

interface Parameters {
  parameters: JsonSchema
  validator: z.ZodType | StandardSchema | undefined
}

function readParameters(name: string, given: unknown): Parameters {
  const read = readSchema(name, given)
  if (!describesObject(read.parameters, read.parameters))
    throw invalidTool(
      `The parameters of tool "${name}" have to describe an object: z.object({ ... }), { city: z.string() }, or a JSON Schema with type "object" and its fields in "properties".`,
    )
  return read
}

function readSchema(name: string, given: unknown = {}): Parameters {
  const shape = asShape(name, given)
  const schema = shape === undefined ? given : z.object(shape)
  if (schema instanceof z.ZodType) return { parameters: zodToJsonSchema(name, schema), validator: schema }
  if (isStandardSchema(schema)) return { parameters: standardToJsonSchema(name, schema), validator: schema }
  if (isObject(schema) && !('~standard' in schema)) return { parameters: completed(schema), validator: undefined }
  throw invalidTool(
    `The parameters of tool "${name}" have to be a zod 4 object, a Standard Schema that can tell its JSON Schema, or a JSON Schema.`,
  )
}

/** A JSON Schema that may leave out that it describes an object; one that says nothing takes no arguments. */
function completed(schema: JsonSchema): JsonSchema {
  if (Object.keys(schema).length === 0) return { type: 'object', properties: {}, additionalProperties: false }
  return 'properties' in schema && schema.type === undefined ? { type: 'object', ...schema } : schema
}

/** @throws INVALID_TOOL for types that JSON does not have */
export function zodToJsonSchema(tool: string, schema: z.ZodType): JsonSchema {
  try {
    return schemaOf(schema)
  } catch (error) {
    throw invalidTool(`The parameters of tool "${tool}" have no JSON Schema: ${errorText(error)}.`)
  }
}

/** The fields of a zod object, written without z.object(). */
function asShape(name: string, given: unknown): z.ZodRawShape | undefined {
  if (!isObject(given) || '_zod' in given || '~standard' in given) return undefined
  const fields = Object.entries(given)
  const isZod = ([, value]: [string, unknown]) => typeof value === 'object' && value !== null && '_zod' in value
  if (!fields.some(isZod)) return undefined
  const odd = fields.find((field) => !isZod(field))
  if (odd !== undefined)
    throw invalidTool(`The parameter "${odd[0]}" of tool "${name}" is no zod 4 type, but others of its parameters are.`)
  return given as z.ZodRawShape
}

/** The description of a tool that runs alone, for the model. */
export const sequential = (description: string) =>
  `${description} Call it alone: no other tool can run beside it.`.trim()
