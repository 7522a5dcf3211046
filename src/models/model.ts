/** The interface between the turn loop and every model, and the values that pass through it. */
import type { Charges } from '../base/budget.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'

/** The definition of a function that a model may call (an entry of `tools` in the Responses API). */
export interface ToolSchema {
  type: 'function'
  name: string
  description: string
  parameters: JsonSchema
  strict: boolean
  /** The entry of `tools` in the Responses API, where that has a call type of its own for the tool. Other APIs ignore it. */
  native?: JsonObject
  /** Send it without its schema until the model has found it with a search. Only for the Responses API. */
  deferLoading?: boolean
  /** The group in which a search finds it. Only for the Responses API. */
  namespace?: { readonly name: string; readonly description: string }
}

/** One event of a Responses stream, as the provider sent it or as it was synthesised from another API. */
export type ResponseEvent = { type: string; [key: string]: unknown }

/** The provider's usage object of one response. */
export interface ResponseUsage {
  input_tokens?: number
  output_tokens?: number
  total_tokens?: number
  input_tokens_details?: {
    cached_tokens?: number
    cache_write_tokens?: number
    audio_tokens?: number
    [key: string]: unknown
  } | null
  output_tokens_details?: { reasoning_tokens?: number; audio_tokens?: number; [key: string]: unknown } | null
  [key: string]: unknown
}

/** A finished response: its output items verbatim and its usage. */
export interface ModelResponse {
  id?: string
  output: InputItem[]
  usage?: ResponseUsage | null
  status?: string
  [key: string]: unknown
}

/** Settings of a model call; camelCase twins of the Responses API's fields. Unset means the provider's default. */
export interface ModelSettings {
  temperature?: number | undefined
  topP?: number | undefined
  maxTokens?: number | undefined
  toolChoice?: 'auto' | 'required' | 'none' | (string & {}) | { [key: string]: unknown } | undefined
  parallelToolCalls?: boolean | undefined
  /** Default `"auto"`. */
  truncation?: 'auto' | 'disabled' | undefined
  reasoning?: { effort?: string | null; summary?: string | null; [key: string]: unknown } | undefined
  verbosity?: 'low' | 'medium' | 'high' | undefined
  /** `false`: the provider stores nothing. Reasoning is then sent encrypted, and earlier ids are left out. */
  store?: boolean | undefined
  metadata?: Record<string, string> | undefined
  include?: string[] | undefined
  /** `false` leaves this agent's calls out of `usage`. Default true. */
  includeUsage?: boolean | undefined
  extraHeaders?: Record<string, string> | undefined
  /** Merged into the request body as it is. */
  extraBody?: Record<string, unknown> | undefined
}

/** The JSON Schema of a structured answer. */
export interface OutputSchema {
  name: string
  schema: JsonSchema
  /** The schema follows the rules of OpenAI's strict mode. */
  strict: boolean
}

/** One model call as a value. */
export interface TurnRequest {
  /** The name of the agent that asks. Undefined for a call that no agent makes, such as the one that names a chat. */
  agent?: string
  instructions: string | undefined
  /** Responses input items without the keys of stored messages. `provider_data` holds what a provider needs back. */
  input: InputItem[]
  tools: readonly ToolSchema[]
  /** Tools that the provider runs, as the Responses API defines them (`{ type: 'web_search', ... }`). */
  hostedTools?: readonly JsonObject[]
  /** Values of `include` beside those of `settings.include`. */
  include?: readonly string[]
  settings: ModelSettings
  /** Structured output. */
  outputSchema?: OutputSchema
  /** Names messages and reasoning that their provider gives no ids: `prefix` and a number from `from` on. Default: random ids. */
  itemIds?: { prefix: string; from: number }
  /** Charged for the memory of the call, in bytes. `charge` throws when the limit is reached, which ends the run. */
  budget?: Charges
  /** Awaited before the call is tried again, with the error of the last attempt. When it throws, the call fails with that error. */
  onRetry?: (error: unknown) => Promise<void>
}

/** The events of one network chunk, and its size in bytes, by which back-pressure is measured. */
export interface EventBatch {
  events: ResponseEvent[]
  /** The compact JSON of each event, when it is known, so that it need not be written again. */
  texts?: string[]
  bytes: number
}

/**
 * The one interface between the turn loop and every provider.
 * `streamTurn` yields Responses stream events, one batch per network chunk; a consumer that stops pulling stops the network read.
 * `completeTurn` makes one plain call. Both reject with an AgencyError (MODEL_FAILED) whose message is the provider's
 * sentence; an aborted signal closes the socket and rejects with the signal's reason.
 */
export interface Model {
  /** The name sent upstream and looked up in the price table. */
  readonly name: string
  /** The provider's name by OpenTelemetry's conventions (`openai`, `anthropic`, `gcp.gemini`), for telemetry. */
  readonly provider?: string | undefined
  /** True when the provider runs `hostedTools`. Otherwise functions that say they are unavailable replace them. */
  readonly runsHostedTools?: boolean | undefined
  streamTurn(request: TurnRequest, signal: AbortSignal): AsyncIterable<EventBatch>
  completeTurn(request: TurnRequest, signal: AbortSignal): Promise<ModelResponse>
}
