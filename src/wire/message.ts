/** Messages, items and usage: types and schemas. */
import { z } from 'zod'

/** One part of a message or of a tool's output: `input_text`, `output_text`, `refusal`, `input_image`, `input_file`, ... */
export type ContentPart = { [key: string]: unknown; type: string; text?: string }

/**
 * One item of the Responses API as a caller or provider wrote it. Kept verbatim, with unknown keys. Items from callers are
 * only checked for being objects.
 */
export type InputItem = {
  [key: string]: unknown
  type?: string
  role?: string
  /** For a message: a text, or a list of parts. */
  content?: string | ContentPart[]
  /** For a call: the name of the tool. */
  name?: string
  /** For a call: the JSON that the model wrote. */
  arguments?: string
  /** For a call and its output. */
  call_id?: string
  /** For an output: the value that the model gets. */
  output?: string | ContentPart[]
}

/** An event of the Responses API as the model sent it. */
export interface ModelEvent {
  type: string
  /** For a `.delta` event: the piece of text. */
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
 * One stored message: a Responses item plus the fields that assign it to an agent.
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

/** The usage of one request over all its model calls. `total_cost` is in US dollars. */
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
  /** True when these figures include an estimate for a model call that broke off. */
  estimated?: boolean
}

/** A field that providers and callers write: documented and typed, but not checked. */
const unchecked = <T>(description: string) => (z.unknown() as z.ZodType<T>).describe(description).exactOptional()

/** The schema of `StoredMessage` for the OpenAPI document; tests/types compares the two. */
export const storedMessage = z
  .looseObject({
    type: z.string().exactOptional(),
    role: z.string().exactOptional(),
    content: unchecked<string | ContentPart[]>('For a message: a text, or a list of parts, each with a type.'),
    name: unchecked<string>('For a call: the name of the tool.'),
    arguments: unchecked<string>('For a call: its arguments as a JSON text.'),
    call_id: unchecked<string>('For a call and its output.'),
    output: unchecked<string | ContentPart[]>(
      'For an output: the value that the model gets, a text or a list of parts.',
    ),
    agent: z.string().describe('The agent whose conversation it belongs to.'),
    callerAgent: z.string().nullable().describe('The agent that called it; null in the thread of the user.'),
    timestamp: z.int().min(0).describe('Microseconds since 1970.'),
    agent_run_id: z.string().exactOptional(),
    parent_run_id: z.string().exactOptional().describe("The call id of the sender's send_message."),
    run_trace_id: z.string().exactOptional(),
    history_protocol: z.string().exactOptional(),
    message_origin: z.string().exactOptional().describe('The origin of a system message, such as handoff_reminder.'),
  })
  .meta({
    id: 'StoredMessage',
    description: 'A Responses item and the agent it belongs to. Send it back unchanged in chat_history.',
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
      .describe('True when these figures include an estimate for a model call that broke off.'),
  })
  .meta({ id: 'Usage', description: 'The usage of a request over all its model calls.' })

/** The result of a run beside its messages. */
export const outcome = {
  incomplete_details: z
    .object({ reason: z.string().describe("max_output_tokens, content_filter, or the provider's own reason.") })
    .exactOptional()
    .describe('Present when the answer was cut off, so that its text is incomplete.'),
  usage: usage.exactOptional(),
  file_ids_map: z
    .record(z.string(), z.string())
    .exactOptional()
    .describe('Name in file_urls -> id of the stored file.'),
  chat_name: z
    .string()
    .exactOptional()
    .describe('With generate_chat_name: 2 to 6 words; absent when no name could be created.'),
}
