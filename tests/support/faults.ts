import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a broken model does with one request. */
export interface Fault {
  /** Default 200. */
  status?: number
  headers?: Record<string, string>
  /** What it sends; `good` is the whole right answer. */
  body?: (good: string) => string | Buffer
  /** What comes after that: a proper end (default), a broken connection, a closed one without an end, or nothing for ever. */
  end?: 'end' | 'reset' | 'close' | 'stall'
  /** It happens before any header is sent. */
  early?: boolean
  /** Written to the socket as it is, instead of an HTTP answer. */
  raw?: string
}

const half = (good: string) => good.slice(0, Math.floor(good.length / 2))
const json = { 'content-type': 'application/json' }
const refusal = (status: number, headers: Record<string, string> = {}): Fault => ({
  status,
  headers: { ...json, ...headers },
  body: () => JSON.stringify({ error: { message: 'refused by the model', type: 'x', code: 'y' } }),
})

/** Faults that pass: tried three times in all. */
export const PASSING: Record<string, Fault> = {
  408: refusal(408),
  409: refusal(409),
  429: refusal(429, { 'retry-after': '0' }),
  500: refusal(500),
  502: { status: 502, headers: { 'content-type': 'text/html' }, body: () => '<h1>Bad gateway</h1>' },
  503: refusal(503, { 'retry-after-ms': '1' }),
  529: refusal(529),
  'reset before headers': { early: true, end: 'reset' },
  'closed before headers': { early: true, end: 'close' },
  'reset after headers': { body: () => '', end: 'reset' },
  'no HTTP at all': { raw: 'hello, I am no web server\r\n\r\n' },
}

/** Faults that stay: tried once. */
export const LASTING: Record<string, Fault> = {
  400: refusal(400),
  401: refusal(401),
  403: refusal(403),
  404: refusal(404, { 'x-should-retry': 'true' }),
  413: refusal(413),
  'a refusal without end': {
    status: 400,
    headers: json,
    body: () => JSON.stringify({ error: { message: '\n'.repeat(3_000_000) } }),
  },
  422: refusal(422),
  'redirect inward': { status: 302, headers: { location: 'http://169.254.169.254/latest' }, body: () => '' },
  'no content': { status: 204, body: () => '' },
  empty: { body: () => '' },
  'a page instead of an answer': { headers: { 'content-type': 'text/html' }, body: () => '<html>maintenance</html>' },
  'malformed JSON': { body: () => 'data: {"type": "response.cre\n\ndata: }}}\n\n' },
  'bytes that are no text': { body: () => Buffer.from([0xff, 0xfe, 0, 1, 2, 0x80, 10, 10]) },
  'null events': { body: () => 'data: null\n\ndata: 5\n\ndata: []\n\n' },
  'a wrong shape': { body: () => 'data: {"type":"response.completed","response":null}\n\n' },
  'items that are none': {
    body: () => 'data: {"type":"response.completed","response":{"output":[null,5,"x"]}}\n\n',
  },
  'too deep to write': {
    body: () => {
      const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
      return `data: {"type":"response.completed","response":{"output":[{"type":"message","content":${deep}}]}}\n\n`
    },
  },
  'claims to be compressed': { headers: { 'content-encoding': 'gzip' }, body: () => Buffer.from([31, 139, 8, 0, 9]) },
  'truncated in the middle': { body: half },
  'stalled before headers': { early: true, end: 'stall' },
  'stalled after headers': { body: () => '', end: 'stall' },
}

/** Faults after the first words: in streams what was said is kept, and nothing is tried again. */
export const MIDWAY: Record<string, Fault> = {
  'reset in the middle': { body: half, end: 'reset' },
  'closed in the middle': { body: half, end: 'close' },
  'stalled in the middle': { body: half, end: 'stall' },
  'garbage in the middle': { body: (good) => `${half(good)}\u0000\u0001 data: {{{\n\ndata: {"\n\n` },
}

const ALL: Record<string, Fault> = { ...PASSING, ...LASTING, ...MIDWAY }

/**
 * A model that answers "say <name>" with the fault of that name and everything else rightly, over both APIs, streamed and
 * plain. `attempts` counts the requests of each name.
 */
export async function startFaulty() {
  const attempts = new Map<string, number>()
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    const { stream = false } = JSON.parse(text) as { stream?: boolean }
    const name = /say ([^"#]+)#/.exec(text)?.[1] ?? ''
    const key = /say ([^"]+)"/.exec(text)?.[1] ?? ''
    attempts.set(key, (attempts.get(key) ?? 0) + 1)
    const fault = ALL[name] ?? {}
    if (fault.raw !== undefined) {
      response.socket?.end(fault.raw)
      return
    }
    const good = goodAnswer(request.url?.includes('/chat/') === true, stream)
    const type = stream ? 'text/event-stream' : 'application/json'
    if (fault.early !== true) {
      response.writeHead(fault.status ?? 200, { 'content-type': type, ...fault.headers })
      response.flushHeaders()
      const body = fault.body === undefined ? good : fault.body(good)
      if (body.length > 0 && !response.write(body)) await once(response, 'drain')
    }
    // What was written has left the process before the connection goes.
    await new Promise((resolve) => setImmediate(resolve))
    if (fault.end === 'reset') response.socket?.resetAndDestroy()
    else if (fault.end === 'close') response.socket?.end()
    else if (fault.end !== 'stall') response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  return { baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, attempts, close }
}

const WORDS = ['One ', 'two ', 'three ', 'four ', 'five ', 'six.']

function goodAnswer(overChat: boolean, stream: boolean): string {
  const text = WORDS.join('')
  if (overChat) {
    const message = { role: 'assistant', content: text }
    if (!stream) return JSON.stringify({ choices: [{ message, finish_reason: 'stop' }], usage: {} })
    const chunks = WORDS.map((content) => ({ choices: [{ delta: { content } }] }))
    const last = { choices: [{ delta: {}, finish_reason: 'stop' }] }
    return [...[...chunks, last].map((chunk) => JSON.stringify(chunk)), '[DONE]'].map(toEvent).join('')
  }
  const item = { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed' }
  const output = [{ ...item, content: [{ type: 'output_text', text, annotations: [] }] }]
  const response = { id: 'resp_1', object: 'response', status: 'completed', output, usage: { input_tokens: 1 } }
  if (!stream) return JSON.stringify(response)
  const at = { item_id: item.id, output_index: 0, content_index: 0 }
  return [
    { type: 'response.created', response: { ...response, output: [] } },
    ...WORDS.map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_item.done', output_index: 0, item: output[0] },
    { type: 'response.completed', response },
  ]
    .map((event) => toEvent(JSON.stringify(event)))
    .join('')
}

const toEvent = (data: string) => `data: ${data}\n\n`
