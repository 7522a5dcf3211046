/** The types of tools, as agents and runs use them. */

import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'
import type { ConsentRequest, LoginServer } from './mcp/oauth/login.ts'
import type { ContextAccess, UserContext } from './user-context.ts'

/** What a tool tells the caller of its run while it works, such as its progress. Models do not see it. */
export interface ToolEvent {
  /** What the event is, for the client: 1 to 128 characters. */
  name: string
  /** Anything that JSON can express; it is copied. @default null */
  value?: unknown
}

/** The run as a tool sees it. Standalone tools (`/tool/<name>`) get one with an empty `userContext`. */
export interface ToolContext<Context extends object = UserContext> extends ContextAccess<Context> {
  /** The agent that called the tool; null for a standalone tool. */
  readonly currentAgentName: string | null
  /** The id of the call; empty for a standalone tool. */
  readonly toolCallId: string
  /**
   * A key for the services that the tool calls: the same each time this call is run, also after a restart, and different for
   * every other call. Empty for a standalone tool.
   */
  readonly idempotencyKey: string
  /** Aborts when the run is cancelled, its client disconnects, or the tool's `timeoutMs` is over. */
  readonly signal: AbortSignal
  /**
   * Sends an event into the stream of the run's caller, such as the progress of a long tool. Without a stream, and once the call
   * has ended, it does nothing. The promise never rejects; await it in a loop, so that a slow reader slows the tool down.
   * @throws INVALID_EVENT for a name that is missing or too long, and a value that JSON cannot express or that has more than `limits.toolEventBytes`
   */
  emit(event: ToolEvent): Promise<void>
}

/** What a guardrail of a tool found. Nothing counts as no objection. */
export interface ToolGuardrailResult {
  tripwire: boolean
  /** What the model reads instead of the output. */
  guidance?: string
}
/** Checks the validated arguments of a call before the tool runs. When it throws, the run fails. */
export type ToolInputGuardrail<Input = unknown, Context extends object = UserContext> = {
  check(
    input: Input,
    context: ToolContext<Context>,
  ): ToolGuardrailResult | undefined | Promise<ToolGuardrailResult | undefined>
}['check']
/** Checks what a tool returned before the model reads it. When it throws, the run fails. */
export type ToolOutputGuardrail<Output = unknown, Context extends object = UserContext> = {
  check(
    output: Output,
    context: ToolContext<Context>,
  ): ToolGuardrailResult | undefined | Promise<ToolGuardrailResult | undefined>
}['check']

/** Options of a tool for the calls that models make. Calls of a standalone tool (`/tool/<name>`) do not read them. */
export interface CallOptions<
  // biome-ignore lint/suspicious/noExplicitAny: any tool, whatever it takes and needs
  Input = any,
  Output = unknown,
  // biome-ignore lint/suspicious/noExplicitAny: any tool, whatever it takes and needs
  Context extends object = any,
> {
  /**
   * A call that a restart of the server interrupted is run again, with the same `context.idempotencyKey`. Otherwise the model
   * reads that the call may have taken effect. @default false
   */
  readonly safeToRetry?: boolean | undefined
  /**
   * A call waits until a person has approved it: every call, or those for which a function of the arguments returns true. Only
   * stored runs can wait; in any other run the call is refused with a text for the model. @default false
   */
  readonly needsApproval?: boolean | ApprovalCheck<Input, Context> | undefined
  /** How long a call may take, in milliseconds. Then its signal aborts, and the model reads that it took too long. @default no limit */
  readonly timeoutMs?: number | undefined
  /**
   * Makes the text that the model reads when a call fails or takes too long. It must not throw: then the model reads the default.
   * @default a text with the message of the error and the advice to check the arguments
   */
  readonly describeFailure?: FailureText<Input> | undefined
  /** Check the arguments of each call. @default [] */
  readonly inputGuardrails?: readonly ToolInputGuardrail<Input, Context>[] | undefined
  /** Check the output of each call. @default [] */
  readonly outputGuardrails?: readonly ToolOutputGuardrail<Output, Context>[] | undefined
}

/** Makes the text that the model reads when a call of a tool fails. */
export type FailureText<Input = unknown> = { describe(error: Error, input: Input): string }['describe']

/** Decides whether a call needs a person's approval. */
export type ApprovalCheck<Input = unknown, Context extends object = UserContext> = {
  check(input: Input, context: ToolContext<Context>): boolean | Promise<boolean>
}['check']

/** The result of checking arguments: the parsed value, or errors in the shape of FastAPI. */
export type ToolInput = { ok: true; value: unknown } | { ok: false; details: ValidationDetail[] }

/** A group of tools. */
export interface ToolNamespace {
  /** 1 to 64 letters, digits, `_` or `-`; no member may have it as its name. */
  readonly name: string
  /** Tells the model what the tools of the group are for. */
  readonly description: string
}

/** The agent passed to `isEnabled`. */
export interface ToolOwner {
  readonly name: string
  readonly description: string
}

/** The types of a tool, for the compiler. */
export interface ToolTypes<Context, Input, Output> {
  readonly input: Input
  readonly output: Output
  readonly context: (context: Context) => void
}

/**
 * A function the model may call. Created by `tool()` or from a `BaseTool` class, and immutable. `Context` is the type of the
 * user context it needs, `Input` that of the arguments callers send, `Output` that of its result.
 */
export interface FunctionTool<
  // biome-ignore lint/suspicious/noExplicitAny: any tool, whatever it needs
  Context extends object = any,
  Name extends string = string,
  Input = unknown,
  Output = unknown,
> extends CallOptions {
  /** For the compiler only: never set. */
  readonly '~types'?: ToolTypes<Context, Input, Output>
  readonly kind: 'function'
  /** How failures answer over HTTP: `class` (a BaseTool class) with 500, `function` with 200 and a text. */
  readonly origin: 'function' | 'class'
  readonly name: Name
  readonly description: string
  /** The display name of a tool of an MCP server. @default undefined */
  readonly title?: string | undefined
  /** The MCP server of the tool. @default undefined */
  readonly mcpServer?: string | undefined
  /** The JSON Schema of the arguments. Models get a reduced form that every provider accepts. */
  readonly parameters: JsonSchema
  /** The JSON Schema of the result, for the OpenAPI document; undefined for any value. */
  readonly returns?: JsonSchema | undefined
  /** Ask the provider to follow the schema exactly, when strict mode can express the schema. */
  readonly strict: boolean
  /** The entry of `tools` in the Responses API, where that has a call type of its own for the tool. @default a function */
  readonly native?: JsonObject | undefined
  /** Sent without its schema until the model finds it with `toolSearch()`, where the API has such a search. @default false */
  readonly deferLoading?: boolean | undefined
  /** The group in which a search finds it, from `toolNamespace()`. @default none */
  readonly namespace?: ToolNamespace | undefined
  /** While it runs, other calls of its agent are refused; it is refused while others run. */
  readonly oneCallAtATime: boolean
  /**
   * Converts ("5" -> 5, where nothing is lost) and validates the arguments. `loc` is the prefix of the error locations. From a
   * model, unknown fields are dropped, and null counts as absent in a field that is optional but not nullable.
   * @param from who sent the arguments; default `caller`, over HTTP
   */
  check(input: unknown, loc: readonly (string | number)[], from?: 'caller' | 'model'): Promise<ToolInput>
  /** Decides before every model call and every run whether the agent may use the tool. @default always enabled */
  readonly isEnabled?: ((context: ToolContext, agent: ToolOwner) => boolean | Promise<boolean>) | undefined
  /**
   * Prepares the consent of a person, which a call of the tool waits for instead of an approval. Only this package sets it, for
   * MCP servers with `oauth`. @default none
   */
  readonly consent?: (() => Promise<ConsentRequest>) | undefined
  /** Runs the tool with a value that `check` returned. Rejects with the error of the tool. */
  run(value: unknown, context: ToolContext): Promise<unknown>
}

/** A tool that the model's provider runs itself, such as a web search. Created by `webSearch()` and the other hosted tools. */
export interface HostedTool {
  readonly kind: 'hosted'
  /** `web_search`, `file_search`, `code_interpreter`, `image_generation`, `hosted_mcp`, or the type of another hosted tool. */
  readonly name: string
  /** The name shown in the metadata; for a hosted MCP server, its label. */
  readonly label: string
  /** The entry of `tools` that is sent to the Responses API. */
  readonly definition: JsonObject
  /** The `include` values of the Responses API that the tool needs. */
  readonly include: readonly string[]
  /** Of a hosted MCP server with `oauth`: where each owner of runs logs in. */
  readonly login?: LoginServer | undefined
}

/** A tool of an agent, after adapting classes and SDK tools. */
export type Tool = FunctionTool | HostedTool
