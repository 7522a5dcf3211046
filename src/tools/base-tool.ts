/** Tools written as classes (BaseTool), and how every kind of tool becomes a Tool. */
import { z } from 'zod'
import { errorText } from '../base/errors.ts'
import { invalidTool } from '../base/start-errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { valueError } from '../wire/validation.ts'
import { createCheck } from './check.ts'
import { readCallOptions, resultSchemaOf, sequential, zodToJsonSchema } from './define.ts'
import { requireToolName } from './names.ts'
import { fromSdkTool, type SdkFunctionTool, type SdkHostedTool } from './sdk-tool.ts'
import type { CallOptions, FunctionTool, HostedTool, Tool, ToolContext } from './tool.ts'
import type { UserContext } from './user-context.ts'

/** The members of every instance of a tool class, besides its fields. */
export interface ToolInstance<Context extends object = UserContext> {
  /** For the compiler only: never set. */
  readonly '~needs'?: (context: Context) => void
  readonly context: object
  readonly toolCallId: string
  run(): unknown
}

/** Settings of a tool class: `static toolConfig = { ... }`. */
export interface ToolConfig extends CallOptions {
  /** Ask the provider to follow the schema exactly. @default false */
  strict?: boolean
  /** Run no other tool of the same agent at the same time. @default false */
  oneCallAtATime?: boolean
  /** Let the model load the tool when it finds it with `toolSearch()`. See `deferLoading` of `tool()`. @default false */
  deferLoading?: boolean
}

// biome-ignore lint/suspicious/noExplicitAny: any class, whatever context it needs
export interface ToolClass<Context extends object = any> {
  new (fields: never, context: never): ToolInstance<Context>
  readonly fields: z.ZodObject
  readonly toolName?: string
  readonly description: string
  readonly returns?: z.ZodType | JsonSchema | undefined
  readonly toolConfig: ToolConfig
  readonly name: string
  refine?(fields: never): unknown
}

/** An entry of a `tools` list: a function tool, a hosted tool, a tool class, or a tool of the OpenAI Agents SDK. */
// biome-ignore lint/suspicious/noExplicitAny: any tool, whatever context it needs
export type ToolLike<Context extends object = any> =
  | FunctionTool<Context>
  | HostedTool
  | ToolClass<Context>
  | SdkFunctionTool
  | SdkHostedTool

/**
 * Base class of tools written as classes: `class Address extends BaseTool.define({ street: z.string() }) { run() {...} }`.
 * A `static refine(fields)` may check fields against each other; the text it returns or throws goes back to the model.
 * `BaseTool.define({ ... })<Shop>` sets the type of the user context in `this.context`.
 */
export abstract class BaseTool<Context extends object = UserContext> implements ToolInstance<Context> {
  declare readonly '~needs'?: (context: Context) => void
  static readonly fields: z.ZodObject = z.object({})
  static description = ''
  /** Schema of the result of `run()`, as a zod type or a JSON Schema. For the OpenAPI document; results are not validated. */
  static returns?: z.ZodType | JsonSchema | undefined
  static toolConfig: ToolConfig = {}
  readonly context: ToolContext<Context>
  readonly toolCallId: string
  constructor(fields: unknown, context: ToolContext<Context>) {
    this.context = context
    this.toolCallId = context.toolCallId
    for (const [key, value] of Object.entries(fields as object))
      Object.defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true })
  }
  abstract run(): unknown

  /**
   * Creates a base class with these fields, or with those of a zod object: typed, and validated before `run()`. Do not declare
   * them again in the class.
   * @throws INVALID_TOOL for a field that is not a zod 4 type
   */
  static define<Shape extends z.ZodRawShape>(shape: Shape | z.ZodObject<Shape>) {
    const object = shape instanceof z.ZodObject ? shape : z.object(shape)
    const odd = Object.entries(object.shape).find(([, type]) => !isObject(type) || !('_zod' in type))
    if (odd !== undefined)
      throw invalidTool(`The field "${odd[0]}" of BaseTool.define() is not a zod 4 type, such as z.string().`)
    abstract class DefinedTool extends BaseTool {
      static override readonly fields: z.ZodObject = object
    }
    return DefinedTool as unknown as DefinedToolClass<Shape>
  }
}

type Fields<Shape extends z.ZodRawShape> = keyof Shape extends never ? object : z.output<z.ZodObject<Shape>>
export type DefinedToolClass<Shape extends z.ZodRawShape> = (abstract new <Context extends object = UserContext>(
  fields: Fields<Shape>,
  context: ToolContext<Context>,
) => BaseTool<Context> & Fields<Shape>) & {
  readonly fields: z.ZodObject<Shape>
  description: string
  returns?: z.ZodType | JsonSchema | undefined
  toolConfig: ToolConfig
  refine?(fields: Fields<Shape>): unknown
}

const isToolClass = (value: unknown): value is ToolClass =>
  typeof value === 'function' && value.prototype instanceof BaseTool

/**
 * Turns an entry of a `tools` list into a Tool: tool classes and tools of the Agents SDK are adapted.
 * @throws INVALID_TOOL for anything else; the text says how to create a tool
 */
export function asTool(value: unknown): Tool {
  if (isToolClass(value)) return toolFromClass(value)
  if (value instanceof BaseTool)
    throw invalidTool(
      `Pass the tool class itself, not an instance: ${value.constructor.name} instead of new ${value.constructor.name}(...).`,
    )
  if (isObject(value) && (value.kind === 'function' || value.kind === 'hosted')) {
    if (value.kind === 'function') requireToolName(value.name)
    return value as unknown as Tool
  }
  const adapted = fromSdkTool(value)
  if (adapted !== undefined) return adapted
  if (typeof value === 'function' && value.name !== '')
    throw invalidTool(
      `"${value.name}" is not a tool. Create one from it with tool({ name, parameters, execute }), or call ${value.name}() if that returns a tool.`,
    )
  throw invalidTool(
    'A tool must be created by tool({ name, execute, ... }), by webSearch() and the other hosted tools, or be a class that extends BaseTool.define({ ... }).',
  )
}

/**
 * Turns an entry of a `tools` list into a tool that can run here, without an agent.
 * @throws INVALID_TOOL like asTool, and for hosted tools
 */
export function asFunctionTool(value: unknown): FunctionTool {
  const tool = asTool(value)
  if (tool.kind === 'hosted')
    throw invalidTool(
      `The tool "${tool.name}" is run by the model's provider, so it cannot be served or described by itself. Add it to an agent's tools.`,
    )
  return tool
}

/** The tool of each class, so that a class that is listed twice counts as one tool. */
const toolsByClass = new WeakMap<ToolClass, FunctionTool>()

function toolFromClass(toolClass: ToolClass): FunctionTool {
  const tool = toolsByClass.get(toolClass) ?? readClass(toolClass)
  toolsByClass.set(toolClass, tool)
  return tool
}

function readClass(toolClass: ToolClass): FunctionTool {
  const { description, toolName: name = toolClass.name } = toolClass
  if (Object.hasOwn(toolClass, 'ToolConfig'))
    throw invalidTool(
      `The tool class ${name} has "ToolConfig"; here it is static toolConfig = { strict, oneCallAtATime }.`,
    )
  requireToolName(name, `Give the class another one: static toolName = '...'.`)
  refuseClashes(name, toolClass)
  const parameters = zodToJsonSchema(name, toolClass.fields)
  const { strict = false, oneCallAtATime = false, deferLoading = false } = toolClass.toolConfig
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'class',
    name,
    description: oneCallAtATime ? sequential(description) : description,
    parameters,
    returns: resultSchemaOf(name, toolClass.returns),
    strict,
    oneCallAtATime,
    ...(deferLoading ? { deferLoading } : {}),
    ...readCallOptions(name, toolClass.toolConfig),
    check: withRefinement(createCheck(parameters, toolClass.fields, 'ignore'), toolClass),
    run: async (value, context) => withFields(new toolClass(value as never, context as never), value as object).run(),
  })
}

/** Sets fields that the class cleared by declaring them again (`city!: string`). */
function withFields(tool: ToolInstance, fields: object): ToolInstance {
  const instance = tool as ToolInstance & { [field: string]: unknown }
  for (const [key, value] of Object.entries(fields)) if (instance[key] === undefined) instance[key] = value
  return tool
}

/** Members that an instance has itself; all others are on the prototype. */
const INSTANCE_MEMBERS = ['context', 'toolCallId', 'run']

/** A field becomes a property of the instance and would hide a member of the same name. @throws INVALID_TOOL */
function refuseClashes(name: string, { fields, prototype }: ToolClass & { prototype: object }): void {
  const clashes = Object.keys(fields.shape).filter((field) => INSTANCE_MEMBERS.includes(field) || field in prototype)
  if (clashes.length === 0) return
  const list = clashes.map((field) => `"${field}"`).join(', ')
  throw invalidTool(
    `The tool class ${name} has the field ${list}, which is also a member of every tool (context, toolCallId, run) or of this class. Rename the field.`,
  )
}

/** Runs the class's `refine` after the checks of its fields. */
function withRefinement(check: FunctionTool['check'], toolClass: ToolClass): FunctionTool['check'] {
  if (toolClass.refine === undefined) return check
  return async (input, loc, from) => {
    const checked = await check(input, loc, from)
    if (!checked.ok) return checked
    const reason = await runRefine(toolClass, checked.value)
    return reason === undefined ? checked : { ok: false, details: [valueError(loc, reason, input)] }
  }
}

/** The text that `refine` returns or throws; undefined when it accepts the fields. */
async function runRefine(toolClass: ToolClass, fields: unknown): Promise<string | undefined> {
  try {
    const reason = await toolClass.refine?.(fields as never)
    return typeof reason === 'string' && reason !== '' ? reason : undefined
  } catch (error) {
    return errorText(error)
  }
}
