import { z } from 'zod'

/** One part of a message or of a tool's output: `input_text`, `output_text`, `refusal`, `input_image`, `input_file`, ... */
export type ContentPart = { [key: string]: unknown; type: string; text?: string }

/**
 * One item of the Responses API as a caller or provider wrote it. Kept verbatim: unknown keys travel on. What callers send is
 * not checked beyond being objects.
 */
export type InputItem = {
  [key: string]: unknown
  type?: string
  role?: string
  /** Of a message: a text, or its parts. */
  content?: string | ContentPart[]
  /** Of a call. */
  name?: string
  /** Of a call: JSON, as the model wrote it. */
  arguments?: string
  /** Of a call and its output. */
  call_id?: string
  /** Of a call: what the model gets. */
  output?: string | ContentPart[]
}

/** An event of the Responses API as the model sent it. */
export interface ModelEvent {
  type: string
  /** Of a `.delta` event: the piece. */
  delta?: string
  item?: InputItem
  item_id?: string
  output_index?: number
  content_index?: number
  sequence_number?: number
  response?: { [key: string]: unknown }
  [key: string]: unknown
}

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

/** What providers and callers write: documented and typed, and not checked. */
const written = <T>(description: string) => (z.unknown() as z.ZodType<T>).describe(description).exactOptional()

/** The same two for the OpenAPI document; tests/types holds schemas and types together. */
export const storedMessage = z
  .looseObject({
    type: z.string().exactOptional(),
    role: z.string().exactOptional(),
    content: written<string | ContentPart[]>('Of a message: a text, or a list of parts, each with a type.'),
    name: written<string>('Of a call: the name of the tool.'),
    arguments: written<string>('Of a call: its arguments as a JSON text.'),
    call_id: written<string>('Of a call and its output.'),
    output: written<string | ContentPart[]>('Of a call: what the model gets, a text or a list of parts.'),
    agent: z.string().describe('The agent whose conversation it belongs to.'),
    callerAgent: z.string().nullable().describe('Who talks to that agent; null for the user.'),
    timestamp: z.int().min(0).describe('Microseconds since 1970.'),
    agent_run_id: z.string().exactOptional(),
    parent_run_id: z.string().exactOptional().describe("The call id of the sender's send_message."),
    run_trace_id: z.string().exactOptional(),
    history_protocol: z.string().exactOptional(),
    message_origin: z.string().exactOptional().describe('What made a note of the system, such as handoff_reminder.'),
  })
  .meta({
    id: 'StoredMessage',
    description: 'A Responses item and whose it is. Send it back in chat_history as it came.',
  })
const count = z.int().min(0)
export const usage = z
  .object({
    request_count: count,
    cached_tokens: count,
    cache_write_tokens: count,
    input_tokens: count,
    output_tokens: count,
    total_tokens: count,
    total_cost: z.number().min(0).describe('US dollars.'),
    reasoning_tokens: count.exactOptional(),
    audio_tokens: count.exactOptional().describe('Input and output.'),
    estimated: z
      .boolean()
      .exactOptional()
      .describe('True when a model call that broke off is part of these figures, as far as it can be guessed.'),
  })
  .meta({ id: 'Usage', description: 'What a request used over every model call it made.' })

/** What a run leaves beside its messages. */
export const outcome = {
  incomplete_details: z
    .object({ reason: z.string().describe("max_output_tokens, content_filter, or the provider's own word.") })
    .exactOptional()
    .describe('The answer was cut off: its text is only the beginning. Missing for a whole answer.'),
  usage: usage.exactOptional(),
  file_ids_map: z.record(z.string(), z.string()).exactOptional().describe('Name -> stored id of what file_urls named.'),
  chat_name: z
    .string()
    .exactOptional()
    .describe('With generate_chat_name: 2 to 6 words; missing where none could be made.'),
}
