import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, type ServeOptions, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer } from './support/client.ts'
import { bodyOf, exchange, open, statusOf, toRequest } from './support/raw.ts'

const solo = () => new Agency(new Agent({ name: 'Assistant', model: 'demo' }))
const ping = tool({ name: 'ping', execute: () => 'pong' })
const start = (options: Partial<ServeOptions> = {}) =>
  startServer({ agencies: { solo: solo() }, tools: [ping], playground: true, ...options })

/** One request with these header lines, whatever they are; its answer. */
const ask = (url: string, lines: string, target = 'GET /healthz') =>
  exchange(url, `${target} HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`)
const statusWith = async (url: string, lines: string, target?: string) => statusOf(await ask(url, lines, target))

test.for([
  'Host: a/b?c',
  'Host: a b',
  'Host: user@localhost',
  'Host: localhost\r\nHost: localhost',
  'Host: localhost\r\nhost: evil.example',
  'HOST: localhost\r\nX-A: 1\r\nHost: localhost:1',
  'Host: http://localhost',
  'Host: localhost:port',
  'Host: localhost:123456',
  'Host: localhost#x',
  'Host: [::1',
  'Host: "localhost"',
  'Host: a,b/',
  'Host:',
  'X-Host: localhost',
])('%j is refused with 400 on every path', async (lines) => {
  const { url } = await start({ corsOrigins: ['*'] })
  for (const target of ['GET /healthz', 'GET /openapi.json', 'POST /solo/get_response', 'GET /none'])
    expect(await statusWith(url, `${lines}\r\n`, target), target).toBe(400)
})

test.for([
  'localhost',
  'localhost:8000',
  'agents.example.com',
  '[::1]:80',
  '127.0.0.1',
  'a_b-c.example:',
  'xn--bcher-kva.example',
])('the Host %s is taken', async (host) => {
  const { url } = await start({ corsOrigins: ['*'] })
  expect(await statusWith(url, `Host: ${host}\r\n`)).toBe(200)
})

const EVERYWHERE = [
  'GET /healthz',
  'GET /',
  'GET /docs',
  'GET /openapi.json',
  'GET /solo/get_metadata',
  'POST /solo/get_response',
  'POST /tool/ping',
  'OPTIONS /tool/ping',
  'GET /none',
]

test.for([
  'Origin: https://evil.example',
  'Origin: null',
  'Origin: http://localhost.evil.example',
  'Origin: http://127.0.0.1.evil.example',
  'Origin: http://evil.example:8000',
  'Origin: http://0.0.0.0:8000',
  'Origin: http://192.168.0.7',
  'Origin: http://[2001:db8::1]',
  'Origin: chrome-extension://abcdef',
  'Origin: file://localhost',
  'Origin: https://notlocalhost',
])('an open server on loopback refuses pages with %s', async (line) => {
  const { url } = await start()
  const lines = `Host: localhost\r\n${line}\r\nAccess-Control-Request-Method: POST\r\n`
  for (const target of EVERYWHERE) expect(await statusWith(url, lines, target), target).toBe(403)
  const refusal = await ask(url, lines, 'POST /tool/ping')
  expect(JSON.parse(bodyOf(refusal)).detail).toMatch(/This server has no token, .* Set a token, or list .* corsOrigins/)
})

test.for([
  'evil.example',
  'rebind.example:8000',
  '10.0.0.5',
  '0.0.0.0:8000',
  '[2001:db8::1]:80',
  'localhost.evil.example',
])('an open server on loopback rejects the Host %s', async (host) => {
  const { url } = await start()
  for (const target of EVERYWHERE) expect(await statusWith(url, `Host: ${host}\r\n`, target), target).toBe(403)
})

test.for([
  'Host: localhost:8000',
  'Host: LOCALHOST',
  'Host: agents.localhost:8000',
  'Host: 127.0.0.1:8000',
  'Host: 127.8.8.8',
  'Host: [::1]:8000',
  'Host: 2130706433',
  'Host: localhost\r\nOrigin: http://localhost:5173',
  'Host: localhost\r\nOrigin: https://127.0.0.1',
  'Host: 127.0.0.1\r\nOrigin: http://[::1]:3000',
  'Host: 127.0.0.1\r\nOrigin: http://app.localhost',
])('programs and pages of this machine are served: %j', async (lines) => {
  const { url } = await start()
  expect(await statusWith(url, `${lines}\r\n`)).toBe(200)
  expect(await statusWith(url, `${lines}\r\n`, 'GET /')).toBe(200)
  expect(
    await statusWith(
      url,
      `${lines}\r\nContent-Length: 2\r\nContent-Type: application/json\r\n`.replace('\r\n\r\n', '\r\n'),
      'GET /solo/get_metadata',
    ),
  ).toBe(200)
})

test('a token, corsOrigins, another host or a host app lift that', async () => {
  promise('A5')
  const evil = { origin: 'https://evil.example' }
  process.env.EDGE_TOKEN = 'the-token'
  onTestFinished(() => void delete process.env.EDGE_TOKEN)
  const withToken = await start({ appTokenEnv: 'EDGE_TOKEN' })
  expect((await post(`${withToken.url}/tool/ping`, {}, { ...evil, authorization: 'Bearer the-token' })).status).toBe(
    200,
  )
  const listed = await start({ corsOrigins: ['https://evil.example'] })
  expect((await post(`${listed.url}/tool/ping`, {}, evil)).status).toBe(200)
  const everywhere = await start({ host: '0.0.0.0' })
  expect((await post(`${everywhere.url}/tool/ping`, {}, evil)).status).toBe(200)
  const local = await start()
  expect((await local.app.inject({ method: 'POST', url: '/tool/ping', payload: {}, headers: evil })).statusCode).toBe(
    403,
  )
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/ai', agencies: { solo: solo() }, tools: [ping] })
  const guest = await host.listen({ host: '127.0.0.1', port: 0 })
  expect((await post(`${guest}/ai/tool/ping`, {}, evil)).status).toBe(200)
})

test.for(['close', 'Close', 'x, close'])(
  'Connection: %s is heard: stream and connection end together',
  async (connection) => {
    const { url } = await start()
    const body = JSON.stringify({ message: 'Hi' })
    const answer = await exchange(url, toRequest('/solo/get_response_stream', body, { Connection: connection }))
    expect(answer).toMatch(/\r\nconnection: close\r\n/i)
    expect(answer).toContain('event: end')
  },
)

test('a stream leaves its kept-alive connection open', async () => {
  const { url } = await start()
  const { socket, text } = open(url)
  socket.write(toRequest('/solo/get_response_stream', JSON.stringify({ message: 'Hi' }), { Connection: 'keep-alive' }))
  await expect.poll(text).toContain('event: end')
  expect(text()).toMatch(/\r\nconnection: keep-alive\r\n/i)
  socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await expect.poll(text).toContain('"status":"ok"')
  socket.destroy()
})

test('a client that waits to send its body hears first whether it is wanted', async () => {
  process.env.EDGE_TOKEN = 'the-token'
  onTestFinished(() => void delete process.env.EDGE_TOKEN)
  const { url } = await start({ appTokenEnv: 'EDGE_TOKEN', limits: { bodyBytes: 1_000 } })
  const head = (target: string, length: number, more = '') =>
    `${target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n${more}\r\n`
  const token = 'Authorization: Bearer the-token\r\n'
  for (const [status, bytes] of [
    [401, head('POST /solo/get_response', 999_999_999)],
    [401, head('POST /tool/ping', 2, 'Authorization: Bearer wrong\r\n')],
    [413, head('POST /solo/get_response', 999_999_999, token)],
    [413, head('POST /tool/ping', 1_001, token)],
    [404, head('POST /none', 2, token)],
    [405, head('POST /healthz', 2, token)],
  ] as const) {
    const answer = await exchange(url, bytes) // it is closed: nobody waits for the body
    expect(statusOf(answer), bytes).toBe(status)
    expect(answer).not.toContain('100 Continue')
  }
  const { socket, text } = open(url)
  socket.write(head('POST /tool/ping', 2, token))
  await expect.poll(text).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  socket.write('{}')
  await expect.poll(text).toContain('"pong"')
  socket.destroy()
})

const CHUNKED = 'POST /tool/ping HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
const HEAD = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n'
test.for([
  ['two framings', 400, `${CHUNKED}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  ['two lengths', 400, `${CHUNKED}Content-Length: 2\r\nContent-Length: 1\r\n\r\n{}`],
  ['a negative length', 400, `${CHUNKED}Content-Length: -1\r\n\r\n`],
  ['chunked, but not last', 400, `${CHUNKED}Transfer-Encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n`],
  [
    'a compressed transfer',
    415,
    `${CHUNKED}Connection: close\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
  ],
  [
    'a chunk extension of 3 MB',
    400,
    `${CHUNKED}Transfer-Encoding: chunked\r\n\r\n2;${'x'.repeat(3e6)}\r\n{}\r\n0\r\n\r\n`,
  ],
  [
    'a trailer of 3 MB',
    431,
    `${CHUNKED}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-A: ${'x'.repeat(3e6)}\r\n\r\n`,
  ],
  ['100,000 headers', 431, `${HEAD}${'a: b\r\n'.repeat(100_000)}\r\n`],
  ['a range', 200, `${HEAD}Range: bytes=0-1,${'2-3,'.repeat(500)}5-6\r\n\r\n`],
  ['an upgrade, which is ignored', 200, `${HEAD}Upgrade: websocket\r\n\r\n`],
  ['TRACE', 405, HEAD.replace('GET', 'TRACE').concat('\r\n')],
  ['lines that end with LF alone', 400, 'GET /healthz HTTP/1.1\nHost: localhost\n\n'],
  ['a folded header', 400, `${HEAD}X-A: b\r\n c\r\n\r\n`],
  ['HTTP/2 without TLS', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['an expectation that is not known', 417, `${CHUNKED}Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}`],
] as const)('an odd HTTP request gets one clear answer: %s', async ([, status, bytes]) => {
  const { url } = await start()
  const answer = await exchange(url, bytes)
  expect(statusOf(answer)).toBe(status)
  expect(answer.match(/HTTP\/1\.1 \d/g)).toHaveLength(1)
  if (status >= 400) expect(JSON.parse(bodyOf(answer))).toEqual({ detail: expect.any(String) })
})

const EVERY_FIELD = {
  base_url: 'https://gateway.example/v1',
  api_key: 'sk-callers',
  default_headers: { 'x-team': 'a' },
  litellm_keys: { anthropic: 'sk-ant-callers' },
  model: 'demo',
  model_settings_extra_args: { seed: 1 },
}
const places = async (answer: Response) => {
  const { detail } = (await answer.json()) as { detail: { loc: string[]; msg: string; input: unknown }[] }
  return detail.map(({ loc, msg, input }) => {
    expect(msg).toBe(`Value error, this server does not let callers set client_config.${loc.at(-1)}`)
    expect(input).toBe('[redacted]')
    return loc.join('.')
  })
}

test.for([
  ['false', false, []],
  ['an empty list', [], []],
  ['the model alone', ['model'], ['model']],
  ['keys', ['api_key', 'litellm_keys'], ['api_key', 'litellm_keys']],
  ['all but the address', Object.keys(EVERY_FIELD).slice(1), Object.keys(EVERY_FIELD).slice(1)],
] as const)('clientConfig %s: other fields are rejected in every protocol', async ([, clientConfig, allowed]) => {
  const options = { agencies: { solo: solo() }, clientConfig: clientConfig as ServeOptions['clientConfig'] & {} }
  const native = await startServer(options)
  const agui = await startServer({ ...options, enableAgui: true })
  const input = { threadId: 't', runId: 'r', messages: [{ id: '1', role: 'user', content: 'Hi' }] }
  const refused = Object.keys(EVERY_FIELD).filter((field) => !(allowed as readonly string[]).includes(field))
  for (const endpoint of ['get_response', 'get_response_stream']) {
    const answer = await post(`${native.url}/solo/${endpoint}`, { message: 'Hi', client_config: EVERY_FIELD })
    expect(answer.status).toBe(422)
    expect(await places(answer)).toEqual(refused.map((field) => `body.client_config.${field}`))
  }
  const path = `${agui.url}/solo/get_response_stream`
  const inBody = await post(path, { ...input, client_config: EVERY_FIELD })
  expect(await places(inBody)).toEqual(refused.map((field) => `body.client_config.${field}`))
  const inProps = await post(path, { ...input, forwardedProps: { client_config: EVERY_FIELD } })
  expect(await places(inProps)).toEqual(refused.map((field) => `body.forwardedProps.client_config.${field}`))
  for (const harmless of [
    null,
    {},
    { model: null, api_key: null },
    ...(refused.includes('model') ? [] : [{ model: 'demo' }]),
  ])
    expect((await post(`${native.url}/solo/get_response`, { message: 'Hi', client_config: harmless })).status).toBe(200)
  for (const [{ url }, body] of [
    [native, 'ModifiedRequest'],
    [agui, 'RunAgentInput'],
  ] as const) {
    const { schemas } = (
      (await (await fetch(`${url}/openapi.json`)).json()) as {
        components: { schemas: { [name: string]: { properties: object } } }
      }
    ).components
    expect(Object.keys(schemas[body]?.properties ?? {}).includes('client_config')).toBe(allowed.length > 0)
    expect(Object.keys(schemas.ClientConfig?.properties ?? {}).sort()).toEqual([...allowed].sort())
  }
})

test.for([
  [{ clientConfig: ['baseUrl'] }, /clientConfig has to be true, false, or a list of fields .*base_url/],
  [{ clientConfig: 'model' }, /clientConfig has to be true, false/],
  [{ clientConfig: [1] }, /clientConfig has to be true, false/],
  [{ clientConfig: false, keyPerRequest: true }, /keyPerRequest needs callers to send a key/],
  [{ clientConfig: ['model'], keyPerRequest: true }, /keyPerRequest needs callers to send a key/],
] as const)('%j is an error at start', async ([options, message]) => {
  await expect(start(options as never)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(message),
  })
})

test('a guest takes the same option', async () => {
  const host = Fastify()
  onTestFinished(() => host.close())
  await host.register(agencySwarm, { prefix: '/ai', agencies: { solo: solo() }, clientConfig: false })
  const payload = { message: 'Hi', client_config: { model: 'demo' } }
  expect((await host.inject({ method: 'POST', url: '/ai/solo/get_response', payload })).statusCode).toBe(422)
})
