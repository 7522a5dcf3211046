/** What holds over every protocol that the server speaks: token, CORS, owners, the size of bodies, and a stop that drains. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Agency, Agent, serve } from '../src/index.ts'
import { post } from './support/client.ts'
import { startUpstream } from './support/upstream.ts'

const ORIGIN = 'https://app.example.com'
const TOKEN = 'Bearer secret'
const V1 = { 'a2a-version': '1.0' }
const MCP = '2026-07-28'

type Json = { [key: string]: unknown }
type Fields = { [name: string]: string }

interface Door {
  path: string
  /** A request whose answer is a stream, or comes at the end. */
  body: Json
  headers?: Fields
  /** AG-UI takes the place of the native endpoints. */
  agui?: true
  /** What a refused request has in its body. */
  refused: RegExp
  /** What the answer has at its end when the server stops while the last text is written. */
  end: RegExp
  /** What another owner asks about `talk`, and `id`, which the answer to `body` names; undefined where nothing can be named. */
  foreign?: {
    id?: RegExp
    ask(id: string): [path: string, body?: Json]
    status: number
    says?: RegExp
  }
}

const rpc = (method: string, params: Json) => ({ jsonrpc: '2.0', id: 1, method, params })
const mcp = (message: string, more: Json = {}) => ({
  body: rpc('tools/call', {
    name: 'ask_team',
    arguments: { message, ...more },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': MCP,
      'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  }),
  headers: {
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': MCP,
    'mcp-method': 'tools/call',
    'mcp-name': 'ask_team',
  },
})
const a2aMessage = { messageId: 'm', role: 'ROLE_USER', parts: [{ text: 'Go' }], contextId: 'talk' }

const DOORS: { [name: string]: Door } = {
  native: {
    path: '/team/get_response_stream',
    body: { message: 'Go' },
    refused: /^\{"detail":/,
    end: /event: end\ndata: \[DONE\]\n\n$/,
    foreign: {
      id: /"run_id":"([^"]+)"/,
      ask: (run_id) => ['/team/cancel_response_stream', { run_id }],
      status: 404,
    },
  },
  runs: {
    path: '/team/runs',
    body: { message: 'Go', stream: true, thread_id: 'talk' },
    refused: /^\{"detail":/,
    end: /event: end\ndata: \[DONE\]\n\n$/,
    foreign: { id: /"run_id":"([^"]+)"/, ask: (id) => [`/team/runs/${id}`], status: 404, says: /"code":"NOT_FOUND"/ },
  },
  'AG-UI': {
    path: '/team/get_response_stream',
    body: {
      threadId: 'talk',
      runId: 'r1',
      state: {},
      messages: [{ id: 'u1', role: 'user', content: 'Go' }],
      tools: [],
      context: [],
      forwardedProps: {},
    },
    agui: true,
    refused: /^\{"detail":/,
    end: /"type":"RUN_FINISHED".*\n\n$/,
  },
  'Chat Completions': {
    path: '/v1/chat/completions',
    body: { model: 'team', messages: [{ role: 'user', content: 'Go' }], stream: true },
    refused: /^\{"error":\{"message":/,
    end: /"finish_reason":"stop".*\n\ndata: \[DONE\]\n\n$/,
  },
  Responses: {
    path: '/v1/responses',
    body: { model: 'team', input: 'Go', stream: true },
    refused: /^\{"error":\{"message":/,
    end: /"type":"response.completed".*\n\n$/,
    foreign: {
      id: /"id":"(resp_[^"]+)"/,
      ask: (id) => [`/v1/responses/${id}`],
      status: 404,
      says: /"error"/,
    },
  },
  'AI SDK': {
    path: '/team/chat',
    body: { id: 'talk', messages: [{ id: 'u1', role: 'user', parts: [{ type: 'text', text: 'Go' }] }] },
    refused: /^(?:Not authenticated|The body is larger)/,
    end: /"type":"finish".*\n\ndata: \[DONE\]\n\n$/,
    foreign: { ask: () => ['/team/chat/talk/stream'], status: 204 },
  },
  MCP: {
    path: '/mcp',
    ...mcp('Go'),
    refused: /^\{"jsonrpc":"2.0","error":/,
    end: /"structuredContent":\{"response":"0 1 /,
    foreign: {
      id: /"thread_id":"([^"]+)"/,
      ask: (thread_id) => ['/mcp', mcp('Go', { thread_id }).body],
      status: 200,
      says: /was not found/,
    },
  },
  A2A: {
    path: '/team/a2a',
    body: rpc('SendStreamingMessage', { message: a2aMessage }),
    headers: V1,
    refused: /^\{"jsonrpc":"2.0","id":null,"error":/,
    end: /TASK_STATE_COMPLETED.*\n\n$/,
    foreign: {
      id: /"task":\{"id":"([^"]+)"/,
      ask: (id) => ['/team/a2a', rpc('GetTask', { id })],
      status: 200,
      says: /"code":-32001/,
    },
  },
}

let upstream: Awaited<ReturnType<typeof startUpstream>>
const before = { ...process.env }
beforeAll(async () => {
  upstream = await startUpstream(() => ({ text: '', deltas: 20, delayMs: 10 }))
  Object.assign(process.env, { OPENAI_BASE_URL: upstream.baseURL, OPENAI_API_KEY: 'sk-x', APP_TOKEN: 'secret' })
})
afterAll(async () => {
  for (const name of ['OPENAI_BASE_URL', 'OPENAI_API_KEY', 'APP_TOKEN']) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
  await upstream.close()
})

function open(agui: boolean) {
  const team = new Agency(new Agent({ name: 'Solo', instructions: 'Help.', model: 'gpt-4.1' }), { name: 'team' })
  return serve({
    agencies: { team },
    ...(agui ? { enableAgui: true } : { openai: true, aiSdk: true, mcp: true, a2a: true }),
    corsOrigins: [ORIGIN],
    runs: { identify: ({ headers }) => String(headers['x-user'] ?? 'ann') },
    limits: { bodyBytes: 4_096 },
    host: '127.0.0.1',
    port: 0,
    banner: false,
    handleSignals: false,
  })
}

describe.for(Object.keys(DOORS))('%s', (name) => {
  const { path, body, headers = {}, agui = false, refused, end, foreign } = DOORS[name] as Door
  let server: Awaited<ReturnType<typeof open>>
  beforeAll(async () => {
    server = await open(agui)
    return () => server.close()
  }, 60_000)
  const send = (sent: unknown, more: Fields = {}) =>
    post(server.url + path, sent, { authorization: TOKEN, origin: ORIGIN, ...headers, ...more })

  test('a request without the token is refused, and pages can read why', async () => {
    const response = await post(server.url + path, body, { origin: ORIGIN, ...headers })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(await response.text()).toMatch(refused)
  })

  test('a preflight is answered for listed origins', async () => {
    const preflight = (origin: string) =>
      fetch(server.url + path, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST' } })
    const response = await preflight(ORIGIN)
    expect(response.ok).toBe(true)
    expect(response.headers.get('access-control-allow-origin')).toBe(ORIGIN)
    expect(response.headers.get('access-control-allow-methods')).toContain('POST')
    expect((await preflight('https://other.example')).headers.get('access-control-allow-origin')).toBeNull()
  })

  test('a body that is too large is refused in the shape of the protocol', async () => {
    const response = await send({ ...body, more: 'x'.repeat(5_000) })
    expect(response.status).toBe(413)
    expect(await response.text()).toMatch(refused)
  })

  if (foreign !== undefined)
    test('what belongs to another owner does not exist', async () => {
      const { id, ask, status, says } = foreign
      const own = await send(body)
      expect(own.status).toBe(200)
      const found = id === undefined ? 'talk' : id.exec(await own.text())?.[1]
      const [asked, sent] = ask(String(found))
      const about = { authorization: TOKEN, 'x-user': 'ben', ...headers }
      const url = server.url + asked
      const response = await (sent === undefined ? fetch(url, { headers: about }) : post(url, sent, about))
      expect([found !== undefined, response.status]).toEqual([true, status])
      if (says !== undefined) expect(await response.text()).toMatch(says)
      else await response.text()
    })

  test('a server that stops lets an answer come to its end', async () => {
    const calls = upstream.seen.length
    const answer = send(body)
    while (upstream.seen.length === calls) await new Promise((resolve) => setTimeout(resolve, 5))
    const stopped = server.close()
    const text = await (await answer).text()
    expect(text).toMatch(end)
    await stopped
  })
})
