import type { JsonSchema } from '../wire/json.ts'
import type { ValidationDetail } from '../wire/validation.ts'

/** What a tool sees of the run that calls it. Standalone tools (`/tool/<name>`) get one with an empty `userContext`. */
export interface ToolContext {
  /** The agency's context merged with the request's `user_context`. It never reaches the model. */
  readonly userContext: { [key: string]: unknown }
  /** Reads one key of `userContext`; `fallback` (default undefined) when it is absent. */
  get<T = unknown>(key: string, fallback?: T): T
  /** Writes one key of `userContext`; later tools and sub-agents of the same run see it. */
  set(key: string, value: unknown): void
  /** The agent that called; null for a standalone tool. */
  readonly currentAgentName: string | null
  /** The model's call id; empty for a standalone tool. */
  readonly toolCallId: string
  /** Aborted when the run is cancelled or its client leaves. */
  readonly signal: AbortSignal
}

/** The outcome of checking arguments: the parsed value, or FastAPI-shaped details. */
export type ToolInput = { ok: true; value: unknown } | { ok: false; details: ValidationDetail[] }

/** A function the model may call. Made by `tool()` or from a `BaseTool` class; never changed afterwards. */
export interface FunctionTool {
  readonly kind: 'function'
  /** `class`: made from a BaseTool class, whose failures over HTTP answer 500; `function`: failures answer 200 with a text. */
  readonly origin: 'function' | 'class'
  readonly name: string
  readonly description: string
  /** The JSON Schema of the arguments, exactly as sent to the model. */
  readonly parameters: JsonSchema
  /** The JSON Schema of what it returns, for the OpenAPI document; undefined: anything. */
  readonly returns?: JsonSchema | undefined
  readonly strict: boolean
  /** While it runs, its agent's other calls are turned away, and it is while others run. */
  readonly oneCallAtATime: boolean
  /** Checks (and where harmless converts, "5" -> 5) the arguments. `loc` prefixes the details' location. */
  check(input: unknown, loc: readonly (string | number)[]): ToolInput
  /** Runs on a value that `check` accepted. Rejects with whatever the tool threw. */
  run(value: unknown, context: ToolContext): Promise<unknown>
}
