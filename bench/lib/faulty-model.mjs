// A model for the soak test: over both APIs it answers, calls tools and other agents, or fails at any stage.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const json = { 'content-type': 'application/json' }
const sse = { 'content-type': 'text/event-stream' }
const FAULTS = {
  refuse: (response) => response.writeHead(400, json).end('{"error":{"message":"no"}}'),
  limit: (response) =>
    response.writeHead(429, { ...json, 'retry-after-ms': '5' }).end('{"error":{"message":"slow down"}}'),
  break: (response) => response.writeHead(503, { ...json, 'retry-after-ms': '5' }).end('oops'),
  'reset early': (response) => response.socket.resetAndDestroy(),
  'close early': (response) => response.socket.end(),
  'stall early': () => {},
  'stall after headers': (response) => response.writeHead(200, sse).flushHeaders(),
  empty: (response) => response.writeHead(200, sse).end(),
  'a page': (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
  garbage: (response) => response.writeHead(200, sse).end('data: {"type":"response.cre\n\n\u0000\u0001data: }{\n\n'),
}
/** The faults in the middle of an answer. */
const MIDWAY = {
  'reset midway': (response) => response.socket?.resetAndDestroy(),
  'close midway': (response) => response.socket?.end(),
  'stall midway': () => {},
  'garbage midway': (response) => response.end('data: {{{\n\n'),
  truncate: (response) => response.end(),
}

/** `faultRate` of the requests fail. `counts` has the number of times that each fault occurred. */
export async function startFaultyModel({ random, faultRate }) {
  const counts = {}
  const pick = (faults) => {
    const names = Object.keys(faults)
    const name = names[Math.floor(random() * names.length)]
    counts[name] = (counts[name] ?? 0) + 1
    return faults[name]
  }
  const server = http
    .createServer(async (request, response) => {
      response.on('error', () => {})
      const chunks = []
      try {
        for await (const chunk of request) chunks.push(chunk)
      } catch {
        return undefined // the server left in the middle of its request
      }
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      const fate = random()
      if (fate < faultRate * 0.6) return pick(FAULTS)(response)
      const answer = request.url.includes('/chat/') ? chatAnswer(body, random) : responsesAnswer(body, random)
      if (body.stream !== true) return response.writeHead(200, json).end(JSON.stringify(answer.whole))
      response.writeHead(200, sse)
      const breakAt = fate < faultRate ? Math.floor(random() * answer.events.length) : -1
      const pauseMs = random() < 0.3 ? random() * 8 : 0
      for (const [index, event] of answer.events.entries()) {
        if (response.destroyed) return undefined
        if (index === breakAt) return pick(MIDWAY)(response)
        if (!response.write(`data: ${event}\n\n`) && !response.destroyed)
          await new Promise((resolve) => response.once('drain', resolve).once('close', resolve))
        if (pauseMs > 0) await sleep(pauseMs)
      }
      return response.end()
    })
    .listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return { baseURL: `http://127.0.0.1:${server.address().port}/v1`, counts, server }
}

/** The answer of a turn: text with the caller's mark, or calls. */
function choose(body, random) {
  const text = JSON.stringify(body.input ?? body.messages)
  const mark = /mark\d+x/.exec(text)?.[0] ?? 'nobody'
  const names = (body.tools ?? []).map((tool) => tool.name ?? tool.function?.name)
  const busy = /function_call_output|"role":"tool"/.test(text)
  if (busy || names.length === 0 || random() < 0.6)
    return { words: Array.from({ length: 5 + Math.floor(random() ** 4 * 3_000) }, () => `${mark} `) }
  const name = names[Math.floor(random() * names.length)]
  const args =
    name === 'send_message' ? { recipient_agent: 'Helper', message: `help ${mark}`, additional_instructions: '' } : {}
  return { call: { name, arguments: JSON.stringify(args) } }
}

let serial = 0

function responsesAnswer(body, random) {
  const { words, call } = choose(body, random)
  const id = ++serial
  const item =
    call === undefined
      ? {
          id: `msg_${id}`,
          type: 'message',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: words.join(''), annotations: [] }],
        }
      : { id: `fc_${id}`, type: 'function_call', status: 'completed', call_id: `call_${id}`, ...call }
  const usage = { input_tokens: 5, output_tokens: 5, total_tokens: 10 }
  const whole = { id: `resp_${id}`, object: 'response', status: 'completed', output: [item], usage }
  const at = { item_id: item.id, output_index: 0, content_index: 0 }
  const events = [
    { type: 'response.created', response: { ...whole, output: [] } },
    ...(words ?? []).map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response: whole },
  ]
  return { whole, events: events.map((event) => JSON.stringify(event)) }
}

function chatAnswer(body, random) {
  const { words, call } = choose(body, random)
  const calls =
    call === undefined ? undefined : [{ index: 0, id: `call_${++serial}`, type: 'function', function: call }]
  const message = { role: 'assistant', content: words?.join('') ?? null, tool_calls: calls }
  const deltas = words?.map((content) => ({ content })) ?? [{ tool_calls: calls }]
  const events = [
    ...deltas.map((delta) => JSON.stringify({ choices: [{ delta }] })),
    JSON.stringify({
      choices: [{ delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: 5 },
    }),
    '[DONE]',
  ]
  return { whole: { choices: [{ message, finish_reason: 'stop' }], usage: {} }, events }
}
