import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'
import type { ContextAccess, UserContext } from './user-context.ts'

/** What a tool sees of the run that calls it. Standalone tools (`/tool/<name>`) get one with an empty `userContext`. */
export interface ToolContext<Context extends object = UserContext> extends ContextAccess<Context> {
  /** The agent that called; null for a standalone tool. */
  readonly currentAgentName: string | null
  /** The model's call id; empty for a standalone tool. */
  readonly toolCallId: string
  /** Aborted when the run is cancelled or its client leaves. */
  readonly signal: AbortSignal
}

/** The outcome of checking arguments: the parsed value, or FastAPI-shaped details. */
export type ToolInput = { ok: true; value: unknown } | { ok: false; details: ValidationDetail[] }

/** The agent that a tool is asked about. */
export interface ToolOwner {
  readonly name: string
  readonly description: string
}

/** What the compiler knows of a tool. */
export interface ToolTypes<Context, Input, Output> {
  readonly input: Input
  readonly output: Output
  readonly context: (context: Context) => void
}

/**
 * A function the model may call. Made by `tool()` or from a `BaseTool` class; never changed afterwards. `Context` is the user
 * context it needs, `Input` what callers send, `Output` what it returns.
 */
export interface FunctionTool<
  // biome-ignore lint/suspicious/noExplicitAny: any tool, whatever it needs
  Context extends object = any,
  Name extends string = string,
  Input = unknown,
  Output = unknown,
> {
  /** Only for the compiler: there is no such value. */
  readonly '~types'?: ToolTypes<Context, Input, Output>
  readonly kind: 'function'
  /** `class`: made from a BaseTool class, whose failures over HTTP answer 500; `function`: failures answer 200 with a text. */
  readonly origin: 'function' | 'class'
  readonly name: Name
  readonly description: string
  /** The short name for people that an MCP server gives its tool. Default: none. */
  readonly title?: string | undefined
  /** The MCP server it comes from. Default: none. */
  readonly mcpServer?: string | undefined
  /** The JSON Schema of the arguments. What a model gets is made of it: the part that every provider takes. */
  readonly parameters: JsonSchema
  /** The JSON Schema of what it returns, for the OpenAPI document; undefined: anything. */
  readonly returns?: JsonSchema | undefined
  /** The provider is asked to follow the schema exactly, where the schema can be written in that way. */
  readonly strict: boolean
  /** While it runs, its agent's other calls are turned away, and it is while others run. */
  readonly oneCallAtATime: boolean
  /**
   * Checks (and where harmless converts, "5" -> 5) the arguments. `loc` prefixes the details' location. From a model, fields
   * that the schema does not know are left out, and a null counts as absent where a field may be absent but not null.
   * @param from who sent them; default: a caller over HTTP
   */
  check(input: unknown, loc: readonly (string | number)[], from?: 'caller' | 'model'): ToolInput
  /** Whether the agent may use it right now, asked before every model call and every run. Absent: always. */
  readonly isEnabled?: ((context: ToolContext, agent: ToolOwner) => boolean | Promise<boolean>) | undefined
  /** Runs on a value that `check` accepted. Rejects with whatever the tool threw. */
  run(value: unknown, context: ToolContext): Promise<unknown>
}

/** A tool that the model's provider runs itself, such as a web search. Made by `webSearch()` and its siblings. */
export interface HostedTool {
  readonly kind: 'hosted'
  /** `web_search`, `file_search`, `code_interpreter`, `image_generation`, `hosted_mcp`, or the type of another one. */
  readonly name: string
  /** What people see in the metadata; the server's label of a hosted MCP server. */
  readonly label: string
  /** The Responses API's `tools` entry, as sent. */
  readonly definition: JsonObject
  /** What it asks the provider to add to its answers (the Responses API's `include`). */
  readonly include: readonly string[]
}

/** What an agent's list of tools holds once it is read. */
export type Tool = FunctionTool | HostedTool
