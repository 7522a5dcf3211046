// Wire helpers shared by the prototypes: nested envelope, leaf stringification, SSE parsing.
export function stringifyLeaves(v) {
  if (v === null || v === undefined) return 'None'
  switch (typeof v) {
    case 'string':
      return v
    case 'number':
      return String(v)
    case 'boolean':
      return v ? 'True' : 'False'
  }
  if (Array.isArray(v)) {
    const o = new Array(v.length)
    for (let i = 0; i < v.length; i++) o[i] = stringifyLeaves(v[i])
    return o
  }
  const o = {}
  for (const k in v) o[k] = stringifyLeaves(v[k])
  return o
}
const S = JSON.stringify
export const frame = {
  raw(ev, ctx) {
    const d = { data: ev, type: 'raw_response_event', agent: ctx.agent, callerAgent: 'None', agent_run_id: ctx.runId }
    if (ev.item_id) d.item_id = ev.item_id
    else if (ev.item?.id) d.call_id = ev.item.call_id ?? ev.item.id
    return `data: ${S({ data: d })}\n\n`
  },
  delta(e, ctx) {
    return `data: {"data":{"data":{"content_index":"${e.content_index}","delta":${S(e.delta)},"item_id":"${e.item_id}","logprobs":[],"output_index":"${e.output_index}","sequence_number":"${e.sequence_number}","type":"response.output_text.delta","obfuscation":"${e.obfuscation}"},"type":"raw_response_event","agent":"${ctx.agent}","callerAgent":"None","agent_run_id":"${ctx.runId}","item_id":"${e.item_id}"}}\n\n`
  },
}
// Stand-ins of the size that the original sends for its two fat events (agent updated, run item).
const AGENT = {
  name: 'Assistant',
  handoff_description: 'None',
  tools: [
    {
      name: 'echo_tool',
      description: 'Echo the text back.',
      params_json_schema: {
        properties: { text: { title: 'Text', type: 'string' } },
        required: ['text'],
        title: 'echo_tool_args',
        type: 'object',
        additionalProperties: 'False',
      },
    },
  ],
  instructions: 'You are a helpful assistant.',
  model: 'gpt-5-mini',
  model_settings: Object.fromEntries(
    [
      'temperature',
      'top_p',
      'frequency_penalty',
      'presence_penalty',
      'tool_choice',
      'parallel_tool_calls',
      'truncation',
      'max_tokens',
      'reasoning',
      'verbosity',
      'metadata',
      'store',
      'prompt_cache_retention',
      'include_usage',
      'response_include',
      'top_logprobs',
      'extra_query',
      'extra_body',
      'extra_headers',
      'extra_args',
      'retry',
    ].map((k) => [k, 'None']),
  ),
}
export const AGENT_UPDATED = `data: ${S({ data: { new_agent: AGENT, type: 'agent_updated_stream_event', agent: 'Assistant', callerAgent: 'None' } })}\n\n`
export const RUN_ITEM = `data: ${S({ data: { name: 'message_output_created', item: { agent: AGENT, type: 'message_output_item' }, type: 'run_item_stream_event', agent: 'Assistant', callerAgent: 'None' } })}\n\n`
export const messagesFrame = (runId, resp) =>
  `event: messages\ndata: ${S({ new_messages: (resp?.output ?? []).map((m) => ({ ...m, agent: 'Assistant', callerAgent: null, timestamp: Date.now() * 1000 })), run_id: runId, usage: resp?.usage })}\n\nevent: end\ndata: [DONE]\n\n`

// Minimal SSE parser for upstreams: calls back with the data of every event (skips [DONE]).
export class SseParser {
  #rest = ''
  #cb
  #dec = new TextDecoder()
  constructor(cb) {
    this.#cb = cb
  }
  push(buf) {
    const s = this.#rest + this.#dec.decode(buf, { stream: true })
    let a = 0
    for (let b = s.indexOf('\n\n'); b !== -1; b = s.indexOf('\n\n', a)) {
      let i = s.indexOf('data: ', a)
      if (i !== -1 && i < b) {
        i += 6
        const e = s.indexOf('\n', i)
        const data = s.slice(i, e === -1 || e > b ? b : e)
        if (data !== '[DONE]') this.#cb(data)
      }
      a = b + 2
    }
    this.#rest = a ? s.slice(a) : s
  }
}
