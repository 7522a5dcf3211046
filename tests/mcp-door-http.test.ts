import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { serveMcp } from '../src/index.ts'
import { post, startServer } from './support/client.ts'
import { connect, ERAS, startDoor } from './support/mcp-door.ts'
import { lookUp } from './support/order-tool.ts'

const HEADERS = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' }
const answers = () => ({ text: 'On its way' })
const request = (method: string, params: object, id: number | string = 1) => ({ jsonrpc: '2.0', id, method, params })
const initialize = request('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'raw', version: '1' },
})
const ask = request('tools/call', { name: 'ask_help_desk', arguments: { message: 'Hi' } }, 'ask')

/** Begins a session by hand. */
async function openSession(url: string, headers: Record<string, string> = {}) {
  const answer = await post(url, initialize, { ...HEADERS, ...headers })
  await answer.text()
  return {
    status: answer.status,
    session: { ...HEADERS, ...headers, 'mcp-session-id': answer.headers.get('mcp-session-id') ?? '' },
  }
}

async function failureOf(answer: Response) {
  const { error } = (await answer.json()) as { error: { code: number; message: string } }
  return { status: answer.status, code: error.code, message: error.message }
}

test('without the option there is no /mcp', async () => {
  const { url } = await startServer({ tools: [lookUp] })
  expect((await fetch(`${url}/mcp`)).status).toBe(404)
})

test('a wrong or missing token is 401 in the shape of the protocol', async () => {
  process.env.MCP_DOOR_TOKEN = 'right'
  onTestFinished(() => {
    delete process.env.MCP_DOOR_TOKEN
  })
  const { mcp } = await startDoor(answers, { appTokenEnv: 'MCP_DOOR_TOKEN' })
  for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
    const answer = await post(mcp, initialize, { ...HEADERS, ...headers })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
    expect(await failureOf(answer)).toMatchObject({ status: 401, code: -32001 })
  }
  for (const era of ERAS) {
    await expect(connect(mcp, era)).rejects.toThrow()
    const { client } = await connect(mcp, era, { authorization: 'Bearer right' })
    expect((await client.listTools()).tools).toHaveLength(2)
  }
})

test('only pages that corsOrigins names may call it', async () => {
  const { mcp } = await startDoor(answers, { corsOrigins: ['*', 'https://app.example'] })
  const status = async (origin: string) => (await post(mcp, initialize, { ...HEADERS, origin })).status
  expect(await status('https://app.example')).toBe(200)
  expect(await status('https://evil.example')).toBe(403)
  expect(await status('null')).toBe(403)
  const allowed = await post(mcp, initialize, { ...HEADERS, origin: 'https://app.example' })
  expect(allowed.headers.get('access-control-expose-headers')).toContain('mcp-session-id')
})

test('bodies that are no message are refused in the shape of the protocol', async () => {
  const { mcp } = await startDoor(answers, { limits: { bodyBytes: 10_000 } })
  const send = async (body: unknown, headers = {}) => failureOf(await post(mcp, body, { ...HEADERS, ...headers }))
  expect(await send('{')).toMatchObject({ status: 400, code: -32700 })
  expect(await send('')).toMatchObject({ status: 400 })
  expect(await send('[]')).toMatchObject({ status: 400 })
  expect(await send('null')).toMatchObject({ status: 400 })
  expect(await send('"x"')).toMatchObject({ status: 400 })
  expect(await send({ hello: 'world' })).toMatchObject({ status: 400 })
  expect(await send(`${'['.repeat(100)}${']'.repeat(100)}`)).toMatchObject({ status: 400, code: -32700 })
  expect(await send(`"${'x'.repeat(20_000)}"`)).toMatchObject({ status: 413 })
  expect(await send('a=b', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 })
  expect(await send(request('tools/list', {}))).toMatchObject({
    status: 400,
    message: expect.stringContaining('initialize'),
  })
  expect(await send(request('tools/list', {}), { 'mcp-session-id': 'guessed' })).toMatchObject({ status: 404 })
})

test('a method that does not exist is 404 without a session', async () => {
  const { mcp } = await startDoor(answers)
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const headers = { ...HEADERS, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'no/such' }
  expect(await failureOf(await post(mcp, request('no/such', { _meta }), headers))).toMatchObject({
    status: 404,
    code: -32601,
  })
})

test('a host that lost its stream gets the answer by Last-Event-ID', async () => {
  const { mcp, upstream } = await startDoor(() => ({ text: 'On its way', deltas: 4, delayMs: 150 }))
  const { session } = await openSession(mcp)
  const gone = new AbortController()
  const stream = await post(mcp, ask, session, gone.signal)
  const { value } = (await stream.body?.getReader().read()) ?? {}
  const [, id = ''] = /^id: (\d+)/m.exec(new TextDecoder().decode(value)) ?? []
  await expect.poll(() => upstream.seen.length).toBe(1)
  gone.abort()
  const resumed = await fetch(mcp, { headers: { ...session, accept: 'text/event-stream', 'last-event-id': id } })
  expect(await resumed.text()).toContain('"text":"On its way"')
  const unknown = await fetch(mcp, { headers: { ...session, accept: 'text/event-stream', 'last-event-id': '999' } })
  expect(unknown.status).toBe(400)
})

test('a session belongs to its owner', async () => {
  const identify = ({ headers }: { headers: Record<string, unknown> }) => String(headers['x-user'] ?? '')
  const { mcp } = await startDoor(answers, { runs: { identify } })
  expect((await openSession(mcp)).status).toBe(401)
  const { session } = await openSession(mcp, { 'x-user': 'ann' })
  const list = (user: string) => post(mcp, request('tools/list', {}), { ...session, 'x-user': user })
  expect((await list('bob')).status).toBe(404)
  expect((await list('ann')).status).toBe(200)
})

test("another owner's thread does not exist", async () => {
  const identify = ({ headers }: { headers: Record<string, unknown> }) => String(headers['x-user'] ?? '')
  const { mcp } = await startDoor(answers, { runs: { identify } })
  const [ann, bob] = [
    await connect(mcp, '2026-07-28', { 'x-user': 'ann' }),
    await connect(mcp, '2026-07-28', { 'x-user': 'bob' }),
  ]
  const first = await ann.client.callTool({ name: 'ask_help_desk', arguments: { message: 'Hi' } })
  const { thread_id } = first.structuredContent as { thread_id: string }
  const spy = await bob.client.callTool({ name: 'ask_help_desk', arguments: { message: 'Hi', thread_id } })
  expect(spy.isError).toBe(true)
})

test('beyond mcpSessions the session that was idle longest ends', async () => {
  const { mcp } = await startDoor(answers, { limits: { mcpSessions: 2 } })
  const sessions = [await openSession(mcp), await openSession(mcp), await openSession(mcp)]
  const status = async (index: number) => (await post(mcp, request('ping', {}), sessions[index]?.session)).status
  expect([await status(0), await status(1), await status(2)]).toEqual([404, 200, 200])
})

test('a session in use stays, and one more is refused with 503', async () => {
  const { mcp, upstream } = await startDoor(() => ({ hang: true }), { limits: { mcpSessions: 1 } })
  const { session } = await openSession(mcp)
  const gone = new AbortController()
  await post(mcp, ask, session, gone.signal)
  await expect.poll(() => upstream.seen.length).toBe(1)
  expect((await openSession(mcp)).status).toBe(503)
  await fetch(mcp, { method: 'DELETE', headers: session })
  await upstream.seen[0]?.aborted
  expect((await openSession(mcp)).status).toBe(200)
})

test('an idle session ends after mcpSessionMs', async () => {
  const { mcp } = await startDoor(answers, { limits: { mcpSessionMs: 100 } })
  const { session } = await openSession(mcp)
  const listening = await openSession(mcp)
  const stream = await fetch(mcp, { headers: { ...listening.session, accept: 'text/event-stream' } })
  const status = async (headers: Record<string, string>) => (await post(mcp, request('ping', {}), headers)).status
  await new Promise((resolve) => setTimeout(resolve, 500)) // nothing tells the client that its session has ended
  expect(await status(session)).toBe(404)
  expect(await status(listening.session)).toBe(200)
  expect(stream.headers.get('content-type')).toBe('text/event-stream')
  await stream.body?.cancel()
})

test('a host without a session that leaves stops the run', async () => {
  const { mcp, upstream } = await startDoor(() => ({ hang: true }))
  const { client } = await connect(mcp, '2026-07-28')
  const call = client.callTool({ name: 'ask_help_desk', arguments: { message: 'Hi' } }).catch(() => 'ended')
  await expect.poll(() => upstream.seen.length).toBe(1)
  await client.close()
  await upstream.seen[0]?.aborted
  expect(await call).toBe('ended')
})

for (const era of ERAS)
  test(`${era}: a stop lets a running call finish and ends open streams`, async () => {
    const { mcp, close, upstream } = await startDoor(() => ({ text: 'On its way', deltas: 4, delayMs: 100 }))
    const { client } = await connect(mcp, era)
    const call = client.callTool({ name: 'ask_help_desk', arguments: { message: 'Hi' } })
    await expect.poll(() => upstream.seen.length).toBe(1)
    await Promise.all([close(), expect(call).resolves.toMatchObject({ content: [{ text: 'On its way' }] })])
  })

for (const era of ERAS)
  test(`${era}: a stop ends a call that takes too long with an error`, async () => {
    const { mcp, close, upstream } = await startDoor(() => ({ hang: true }), { limits: { drainMs: 100 } })
    const { client } = await connect(mcp, era)
    const call = client.callTool({ name: 'ask_help_desk', arguments: { message: 'Hi' } })
    await expect.poll(() => upstream.seen.length).toBe(1)
    await Promise.all([close(), expect(call).resolves.toMatchObject({ isError: true })])
    await upstream.seen[0]?.aborted
  })

test('the plugin serves it below its prefix', async () => {
  const app = Fastify()
  await app.register(agencySwarm, { prefix: '/ai', tools: [lookUp], mcp: { name: 'orders', instructions: 'Be kind' } })
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  for (const era of ERAS) {
    const { client } = await connect(`${url}/ai/mcp`, era)
    expect(client.getServerVersion()).toMatchObject({ name: 'orders' })
    expect(client.getInstructions()).toBe('Be kind')
  }
})

test('serveMcp() serves tools at /mcp', async () => {
  const server = await serveMcp({ tools: [lookUp], host: '127.0.0.1', port: 0, banner: false, handleSignals: false })
  onTestFinished(() => server.close())
  const { client } = await connect(`${server.url}/mcp`, '2025-11-25')
  expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['look_up'])
})

test('wrong options are refused at start', async () => {
  await expect(startServer({ tools: [lookUp], mcp: { titel: 'x' } as never })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
  await expect(serveMcp({ tools: [lookUp], transport: 'pigeon' as never })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
})
