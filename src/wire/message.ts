/** One item of the Responses API as a caller or provider wrote it. Kept verbatim: unknown keys travel on. */
export type InputItem = { [key: string]: unknown; type?: string; role?: string }

/**
 * One stored message: a Responses item plus the keys that say whose it is.
 * `timestamp` is an integer in microseconds; `callerAgent` is null in the user's own thread.
 * Source: docs/wire.md, "Messages".
 */
export type StoredMessage = InputItem & {
  agent: string
  callerAgent: string | null
  timestamp: number
  agent_run_id?: string
  parent_run_id?: string
  run_trace_id?: string
  history_protocol?: string
  message_origin?: string
}

/** Usage of one request over every model call it made, as callers see it. `total_cost` is in US dollars. */
export interface Usage {
  request_count: number
  cached_tokens: number
  cache_write_tokens: number
  input_tokens: number
  output_tokens: number
  total_tokens: number
  total_cost: number
  reasoning_tokens?: number
  /** Input and output. */
  audio_tokens?: number
  /** True when a model call that broke off is part of these figures, as far as it can be guessed. */
  estimated?: boolean
}
