/** Examples for the OpenAPI document. */
import type { StreamData, StreamFrame, StreamStart, StreamSummary } from './events.ts'
import type { Usage } from './message.ts'

export const RUN_ID = '6cceec2e-ace4-41ed-a540-61e91e1dd031'
const ceo = { name: 'CEO', description: 'Leads' }
const front = { agent: 'CEO', callerAgent: null, agent_run_id: 'agent_run_1' }
const sub = { agent: 'Researcher', callerAgent: 'CEO', agent_run_id: 'agent_run_2', parent_run_id: 'call_1' }
const used: Usage = {
  request_count: 1,
  cached_tokens: 0,
  cache_write_tokens: 0,
  input_tokens: 30,
  output_tokens: 12,
  total_tokens: 42,
  total_cost: 0.0002,
}

const start: StreamStart = { run_id: RUN_ID }
const begins: StreamData = { data: { new_agent: ceo, type: 'agent_updated_stream_event', ...front } }
const delta = {
  type: 'response.output_text.delta',
  item_id: 'msg_1',
  output_index: 0,
  content_index: 0,
  delta: 'Sunny',
}
const says: StreamData = { data: { data: delta, type: 'raw_response_event', ...sub, item_id: 'msg_1' } }
const call = { type: 'function_call', call_id: 'call_2', name: 'get_weather', arguments: '{"city":"Paris"}' }
const calls: StreamData = {
  data: {
    name: 'tool_called',
    item: { agent: ceo, raw_item: call, type: 'tool_call_item' },
    type: 'run_item_stream_event',
    ...front,
    call_id: 'call_2',
  },
}
const tells: StreamData = {
  data: { type: 'custom', name: 'progress', value: { done: 2, of: 5 }, ...front, call_id: 'call_2' },
}
const fails: StreamData = {
  data: { type: 'error', content: 'The run of agent CEO failed (cause: BadRequestError).' },
}
const trips: StreamData = { error: 'Guardrail InputGuardrail triggered tripwire' }
const hello = { role: 'user', content: 'Hello', agent: 'CEO', callerAgent: null, timestamp: 1_735_000_000_000_000 }
const summary: StreamSummary = { new_messages: [hello], run_id: RUN_ID, cancelled: false, usage: used }

const message = (data: StreamData): StreamFrame => ({ event: 'message', data: JSON.stringify(data) })
/** A frame of every kind, for the OpenAPI document. */
export const STREAM_EXAMPLES: { [name: string]: { summary: string; value: StreamFrame } } = {
  meta: { summary: 'The first frame', value: { event: 'meta', data: JSON.stringify(start) } },
  agent_updated_stream_event: { summary: 'An agent starts', value: message(begins) },
  raw_response_event: { summary: "A piece of a sub-agent's text", value: message(says) },
  run_item_stream_event: { summary: 'A tool was called', value: message(calls) },
  custom: { summary: 'What a tool tells while it works', value: message(tells) },
  error: { summary: 'The run failed; messages and end follow', value: message(fails) },
  guardrail: {
    summary:
      'A guardrail ended the run; messages and end follow. After files that cannot be attached, only end follows',
    value: message(trips),
  },
  messages: { summary: 'The new messages and the result', value: { event: 'messages', data: JSON.stringify(summary) } },
  end: { summary: 'The last frame', value: { event: 'end', data: '[DONE]' } },
}

/** The smallest AG-UI request. */
export const AGUI_EXAMPLE = {
  threadId: 'thread-1',
  runId: 'run-1',
  messages: [{ id: 'message-1', role: 'user', content: 'Hello' }],
}
