// Light mock of POST /v1/responses and /v1/chat/completions (stream true/false) for load tests.
// The scenario is read from a directive in the request body, so that every server under test can be
// used in the same way, whatever it sends around the user message:
//   [[mock n=100 d=0 f=0 tool=0 b=1 len=5]]
//     n     text deltas in the answer          (default 100)
//     d     milliseconds between deltas        (0: no timer)
//     f     milliseconds before the first byte
//     tool  number of tool-call turns before the answer (0: none)
//     b     d=0 only: 1 = whole stream in one write; 0 = one write per event, one event-loop turn apart
//     name  tool name to call (default echo_tool); it is called with {"text":"hi"}
// All bytes are built once per scenario and reused. No JSON parsing of the request.
import http from 'node:http'
import { isMainThread } from 'node:worker_threads'

const WORDS = ['alpha ', 'bravo ', 'carbon ', 'delta ', 'echo ', 'fox ', 'golf ', 'hotel ']
const word = (i) => WORDS[i & 7]
export const expectedText = (n) => {
  let s = ''
  for (let i = 0; i < n; i++) s += word(i)
  return s
}

const baseResponse = (id, model, status, output, usage) => ({
  id,
  object: 'response',
  created_at: 1767225600,
  status,
  background: false,
  error: null,
  incomplete_details: null,
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  model,
  output,
  parallel_tool_calls: true,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: { effort: null, summary: null },
  safety_identifier: null,
  service_tier: 'default',
  store: true,
  temperature: 1,
  text: { format: { type: 'text' }, verbosity: 'medium' },
  tool_choice: 'auto',
  tools: [],
  top_logprobs: 0,
  top_p: 1,
  truncation: 'disabled',
  usage,
  user: null,
  metadata: {},
})
const usage = (n) => ({
  input_tokens: 50,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: n,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 50 + n,
})
const sse = (e) => Buffer.from(`event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`)

function textTurn(n, turn, tag) {
  const id = `resp_mock_${turn}${tag}`
  const item = `msg_mock_${turn}`
  const text = expectedText(n)
  const part = { type: 'output_text', annotations: [], logprobs: [], text }
  const done = { id: item, type: 'message', status: 'completed', content: [part], role: 'assistant' }
  let q = 0
  const ev = []
  ev.push({
    type: 'response.created',
    sequence_number: q++,
    response: baseResponse(id, 'gpt-5-mini', 'in_progress', [], null),
  })
  ev.push({
    type: 'response.in_progress',
    sequence_number: q++,
    response: baseResponse(id, 'gpt-5-mini', 'in_progress', [], null),
  })
  ev.push({
    type: 'response.output_item.added',
    sequence_number: q++,
    output_index: 0,
    item: { id: item, type: 'message', status: 'in_progress', content: [], role: 'assistant' },
  })
  ev.push({
    type: 'response.content_part.added',
    sequence_number: q++,
    item_id: item,
    output_index: 0,
    content_index: 0,
    part: { type: 'output_text', annotations: [], logprobs: [], text: '' },
  })
  const head = ev.length
  for (let i = 0; i < n; i++)
    ev.push({
      type: 'response.output_text.delta',
      sequence_number: q++,
      item_id: item,
      output_index: 0,
      content_index: 0,
      delta: word(i),
      logprobs: [],
      obfuscation: 'x9Kq2mBv',
    })
  ev.push({
    type: 'response.output_text.done',
    sequence_number: q++,
    item_id: item,
    output_index: 0,
    content_index: 0,
    text,
    logprobs: [],
  })
  ev.push({
    type: 'response.content_part.done',
    sequence_number: q++,
    item_id: item,
    output_index: 0,
    content_index: 0,
    part,
  })
  ev.push({ type: 'response.output_item.done', sequence_number: q++, output_index: 0, item: done })
  const final = baseResponse(id, 'gpt-5-mini', 'completed', [done], usage(n))
  ev.push({ type: 'response.completed', sequence_number: q++, response: final })
  return { ev, head, n, final }
}
function toolTurn(name, turn, tag) {
  const id = `resp_mock_${turn}${tag}`
  const item = `fc_mock_${turn}`
  const args = '{"text":"hi"}'
  const call = {
    id: item,
    type: 'function_call',
    status: 'completed',
    arguments: args,
    call_id: `call_mock_${turn}`,
    name,
  }
  let q = 0
  const ev = []
  ev.push({
    type: 'response.created',
    sequence_number: q++,
    response: baseResponse(id, 'gpt-5-mini', 'in_progress', [], null),
  })
  ev.push({
    type: 'response.in_progress',
    sequence_number: q++,
    response: baseResponse(id, 'gpt-5-mini', 'in_progress', [], null),
  })
  ev.push({
    type: 'response.output_item.added',
    sequence_number: q++,
    output_index: 0,
    item: { ...call, status: 'in_progress', arguments: '' },
  })
  const head = ev.length
  const parts = ['{"', 'text', '":"', 'hi', '"}']
  for (const p of parts)
    ev.push({
      type: 'response.function_call_arguments.delta',
      sequence_number: q++,
      item_id: item,
      output_index: 0,
      delta: p,
      obfuscation: 'x9Kq2mBv',
    })
  ev.push({
    type: 'response.function_call_arguments.done',
    sequence_number: q++,
    item_id: item,
    output_index: 0,
    arguments: args,
  })
  ev.push({ type: 'response.output_item.done', sequence_number: q++, output_index: 0, item: call })
  const final = baseResponse(id, 'gpt-5-mini', 'completed', [call], usage(5))
  ev.push({ type: 'response.completed', sequence_number: q++, response: final })
  return { ev, head, n: parts.length, final }
}
const cc = (o) => Buffer.from(`data: ${typeof o === 'string' ? o : JSON.stringify(o)}\n\n`)
function chatTurn(n, tool, name, turn) {
  const mk = (delta, fin = null, u) => ({
    id: `chatcmpl-mock-${turn}`,
    object: 'chat.completion.chunk',
    created: 1767225600,
    model: 'gpt-5-mini',
    system_fingerprint: 'fp_x',
    choices: u ? [] : [{ index: 0, delta, logprobs: null, finish_reason: fin }],
    usage: u ?? null,
  })
  const u = {
    prompt_tokens: 50,
    completion_tokens: n,
    total_tokens: 50 + n,
    prompt_tokens_details: { cached_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0 },
  }
  const bufs = []
  let head
  if (tool) {
    bufs.push(
      cc(
        mk({
          role: 'assistant',
          content: null,
          tool_calls: [{ index: 0, id: `call_mock_${turn}`, type: 'function', function: { name, arguments: '' } }],
        }),
      ),
    )
    head = 1
    bufs.push(
      cc(mk({ tool_calls: [{ index: 0, function: { arguments: '{"text":"hi"}' } }] })),
      cc(mk({}, 'tool_calls')),
    )
  } else {
    bufs.push(cc(mk({ role: 'assistant', content: '', refusal: null })))
    head = 1
    for (let i = 0; i < n; i++) bufs.push(cc(mk({ content: word(i) })))
    bufs.push(cc(mk({}, 'stop')))
  }
  bufs.push(cc(mk({}, null, u)), cc('[DONE]'))
  const msg = tool
    ? {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: `call_mock_${turn}`, type: 'function', function: { name, arguments: '{"text":"hi"}' } }],
      }
    : { role: 'assistant', content: expectedText(n), refusal: null }
  const json = Buffer.from(
    JSON.stringify({
      id: `chatcmpl-mock-${turn}`,
      object: 'chat.completion',
      created: 1767225600,
      model: 'gpt-5-mini',
      choices: [{ index: 0, message: msg, logprobs: null, finish_reason: tool ? 'tool_calls' : 'stop' }],
      usage: u,
    }),
  )
  return { bufs, head, n: tool ? 1 : n, json }
}

const cache = new Map()
function scenario(chat, n, tool, name, turn, tag) {
  const key = `${chat}|${n}|${tool}|${name}|${turn}|${tag}`
  let s = cache.get(key)
  if (!s) {
    if (chat) s = chatTurn(n, tool, name, turn)
    else {
      const t = tool ? toolTurn(name, turn, tag) : textTurn(n, turn, tag)
      s = { bufs: t.ev.map(sse), head: t.head, n: t.n, json: Buffer.from(JSON.stringify(t.final)) }
    }
    s.all = Buffer.concat(s.bufs)
    s.headBuf = Buffer.concat(s.bufs.slice(0, s.head))
    s.tailBuf = Buffer.concat(s.bufs.slice(s.head + s.n))
    cache.set(key, s)
  }
  return s
}

// One ticker per delay value moves every paced stream forward by one delta.
const tickers = new Map()
function pace(ms, st) {
  let t = tickers.get(ms)
  if (!t) {
    t = { set: new Set() }
    t.timer = setInterval(() => {
      for (const x of t.set) if (!x.step()) t.set.delete(x)
      if (!t.set.size) {
        clearInterval(t.timer)
        tickers.delete(ms)
      }
    }, ms)
    tickers.set(ms, t)
  }
  t.set.add(st)
  return () => t.set.delete(st)
}
const NAME = /\[\[mock ([^\]]*)\]\]/g
const stats = { requests: 0, open: 0, maxOpen: 0, aborted: 0, closed: 0, lastClosedAt: 0 }
const HS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  'x-request-id': 'req_mock',
  'openai-processing-ms': '1',
  'openai-version': '2020-10-01',
}

function answer(_req, res, body, chat) {
  stats.requests++
  let spec = ''
  for (const m of body.matchAll(NAME)) spec = m[1]
  // Clients that keep state upstream send only previous_response_id: the scenario travels inside that id.
  if (!spec) {
    const m = /"previous_response_id":\s*"resp_mock_(\d+)x(\d+)x(\d+)x(\d+)"/.exec(body)
    if (m) spec = `n=${m[2]} d=${m[3]} tool=${m[4]} t=${+m[1] + 1}`
  }
  const o = {}
  for (const kv of spec.split(' ')) {
    const i = kv.indexOf('=')
    if (i > 0) o[kv.slice(0, i)] = kv.slice(i + 1)
  }
  const n = o.n === undefined ? 100 : +o.n
  const d = +(o.d ?? 0)
  const f = +(o.f ?? 0)
  const tools = +(o.tool ?? 0)
  let outs = 0
  if (tools) {
    const mark = chat ? /"role":\s*"tool"/g : /"type":\s*"function_call_output"/g
    outs = (body.match(mark) ?? []).length
  }
  if (o.t !== undefined) outs = Math.max(outs, +o.t)
  const isTool = outs < tools
  const s = scenario(chat, n, isTool, o.name ?? 'echo_tool', outs, `x${n}x${d}x${tools}`)
  const stream = /"stream":\s*true/.test(body)
  const go = () => {
    if (!stream) {
      res.writeHead(200, {
        'content-type': 'application/json',
        'content-length': s.json.length,
        'x-request-id': 'req_mock',
      })
      res.end(s.json)
      return
    }
    res.writeHead(200, HS)
    if (d === 0 && o.b !== '0') {
      res.end(s.all)
      return
    }
    stats.open++
    if (stats.open > stats.maxOpen) stats.maxOpen = stats.open
    let i = 0,
      dead = false
    let off
    res.on('close', () => {
      stats.open--
      stats.closed++
      stats.lastClosedAt = performance.timeOrigin + performance.now()
      if (!res.writableFinished) {
        stats.aborted++
      }
      dead = true
      off?.()
    })
    res.write(s.headBuf)
    const step = () => {
      if (dead) return false
      if (i < s.n) {
        res.write(s.bufs[s.head + i++])
        return true
      }
      res.end(s.tailBuf)
      return false
    }
    if (d > 0) {
      if (step()) off = pace(d, { step })
    } else {
      const loop = () => {
        if (step()) setImmediate(loop)
      }
      setImmediate(loop)
    }
  }
  if (f > 0) setTimeout(go, f)
  else go()
}

export function createMock() {
  const server = http.createServer({ keepAliveTimeout: 120000, requestTimeout: 0, noDelay: true }, (req, res) => {
    const url = req.url
    if (req.method === 'GET') {
      if (url === '/stats') {
        const b = JSON.stringify({ ...stats, rss: process.memoryUsage.rss() })
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end(b)
        stats.maxOpen = stats.open
        return
      }
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end('{"object":"list","data":[]}')
      return
    }
    const chunks = []
    req.on('data', (c) => chunks.push(c))
    req.on('end', () => {
      const body = chunks.length === 1 ? chunks[0].toString('latin1') : Buffer.concat(chunks).toString('latin1')
      if (url.endsWith('/responses')) answer(req, res, body, false)
      else if (url.endsWith('/chat/completions')) answer(req, res, body, true)
      else {
        res.writeHead(200, { 'content-type': 'application/json' })
        res.end('{}')
      }
    })
  })
  server.on('connection', (s) => s.on('error', () => {}))
  return server
}
if (isMainThread && process.argv[1] && import.meta.filename === process.argv[1]) {
  const port = Number(process.argv[2])
  const s = createMock()
  s.listen({ port, host: '127.0.0.1', backlog: 4096 }, () => console.log(`mock on ${port}`))
}
