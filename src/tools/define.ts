/** `tool()`: defines a function tool from a schema and a function. */
import { z } from 'zod'
import { errorText } from '../base/errors.ts'
import { type Moved, optionNames, refuseUnknown } from '../base/options.ts'
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
import { requireToolName } from './names.ts'
import { describesObject } from './portable-schema.ts'
import { isStandardSchema, type StandardSchema, standardToJsonSchema } from './standard-schema.ts'
import type { CallOptions, FunctionTool, ToolContext } from './tool.ts'
import type { UserContext } from './user-context.ts'

/** Makes the compiler refuse parameters that describe a text, a number or a list. */
type RequireObject<Sent> = unknown extends Sent
  ? unknown
  : [Sent] extends [object & { readonly [Symbol.iterator]?: never }]
    ? unknown
    : { parameters?: { readonly _zod?: 'parameters must describe an object' } }

/** Options of `tool()`. */
export interface ToolDefinition<
  Input,
  Output = unknown,
  Context extends object = UserContext,
  Name extends string = string,
  Sent = unknown,
  Result = Output,
> extends CallOptions<Input, Output, Context> {
  /** 1 to 64 letters, digits, `_` or `-`. */
  name: Name
  /** Tells the model when and how to call the tool. @default '' */
  description?: string | undefined
  /**
   * A zod object or its fields (`{ city: z.string() }`), an object of another library that implements Standard Schema with JSON
   * Schema, or a JSON Schema as plain data.
   * @default no arguments
   */
  parameters?: z.ZodType<Input, Sent> | StandardSchema<Input> | JsonSchema | undefined
  /** Schema of the result: a zod type or a JSON Schema. For the OpenAPI document; results are not validated. @default any value */
  returns?: z.ZodType<Output> | JsonSchema | undefined
  /** Ask the provider to follow the schema exactly, when strict mode can express the schema. @default true */
  strict?: boolean | undefined
  /** Run no other tool of the same agent at the same time. @default false */
  oneCallAtATime?: boolean | undefined
  /**
   * Let the model load the tool when it finds it with `toolSearch()`, instead of sending it with every model call. For many tools
   * and large schemas. Models over other APIs than Responses get it as any other tool. @default false
   */
  deferLoading?: boolean | undefined
  /** Decides before every model call whether the agent may use the tool. @default always enabled */
  isEnabled?: FunctionTool['isEnabled'] | undefined
  /** Receives the validated arguments. The model gets its result, or a text with the error it threw. */
  execute(input: Input, context: ToolContext<Context>): Result | Promise<Result>
}

const OPTIONS = optionNames<ToolDefinition<unknown>>({
  name: true,
  description: true,
  parameters: true,
  returns: true,
  strict: true,
  oneCallAtATime: true,
  deferLoading: true,
  isEnabled: true,
  safeToRetry: true,
  needsApproval: true,
  timeoutMs: true,
  describeFailure: true,
  inputGuardrails: true,
  outputGuardrails: true,
  execute: true,
})
/** Names that other libraries use for an option -> what to use here. */
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
  failureErrorFunction: 'describeFailure',
  timeoutErrorFunction: 'describeFailure',
  errorFunction: 'describeFailure',
  timeout: 'timeoutMs',
  toolInputGuardrails: 'inputGuardrails',
  toolOutputGuardrails: 'outputGuardrails',
}

const schemas = new WeakMap<z.ZodType, JsonSchema>()

/**
 * The JSON Schema of a zod type, with all constraints. Cached, because agencies may be created for every request.
 * @throws Error for a type that no JSON value fits, such as z.date() or z.map()
 */
export function schemaOf(parameters: z.ZodType): JsonSchema {
  const cached = schemas.get(parameters)
  if (cached !== undefined) return cached
  const json = toJsonSchema(parameters)
  const plain = json.type === 'object' && !('anyOf' in json || 'oneOf' in json || 'allOf' in json)
  const schema = plain ? { ...json, additionalProperties: json.additionalProperties ?? false } : json
  schemas.set(parameters, schema)
  return schema
}

/** The JSON Schema of a tool's result, for the OpenAPI document. @throws INVALID_TOOL for types that JSON does not have */
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

/** zod types whose values JSON does not have -> what to use instead. */
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
  file: 'z.base64() or z.url()',
}
/** zod types that convert a JSON value -> the schema of that value. */
const COERCED: { [type: string]: JsonSchema } = {
  date: { type: 'string', format: 'date-time' },
  bigint: { type: 'integer' },
}

type Place = { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema; path: (string | number)[] }

function override({ zodSchema, jsonSchema, path }: Place): void {
  const { def } = zodSchema._zod
  if ('coerce' in def && def.coerce === true && COERCED[def.type] !== undefined)
    Object.assign(jsonSchema, COERCED[def.type])
  else if (NOT_JSON[def.type] !== undefined && (jsonSchema.type === undefined || def.type === 'file'))
    throw new Error(
      `JSON has no value for z.${def.type}() at ${path.join('.') || 'the top'}, use ${NOT_JSON[def.type]}`,
    )
  // OpenAI's API does not support `oneOf`; with a discriminator, `anyOf` means the same.
  if ('discriminator' in def && jsonSchema.oneOf !== undefined) {
    jsonSchema.anyOf = jsonSchema.oneOf
    delete jsonSchema.oneOf
  }
  // zod adds the bounds of safe integers to every integer; they are not a rule of the tool.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  if (hasFlags(def)) {
    delete jsonSchema.pattern
    delete jsonSchema.allOf
  }
}

/** JSON Schema patterns have no flags, and the pattern without them would refuse texts that the flags allow. */
function hasFlags(def: z.core.$ZodTypes['_zod']['def']): boolean {
  const checks = def.type === 'string' ? [def, ...(def.checks ?? []).map((check) => check._zod.def)] : []
  return checks.some(
    (check) => 'pattern' in check && check.pattern instanceof RegExp && /[ims]/.test(check.pattern.flags),
  )
}

/** Options of `tool()` with the fields of a zod object as `parameters`. */
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
 * @throws INVALID_TOOL for a name that providers refuse, a missing `execute`, parameters that do not describe an object, or
 *   types that JSON does not have; INVALID_OPTION for an unknown option
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
  definition: ToolDefinition<Input, Output, Context, Name, Sent, Result> & RequireObject<Sent>,
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
    ...(definition.deferLoading === true ? { deferLoading: true } : {}),
    isEnabled: definition.isEnabled,
    ...readCallOptions(name, definition),
    check: createCheck(parameters, validator, 'as-schema'),
    run: async (value, context) => execute(value, context),
  })
}

/** The longest time that a timer can wait, in milliseconds. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** The options for calls of models, as far as they are set. @throws INVALID_TOOL for a wrong value */
export function readCallOptions(name: string, options: CallOptions): CallOptions {
  const { safeToRetry, needsApproval, timeoutMs, describeFailure, inputGuardrails, outputGuardrails } = options
  const wrong = (option: string, words: string) => invalidTool(`${option} of tool "${name}" must be ${words}.`)
  if (safeToRetry !== undefined && typeof safeToRetry !== 'boolean') throw wrong('safeToRetry', 'true or false')
  if (needsApproval !== undefined && !/^(boolean|function)$/.test(typeof needsApproval))
    throw wrong('needsApproval', 'true, false, or a function (args, context) => boolean')
  if (timeoutMs !== undefined && !(Number.isInteger(timeoutMs) && timeoutMs > 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw wrong('timeoutMs', `a number of milliseconds from 1 to ${MAX_TIMEOUT_MS}`)
  if (describeFailure !== undefined && typeof describeFailure !== 'function')
    throw wrong('describeFailure', 'a function (error, input) => text')
  for (const [option, list] of Object.entries({ inputGuardrails, outputGuardrails }))
    if (list !== undefined && !(Array.isArray(list) && list.every((guardrail) => typeof guardrail === 'function')))
      throw wrong(option, 'a list of functions')
  const all = { safeToRetry, needsApproval, timeoutMs, describeFailure, inputGuardrails, outputGuardrails }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

interface Parameters {
  parameters: JsonSchema
  validator: z.ZodType | StandardSchema | undefined
}

function readParameters(name: string, option: unknown): Parameters {
  const result = readSchema(name, option)
  if (!describesObject(result.parameters, result.parameters))
    throw invalidTool(
      `The parameters of tool "${name}" must describe an object: z.object({ ... }), { city: z.string() }, or a JSON Schema with type "object" and its fields in "properties".`,
    )
  return result
}

function readSchema(name: string, option: unknown = {}): Parameters {
  const shape = asShape(name, option)
  const schema = shape === undefined ? option : z.object(shape)
  if (schema instanceof z.ZodType) return { parameters: zodToJsonSchema(name, schema), validator: schema }
  if (isStandardSchema(schema)) return { parameters: standardToJsonSchema(name, schema), validator: schema }
  if (isObject(schema) && !('~standard' in schema)) return { parameters: completeSchema(schema), validator: undefined }
  throw invalidTool(
    `The parameters of tool "${name}" must be a zod 4 object, a Standard Schema with JSON Schema support, or a JSON Schema.`,
  )
}

/** Adds `type: 'object'` where a JSON Schema leaves it out; an empty schema accepts no arguments. */
function completeSchema(schema: JsonSchema): JsonSchema {
  if (Object.keys(schema).length === 0) return { type: 'object', properties: {}, additionalProperties: false }
  return 'properties' in schema && schema.type === undefined ? { type: 'object', ...schema } : schema
}

/** The JSON Schema of a tool's parameters. @throws INVALID_TOOL for types that JSON does not have */
export function zodToJsonSchema(tool: string, schema: z.ZodType): JsonSchema {
  try {
    return schemaOf(schema)
  } catch (error) {
    throw invalidTool(`The parameters of tool "${tool}" have no JSON Schema: ${errorText(error)}.`)
  }
}

/** The fields of a zod object written without z.object(); undefined for anything else. @throws INVALID_TOOL for mixed fields */
function asShape(name: string, value: unknown): z.ZodRawShape | undefined {
  if (!isObject(value) || '_zod' in value || '~standard' in value) return undefined
  const fields = Object.entries(value)
  const isZod = ([, field]: [string, unknown]) => typeof field === 'object' && field !== null && '_zod' in field
  if (!fields.some(isZod)) return undefined
  const odd = fields.find((field) => !isZod(field))
  if (odd !== undefined)
    throw invalidTool(`The parameter "${odd[0]}" of tool "${name}" is not a zod 4 type, but other parameters are.`)
  return value as z.ZodRawShape
}

/** The description of a `oneCallAtATime` tool, as sent to the model. */
export const sequential = (description: string) =>
  `${description} Call it alone: no other tool can run beside it.`.trim()
