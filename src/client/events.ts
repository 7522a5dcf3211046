/** Reads the frames of a stream into typed events. */
import type { JsonObject } from '../wire/json.ts'
import type { InputItem, ModelEvent, StoredMessage, Usage } from '../wire/message.ts'
import { ClientError } from './error.ts'
import { fromPython } from './scalars.ts'

/** The agent an event belongs to. `callerAgent` is null in the user's thread, and the sender's name for a sub-agent. */
export interface Speaker {
  agent: string
  callerAgent: string | null
  /** Id of this stretch of the agent's work; new after a handoff or for another attempt. */
  agent_run_id: string
  /** For a sub-agent: the `call_id` of the send_message call it answers. */
  parent_run_id?: string
}

/** The wire's name of an item event. Servers may add others. */
export type ItemName =
  | 'tool_called'
  | 'tool_output'
  | 'message_output_created'
  | 'reasoning_item_created'
  | 'handoff_requested'
  | 'handoff_occured'
  | 'tool_search_called'
  | 'tool_search_output_created'
  | 'mcp_list_tools'
  | 'mcp_approval_requested'
  | (string & {})

/** One event of a stream, a union by `kind`. Fields from the wire keep their wire names. */
export type StreamEvent =
  /** The first event: the id of the run. */
  | { kind: 'meta'; run_id: string }
  /** An agent starts to work: at the start, after a handoff, as a sub-agent, or for another attempt. */
  | ({ kind: 'agent' } & Speaker)
  /** A piece of an agent's text; `event` is the model's event. */
  | ({ kind: 'text'; text: string; event: ModelEvent } & Speaker)
  /** Every other model event: reasoning, call arguments, start and end of items. */
  | ({ kind: 'model'; event: ModelEvent; call_id?: string; item_id?: string } & Speaker)
  /** A complete item: a call, its output, a message, a handoff. `agent` is null when a guardrail answers. */
  | ({
      kind: 'item'
      name: ItemName
      type: string
      item: InputItem
      call_id?: string
      output?: unknown
      /** For a handoff: the agent that now has the conversation. */
      target_agent?: string
    } & (Speaker | Nobody))
  /** What a tool tells while it works, such as its progress; the tool decides about `name` and `value`. */
  | ({ kind: 'custom'; name: string; value: unknown; call_id?: string } & Speaker)
  /** A failure. `nested` is true when a sub-agent failed: its sender gets the error and the run goes on. Otherwise the run is over. */
  | ({ kind: 'error'; content: string; nested: boolean; parent_run_id?: string } & (
      | Pick<Speaker, 'agent' | 'callerAgent'>
      | Nobody
    ))
  /** The result to keep. Sent after errors and cancels too. */
  | {
      kind: 'messages'
      new_messages: StoredMessage[]
      run_id: string
      cancelled: boolean
      /** Present when the answer was cut off. */
      incomplete_details?: { reason: string }
      usage?: Usage
      file_ids_map?: { [name: string]: string }
      chat_name?: string
    }
  /** The last event. */
  | { kind: 'end' }
  /** An event this version of the client does not know. */
  | { kind: 'other'; event: string | undefined; data: unknown }

interface Nobody {
  agent: null
  callerAgent: null
}

/** One server-sent event, unparsed. */
export interface Frame {
  /** The number of the event, as a text. Only runs as resources send it. */
  id?: string | undefined
  event: string | undefined
  data: string
}

/**
 * Creates a function that turns frames into events. It reads both ways of writing scalars: JSON, and the Python original's
 * strings "None", "True", "3". Use one reader per stream.
 * @throws ClientError of kind `bad_answer` for data that is not a JSON object
 */
export function createEventReader(): (frame: Frame) => StreamEvent {
  let python = false
  return ({ event, data }) => {
    if (event === 'end') return { kind: 'end' }
    const body = parse(data)
    if (event === 'meta') return { kind: 'meta', run_id: String(body.run_id) }
    if (event === 'messages') {
      const { new_messages = [], run_id = '', cancelled } = body as Partial<StreamEvent & { kind: 'messages' }>
      return { ...body, kind: 'messages', new_messages, run_id, cancelled: cancelled === true }
    }
    if (event !== undefined) return { kind: 'other', event, data: body }
    const payload = body.data as JsonObject | undefined
    if (payload === undefined)
      return typeof body.error === 'string' ? runFailure(body.error) : { kind: 'other', event, data: body }
    python ||= payload.callerAgent === 'None'
    return readData(python ? (fromPython(payload) as JsonObject) : payload)
  }
}

function parse(data: string): JsonObject {
  try {
    const body: unknown = JSON.parse(data)
    if (typeof body === 'object' && body !== null) return body as JsonObject
  } catch (cause) {
    throw new ClientError('bad_answer', 'The stream has a frame that is not JSON.', { cause })
  }
  throw new ClientError('bad_answer', 'The stream has a frame that is not a JSON object.')
}

const runFailure = (content: string): StreamEvent => ({
  kind: 'error',
  content,
  nested: false,
  agent: null,
  callerAgent: null,
})

function readData(payload: JsonObject): StreamEvent {
  switch (payload.type) {
    case 'raw_response_event': {
      const event = payload.data as ModelEvent
      if (event.type === 'response.output_text.delta')
        return { kind: 'text', text: String(event.delta), event, ...readSpeaker(payload) }
      return { kind: 'model', event, ...readSpeaker(payload), ...pickTexts(payload, 'call_id', 'item_id') }
    }
    case 'agent_updated_stream_event':
      return { kind: 'agent', ...readSpeaker(payload) }
    case 'run_item_stream_event': {
      const { type, raw_item, output, target_agent } = (payload.item ?? {}) as JsonObject
      const target = (target_agent as { name?: unknown } | undefined)?.name
      return {
        kind: 'item',
        name: String(payload.name),
        type: String(type),
        item: (raw_item ?? {}) as InputItem,
        ...(typeof payload.agent === 'string' ? readSpeaker(payload) : { agent: null, callerAgent: null }),
        ...pickTexts(payload, 'call_id'),
        ...(output === undefined ? {} : { output }),
        ...(typeof target === 'string' ? { target_agent: target } : {}),
      }
    }
    case 'custom': {
      const { name, value = null } = payload
      return { kind: 'custom', name: String(name), value, ...readSpeaker(payload), ...pickTexts(payload, 'call_id') }
    }
    case 'error': {
      const { agent, callerAgent, content } = payload
      if (typeof agent !== 'string') return runFailure(String(content))
      const sender = {
        agent,
        callerAgent: (callerAgent ?? null) as string | null,
        ...pickTexts(payload, 'parent_run_id'),
      }
      return { kind: 'error', content: String(content), nested: sender.callerAgent !== null, ...sender }
    }
    default:
      return { kind: 'other', event: undefined, data: { data: payload } }
  }
}

const readSpeaker = (payload: JsonObject): Speaker => ({
  agent: String(payload.agent),
  callerAgent: (payload.callerAgent ?? null) as string | null,
  agent_run_id: String(payload.agent_run_id),
  ...pickTexts(payload, 'parent_run_id'),
})

/** The named fields that hold a string. */
function pickTexts<Name extends string>(payload: JsonObject, ...names: Name[]): { [name in Name]?: string } {
  const found: { [name in Name]?: string } = {}
  for (const name of names) if (typeof payload[name] === 'string') found[name] = payload[name] as string
  return found
}
