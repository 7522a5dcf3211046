import type { Charges } from '../base/budget.ts'
import type { JsonObject, JsonSchema } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'

/** What a model is told about a function it may call (the Responses API's `tools` entry). */
export interface ToolSchema {
  type: 'function'
  name: string
  description: string
  parameters: JsonSchema
  strict: boolean
}

/** One event of the Responses API's stream, as the provider sent it (or as a maker synthesised it). */
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
  /** `false`: the provider keeps nothing; reasoning then travels encrypted and earlier ids are left out. */
  store?: boolean | undefined
  metadata?: Record<string, string> | undefined
  include?: string[] | undefined
  /** `false` leaves this agent's calls out of `usage`. Default true. */
  includeUsage?: boolean | undefined
  extraHeaders?: Record<string, string> | undefined
  /** Merged into the request body as it is. */
  extraBody?: Record<string, unknown> | undefined
}

/** A JSON Schema that an answer has to fit. */
export interface OutputSchema {
  name: string
  schema: JsonSchema
  /** The schema is written as OpenAI's strict mode wants it. */
  strict: boolean
}

/** One model call as a value. */
export interface TurnRequest {
  instructions: string | undefined
  /** Responses input items: whole calls and answers, without the keys of stored messages. `provider_data` is what a provider wants back. */
  input: InputItem[]
  tools: readonly ToolSchema[]
  /** Tools that the provider runs itself, in the Responses API's own words (`{ type: 'web_search', ... }`). */
  hostedTools?: readonly JsonObject[]
  /** What the provider is asked to add to its answers, beside `settings.include`. */
  include?: readonly string[]
  settings: ModelSettings
  /** Structured output. */
  outputSchema?: OutputSchema
  /** Names messages and reasoning that their provider gives no ids: `prefix` and a number from `from` on. Default: random ids. */
  itemIds?: { prefix: string; from: number }
  /** What the call holds is charged here, in bytes. `charge` throws when there is no room, and the run then ends. */
  budget?: Charges
}

/** One network chunk's worth of events and its size in bytes (back-pressure is counted in it). */
export interface EventBatch {
  events: ResponseEvent[]
  /** The compact JSON of each event, where the maker has it at hand; spares readers from writing it again. */
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
  /** Whose model it is, in the words of OpenTelemetry's conventions (`openai`, `anthropic`, `gcp.gemini`); telemetry tells it. */
  readonly provider?: string | undefined
  /** True where `hostedTools` reach a provider that runs them. Otherwise functions that say they cannot run stand for them. */
  readonly runsHostedTools?: boolean | undefined
  streamTurn(request: TurnRequest, signal: AbortSignal): AsyncIterable<EventBatch>
  completeTurn(request: TurnRequest, signal: AbortSignal): Promise<ModelResponse>
}
