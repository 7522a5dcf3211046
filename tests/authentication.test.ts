import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, buildApp, serve, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { startServer } from './support/client.ts'
import { exchange, open, statusOf, toRequest } from './support/raw.ts'

const TOKEN = 'correct-horse-battery'
const BODY = '{"message":"Hi"}'

/** A server with a token whose every use can be seen. */
async function serveGuarded(options = {}) {
  process.env.GUARD_TOKEN = TOKEN
  onTestFinished(() => void delete process.env.GUARD_TOKEN)
  const uses: string[] = []
  const touch = tool({ name: 'touch', execute: () => void uses.push('tool') })
  const hooks = { onAgentStart: () => void uses.push('agent') }
  const agency = new Agency(new Agent({ name: 'Assistant', model: 'demo' }), { hooks })
  const { url } = await startServer({
    agencies: { solo: agency, 'my team': agency },
    tools: [touch],
    appTokenEnv: 'GUARD_TOKEN',
    enableLogging: true,
    ...options,
  })
  return { url, uses }
}
const GUARDED = [
  'POST /solo/get_response',
  'POST /solo/get_response_stream',
  'POST /solo/cancel_response_stream',
  'GET /solo/get_metadata',
  'POST /my_team/get_response',
  'POST /tool/touch',
  'POST /get_logs',
  'GET /get_logs?log_id=a',
]

test('no spelling of an address, method or header goes round the token', async () => {
  promise('E1')
  const { url, uses } = await serveGuarded()
  const spellings = (path: string) => [
    path,
    path.toUpperCase(),
    `/${path}`,
    `//${path}//`,
    `/.${path}`,
    `/x/..${path}`,
    `/%2e${path}`,
    `${path}/`,
    `${path}/.`,
    `${path}%20`,
    `${path}%00`,
    `${path};token=${TOKEN}`,
    `${path}#x`,
    path.replace(/\w/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
    path.replaceAll('/', '%2F'),
    path.replaceAll('/', '\\'),
    `http://localhost${path}`,
    `https://${TOKEN}@localhost${path}`,
    `${path}${path.includes('?') ? '&' : '?'}token=${TOKEN}&access_token=${TOKEN}&authorization=Bearer%20${TOKEN}`,
  ]
  const tricks = [
    {},
    { Authorization: 'Bearer' },
    { Authorization: `Basic ${Buffer.from(`user:${TOKEN}`).toString('base64')}` },
    { Authorization: TOKEN },
    { Authorization: `Bearer ${TOKEN}x` },
    { Authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    { Authorization: `Bearer ${TOKEN.toUpperCase()}` },
    { Authorization: `Bearer ${TOKEN}, Bearer x` },
    { Authorization: `Bearer "${TOKEN}"` },
    { 'Proxy-Authorization': `Bearer ${TOKEN}`, 'X-Forwarded-Authorization': `Bearer ${TOKEN}` },
    { Cookie: `token=${TOKEN}; Authorization=Bearer ${TOKEN}` },
    { 'X-Forwarded-For': '127.0.0.1', 'X-Real-IP': '127.0.0.1', Forwarded: 'for=127.0.0.1' },
    { 'X-Original-URL': '/docs', 'X-Rewrite-URL': '/docs', 'X-Forwarded-Prefix': '/docs' },
    { 'X-HTTP-Method-Override': 'GET', 'X-Method-Override': 'OPTIONS' },
    { Origin: 'https://a.example' },
  ]
  const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'post']
  const ask = async (method: string, path: string, headers: Record<string, string>) => {
    const request = toRequest(path, BODY, headers).toString('latin1').replace('POST', method)
    const answer = await exchange(url, request)
    const label = `${method} ${path} ${JSON.stringify(headers)}`
    expect([0, 307, 400, 401, 404, 405, 501], `${label}\n${answer}`).toContain(statusOf(answer))
    expect(answer, label).not.toMatch(/Assistant|new_messages|run_id|inputSchema/)
    return answer
  }
  for (const line of GUARDED) {
    const [method = '', path = ''] = line.split(' ')
    await Promise.all([
      ...spellings(path).map((spelling) => ask(method, spelling, {})),
      ...tricks.map((headers) => ask(method, path, headers)),
      ...methods.map((other) => ask(other, path, {})),
    ])
  }
  expect(uses).toEqual([])
  // The right token works, whatever the case of its scheme; the same address in absolute form is the same route.
  for (const path of ['/tool/touch', 'http://localhost/tool/touch'])
    expect(statusOf(await exchange(url, toRequest(path, '{}', { Authorization: `bEARER  ${TOKEN}` })))).toBe(200)
  expect(uses).toEqual(['tool', 'tool'])
})

test('the token is checked before the body, with one answer for all', async () => {
  promise('E1')
  const { url } = await serveGuarded()
  const headOf = (authorization: string, more = '') =>
    `POST /solo/get_response HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n${authorization}${more}\r\n`
  const answers = new Set<string>()
  for (const wrong of ['x', TOKEN.slice(1), `${TOKEN} `.repeat(20), '\u00e4\u00f6', 'a'.repeat(5_000)]) {
    const { closed, text, socket } = open(url)
    socket.write(Buffer.from(`${headOf(`Authorization: Bearer ${wrong}\r\n`)}{"mess`, 'latin1'))
    await closed // although the body never comes
    expect(statusOf(text())).toBe(401)
    answers.add(text().replace(/Date: .*\r\n/i, ''))
  }
  expect(answers.size).toBe(1)
  expect([...answers][0]).toMatch(/connection: close\r\n.*\{"detail":"Unauthorized"\}$/is)
  const { closed, text, socket } = open(url)
  socket.write(headOf('', 'Expect: 100-continue\r\n'))
  await closed
  expect(text()).toContain('401 Unauthorized')
  // A path that nobody serves does not make the server read either.
  const lost = open(url)
  lost.socket.write(headOf('').replace('/solo/', '/nobody/'))
  await lost.closed
  expect(statusOf(lost.text())).toBe(404)
})

test('errors carry CORS headers; preflights and health are open', async () => {
  promise('A5', 'E1', 'E2')
  const { url } = await serveGuarded({ corsOrigins: ['https://a.example'], protectDocs: true })
  const origin = { origin: 'https://a.example' }
  const refused = await fetch(`${url}/solo/get_response`, { method: 'POST', headers: origin, body: BODY })
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([401, 'https://a.example'])
  const headers = { ...origin, authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const invalid = await fetch(`${url}/solo/get_response`, { method: 'POST', headers, body: '{}' })
  expect([invalid.status, invalid.headers.get('access-control-allow-origin')]).toEqual([422, 'https://a.example'])
  const preflight = await fetch(`${url}/solo/get_response`, {
    method: 'OPTIONS',
    headers: { ...origin, 'access-control-request-method': 'POST' },
  })
  expect([preflight.status, await preflight.text()]).toEqual([200, 'OK'])
  expect(await (await fetch(`${url}/healthz`)).json()).toEqual({ status: 'ok' })
  expect(await (await fetch(`${url}/readyz`)).json()).toEqual({ status: 'ready' })
  for (const path of ['/docs', '/redoc', '/openapi.json', '/docs/swagger-ui-bundle.js'])
    expect((await fetch(`${url}${path}`)).status, path).toBe(401)
})

test('in a host app, the token protects our routes only', async () => {
  promise('A4', 'E1')
  process.env.GUARD_TOKEN = TOKEN
  onTestFinished(() => void delete process.env.GUARD_TOKEN)
  const host = Fastify()
  onTestFinished(() => host.close())
  host.get('/own', async () => 'mine')
  const agency = new Agency(new Agent({ name: 'Assistant', model: 'demo' }))
  await host.register(agencySwarm, { prefix: '/ai', agencies: { solo: agency }, appTokenEnv: 'GUARD_TOKEN' })
  for (const url of [
    '/ai/solo/get_metadata',
    '/ai//solo/get_metadata',
    '/ai/solo/get_metadata/',
    '/AI/solo/get_metadata',
  ])
    expect((await host.inject(url)).body).not.toContain('Assistant')
  expect((await host.inject('/ai/healthz')).statusCode).toBe(200)
  expect((await host.inject('/own')).body).toBe('mine')
})

test('requireAuth refuses to start without a valid token', async () => {
  promise('A3', 'A12')
  const agencies = { solo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })) }
  const start = () => buildApp({ agencies, requireAuth: true, appTokenEnv: 'GUARD_TOKEN' })
  process.env.GUARD_TOKEN = ''
  onTestFinished(() => void delete process.env.GUARD_TOKEN)
  await expect(start()).rejects.toMatchObject({
    code: 'MISSING_TOKEN',
    message: expect.stringContaining('GUARD_TOKEN'),
  })
  for (const bad of [' ', 'secret\n', ' secret', 'a\u0007b']) {
    process.env.GUARD_TOKEN = bad
    await expect(start(), JSON.stringify(bad)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  }
  process.env.GUARD_TOKEN = 'schlüssel' // sent in UTF-8, as curl does
  const app = await start()
  onTestFinished(() => app.close())
  const authorization = Buffer.from('Bearer schlüssel').toString('latin1')
  expect((await app.inject({ url: '/solo/get_metadata', headers: { authorization } })).statusCode).toBe(200)
})

test('listening to others without a token warns on stderr', async () => {
  promise('A3')
  const agencies = { solo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })) }
  const warned: string[] = []
  const { warn } = console
  console.warn = (text: string) => warned.push(text)
  onTestFinished(() => {
    console.warn = warn
  })
  const start = async (host: string, options = {}) => {
    const server = await serve({ agencies, host, port: 0, banner: false, handleSignals: false, ...options })
    await server.close()
    return warned.splice(0).join('\n')
  }
  expect(await start('0.0.0.0')).toMatch(/!{40}\nWARNING: .*open to everyone.*\n.*\n.*APP_TOKEN.*requireAuth.*\n!{40}/)
  for (const host of ['127.0.0.1', 'localhost', '127.0.0.2']) expect(await start(host)).toBe('')
  process.env.GUARD_TOKEN = TOKEN
  onTestFinished(() => void delete process.env.GUARD_TOKEN)
  expect(await start('0.0.0.0', { appTokenEnv: 'GUARD_TOKEN' })).toBe('')
})
