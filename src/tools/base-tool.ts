import { z } from 'zod'
import { invalidTool } from '../errors.ts'
import type { JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
import { resultSchemaOf, schemaOf, sequential } from './define.ts'
import type { FunctionTool, ToolContext } from './tool.ts'

/** What every instance of a tool class has beside its fields. */
export interface ToolInstance {
  readonly context: ToolContext
  readonly toolCallId: string
  run(): unknown
}

/** Settings of a tool class. `strict` (default false) asks the provider to follow the schema exactly; `oneCallAtATime` lets no other tool of the agent run beside it. */
export interface ToolConfig {
  strict?: boolean
  oneCallAtATime?: boolean
}

export interface ToolClass {
  new (fields: never, context: ToolContext): ToolInstance
  readonly fields: z.ZodObject
  readonly toolName?: string
  readonly description: string
  readonly returns?: z.ZodType | JsonSchema | undefined
  readonly toolConfig: ToolConfig
  readonly name: string
}

/** The base of tools written as classes: `class Address extends BaseTool.define({ street: z.string() }) { run() {...} }`. */
export abstract class BaseTool implements ToolInstance {
  static readonly fields: z.ZodObject = z.object({})
  static description = ''
  /** What `run()` returns, as a zod schema or a JSON Schema, for the OpenAPI document; not checked. */
  static returns?: z.ZodType | JsonSchema | undefined
  static toolConfig: ToolConfig = {}
  readonly context: ToolContext
  readonly toolCallId: string
  constructor(fields: unknown, context: ToolContext) {
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
export type DefinedToolClass<Shape extends z.ZodRawShape> = (abstract new (
  fields: Fields<Shape>,
  context: ToolContext,
) => BaseTool & Fields<Shape>) & {
  readonly fields: z.ZodObject
  description: string
  returns?: z.ZodType | JsonSchema | undefined
  toolConfig: ToolConfig
}

const isToolClass = (value: unknown): value is ToolClass =>
  typeof value === 'function' && value.prototype instanceof BaseTool

/**
 * A FunctionTool as it is, a BaseTool class as the tool it describes.
 * @throws INVALID_TOOL for anything else, with advice
 */
export function asFunctionTool(value: unknown): FunctionTool {
  if (isToolClass(value)) return toolFromClass(value)
  if (value instanceof BaseTool)
    throw invalidTool(
      `Give the tool class itself, not an instance: ${value.constructor.name} instead of new ${value.constructor.name}(...).`,
    )
  if (typeof value === 'object' && value !== null && (value as FunctionTool).kind === 'function')
    return value as FunctionTool
  throw invalidTool(
    'A tool is made by tool({ name, execute, ... }) or is a class that extends BaseTool.define({ ... }).',
  )
}

function toolFromClass(toolClass: ToolClass): FunctionTool {
  const parameters = schemaOf(toolClass.fields)
  const { strict = false, oneCallAtATime = false } = toolClass.toolConfig
  return Object.freeze<FunctionTool>({
    kind: 'function',
    origin: 'class',
    name: toolClass.toolName ?? toolClass.name,
    description: oneCallAtATime ? sequential(toolClass.description) : toolClass.description,
    parameters,
    returns: resultSchemaOf(toolClass.returns),
    strict,
    oneCallAtATime,
    check: createCheck(parameters, toolClass.fields, 'ignore'),
    run: async (value, context) => new toolClass(value as never, context).run(),
  })
}
