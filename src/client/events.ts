import type { JsonObject } from '../wire/json.ts'
import type { InputItem, ModelEvent, StoredMessage, Usage } from '../wire/message.ts'
import { ClientError } from './error.ts'
import { fromPython } from './scalars.ts'

/** Who speaks. `callerAgent` is null for the agent in front of the user, and the sender's name for a sub-agent. */
export interface Speaker {
  agent: string
  callerAgent: string | null
  /** One stretch of one agent's work. */
  agent_run_id: string
  /** Of a sub-agent: the `call_id` of the send_message call that it answers. */
  parent_run_id?: string
}

/** `tool_called`, `tool_output`, `message_output_created`, `reasoning_item_created`, `handoff_requested`, `handoff_occured` and what servers add. */
export type ItemName =
  | 'tool_called'
  | 'tool_output'
  | 'message_output_created'
  | 'reasoning_item_created'
  | 'handoff_requested'
  | 'handoff_occured'
  | (string & {})

/** What a stream says, told apart by `kind`. Everything that crosses the wire keeps its name there. */
export type StreamEvent =
  /** The first event: the run has an id. */
  | { kind: 'meta'; run_id: string }
  /** An agent begins to work: at the start, after a handoff, as a sub-agent, or for another try. */
  | ({ kind: 'agent' } & Speaker)
  /** A piece of an agent's text; `event` is the model's event. */
  | ({ kind: 'text'; text: string; event: ModelEvent } & Speaker)
  /** Every other event of the model: reasoning, arguments of calls, beginnings and ends. */
  | ({ kind: 'model'; event: ModelEvent; call_id?: string; item_id?: string } & Speaker)
  /** An item is complete: a call, its output, a message, a handoff. Nobody speaks (`agent` null) when a guardrail answers. */
  | ({
      kind: 'item'
      name: ItemName
      type: string
      item: InputItem
      call_id?: string
      output?: unknown
      /** Of a handoff: the agent that has the conversation now. */
      target_agent?: string
    } & (Speaker | Nobody))
  /** A failure. `nested`: a sub-agent's, of which its sender is told; otherwise the run is over. */
  | ({ kind: 'error'; content: string; nested: boolean; parent_run_id?: string } & (
      | Pick<Speaker, 'agent' | 'callerAgent'>
      | Nobody
    ))
  /** Everything to keep; comes after errors and cancels too. */
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
  /** What this version of the client does not know. */
  | { kind: 'other'; event: string | undefined; data: unknown }

interface Nobody {
  agent: null
  callerAgent: null
}

/** One server-sent event as text. */
export interface Frame {
  event: string | undefined
  data: string
}

/**
 * Frames -> events. Understands both ways of writing scalars: JSON, and the Python original's "None", "True", "3".
 * @throws ClientError `bad_answer` for data that is no JSON
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
    const said = body.data as JsonObject | undefined
    if (said === undefined)
      return typeof body.error === 'string' ? failure(body.error) : { kind: 'other', event, data: body }
    python ||= said.callerAgent === 'None'
    return readData(python ? (fromPython(said) as JsonObject) : said)
  }
}

function parse(data: string): JsonObject {
  try {
    const body: unknown = JSON.parse(data)
    if (typeof body === 'object' && body !== null) return body as JsonObject
  } catch (cause) {
    throw new ClientError('bad_answer', 'The stream has a frame that is no JSON.', { cause })
  }
  throw new ClientError('bad_answer', 'The stream has a frame that is no JSON object.')
}

const failure = (content: string): StreamEvent => ({
  kind: 'error',
  content,
  nested: false,
  agent: null,
  callerAgent: null,
})

function readData(said: JsonObject): StreamEvent {
  switch (said.type) {
    case 'raw_response_event': {
      const event = said.data as ModelEvent
      if (event.type === 'response.output_text.delta')
        return { kind: 'text', text: String(event.delta), event, ...speaker(said) }
      return { kind: 'model', event, ...speaker(said), ...texts(said, 'call_id', 'item_id') }
    }
    case 'agent_updated_stream_event':
      return { kind: 'agent', ...speaker(said) }
    case 'run_item_stream_event': {
      const { type, raw_item, output, target_agent } = (said.item ?? {}) as JsonObject
      const target = (target_agent as { name?: unknown } | undefined)?.name
      return {
        kind: 'item',
        name: String(said.name),
        type: String(type),
        item: (raw_item ?? {}) as InputItem,
        ...(typeof said.agent === 'string' ? speaker(said) : { agent: null, callerAgent: null }),
        ...texts(said, 'call_id'),
        ...(output === undefined ? {} : { output }),
        ...(typeof target === 'string' ? { target_agent: target } : {}),
      }
    }
    case 'error': {
      const { agent, callerAgent, content } = said
      if (typeof agent !== 'string') return failure(String(content))
      const sender = { agent, callerAgent: (callerAgent ?? null) as string | null, ...texts(said, 'parent_run_id') }
      return { kind: 'error', content: String(content), nested: sender.callerAgent !== null, ...sender }
    }
    default:
      return { kind: 'other', event: undefined, data: { data: said } }
  }
}

const speaker = (said: JsonObject): Speaker => ({
  agent: String(said.agent),
  callerAgent: (said.callerAgent ?? null) as string | null,
  agent_run_id: String(said.agent_run_id),
  ...texts(said, 'parent_run_id'),
})

/** Those of the named fields that are there. */
function texts<Name extends string>(said: JsonObject, ...names: Name[]): { [name in Name]?: string } {
  const found: { [name in Name]?: string } = {}
  for (const name of names) if (typeof said[name] === 'string') found[name] = said[name] as string
  return found
}
