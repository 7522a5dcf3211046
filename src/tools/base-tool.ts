import { z } from 'zod'
import { errorText, invalidTool } from '../errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { valueError } from '../wire/validation.ts'
import { createCheck } from './check.ts'
import { resultSchemaOf, sequential, zodToJsonSchema } from './define.ts'
import { requireToolName } from './names.ts'
import { fromSdkTool, type SdkFunctionTool, type SdkHostedTool } from './sdk-tool.ts'
import type { FunctionTool, HostedTool, Tool, ToolContext } from './tool.ts'
import type { UserContext } from './user-context.ts'

/** What every instance of a tool class has beside its fields. */
export interface ToolInstance<Context extends object = UserContext> {
  /** Only for the compiler: there is no such value. */
  readonly '~needs'?: (context: Context) => void
  readonly context: object
  readonly toolCallId: string
  run(): unknown
}

/** Settings of a tool class. `strict` (default false) asks the provider to follow the schema exactly; `oneCallAtATime` lets no other tool of the agent run beside it. */
export interface ToolConfig {
  strict?: boolean
  oneCallAtATime?: boolean
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

/** What may stand in a list of tools: ours, tool classes, and tools of the OpenAI Agents SDK as they are. */
// biome-ignore lint/suspicious/noExplicitAny: any tool, whatever context it needs
export type ToolLike<Context extends object = any> =
  | FunctionTool<Context>
  | HostedTool
  | ToolClass<Context>
  | SdkFunctionTool
  | SdkHostedTool

/**
 * The base of tools written as classes: `class Address extends BaseTool.define({ street: z.string() }) { run() {...} }`.
 * A `static refine(fields)` may check fields against each other: the text it returns, or throws, goes back to the model.
 * `BaseTool.define({ ... })<Shop>` names the user context that `this.context` gives.
 */
export abstract class BaseTool<Context extends object = UserContext> implements ToolInstance<Context> {
  declare readonly '~needs'?: (context: Context) => void
  static readonly fields: z.ZodObject = z.object({})
  static description = ''
  /** What `run()` returns, as a zod schema or a JSON Schema, for the OpenAPI document; not checked. */
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

  /** A base class with these fields: their types, and their checks before `run()`. Do not declare them again. */
  static define<Shape extends z.ZodRawShape>(shape: Shape) {
    abstract class DefinedTool extends BaseTool {
      static override readonly fields: z.ZodObject = z.object(shape)
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
 * What stands in a list of tools, read: our own as they are, classes and tools of the Agents SDK as the tools they describe.
 * @throws INVALID_TOOL for anything else, with advice
 */
export function asTool(value: unknown): Tool {
  if (isToolClass(value)) return toolFromClass(value)
  if (value instanceof BaseTool)
    throw invalidTool(
      `Give the tool class itself, not an instance: ${value.constructor.name} instead of new ${value.constructor.name}(...).`,
    )
  if (isObject(value) && (value.kind === 'function' || value.kind === 'hosted')) {
    if (value.kind === 'function') requireToolName(value.name)
    return value as unknown as Tool
  }
  const adapted = fromSdkTool(value)
  if (adapted !== undefined) return adapted
  if (typeof value === 'function' && value.name !== '')
    throw invalidTool(
      `"${value.name}" is no tool. Make one of it: tool({ name, parameters, execute }), or ${value.name}() where that makes one.`,
    )
  throw invalidTool(
    'A tool is made by tool({ name, execute, ... }), by webSearch() and its siblings, or is a class that extends BaseTool.define({ ... }).',
  )
}

/**
 * A tool that can run here, without an agent.
 * @throws INVALID_TOOL as asTool, and for hosted tools
 */
export function asFunctionTool(value: unknown): FunctionTool {
  const read = asTool(value)
  if (read.kind === 'hosted')
    throw invalidTool(
      `The tool "${read.name}" is run by the model's provider, so it cannot be served or described by itself. Give it to an agent.`,
    )
  return read
}

/** One tool for each class, so that a class that is given twice stays one tool. */
const ofClass = new WeakMap<ToolClass, FunctionTool>()

function toolFromClass(toolClass: ToolClass): FunctionTool {
  const made = ofClass.get(toolClass) ?? readClass(toolClass)
  ofClass.set(toolClass, made)
  return made
}

function readClass(toolClass: ToolClass): FunctionTool {
  const { description, toolName: name = toolClass.name } = toolClass
  if (Object.hasOwn(toolClass, 'ToolConfig'))
    throw invalidTool(
      `The tool class ${name} has "ToolConfig"; here it is written static toolConfig = { strict, oneCallAtATime }.`,
    )
  requireToolName(name, `Give the class another one: static toolName = '...'.`)
  refuseClashes(name, toolClass)
  const parameters = zodToJsonSchema(name, toolClass.fields)
  const { strict = false, oneCallAtATime = false } = toolClass.toolConfig
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'class',
    name,
    description: oneCallAtATime ? sequential(description) : description,
    parameters,
    returns: resultSchemaOf(name, toolClass.returns),
    strict,
    oneCallAtATime,
    check: withRefinement(createCheck(parameters, toolClass.fields, 'ignore'), toolClass),
    run: async (value, context) => new toolClass(value as never, context as never).run(),
  })
}

/** What an instance has itself; everything else stands on the prototype. */
const INSTANCE_MEMBERS = ['context', 'toolCallId', 'run']

/** A field becomes a property of the instance, so it would hide a member of the same name. */
function refuseClashes(name: string, { fields, prototype }: ToolClass & { prototype: object }): void {
  const clashes = Object.keys(fields.shape).filter((field) => INSTANCE_MEMBERS.includes(field) || field in prototype)
  if (clashes.length === 0) return
  const list = clashes.map((field) => `"${field}"`).join(', ')
  throw invalidTool(
    `The tool class ${name} has the field ${list}, which is also a member of every tool (context, toolCallId, run) or of this class. Rename the field.`,
  )
}

/** The class's own rule comes after the fields' rules. */
function withRefinement(check: FunctionTool['check'], toolClass: ToolClass): FunctionTool['check'] {
  if (toolClass.refine === undefined) return check
  return (input, loc, from) => {
    const checked = check(input, loc, from)
    if (!checked.ok) return checked
    const reason = objectionOf(toolClass, checked.value)
    return reason === undefined ? checked : { ok: false, details: [valueError(loc, reason, input)] }
  }
}

function objectionOf(toolClass: ToolClass, fields: unknown): string | undefined {
  try {
    const said = toolClass.refine?.(fields as never)
    return typeof said === 'string' && said !== '' ? said : undefined
  } catch (error) {
    return errorText(error)
  }
}
