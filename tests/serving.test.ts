import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, type AgencyCallbacks, Agent, buildApp, serve, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer, useUpstream } from './support/client.ts'

const solo = (name = 'solo') => new Agency(new Agent({ name: 'Assistant', model: 'demo' }), { name })
const echo = tool({ name: 'echo', parameters: z.object({ text: z.string() }), execute: ({ text }) => `echo ${text}` })
const message = { message: 'Hello' }

test('an agency serves itself, and serve() takes several agencies and tools', async () => {
  promise('A1', 'B1')
  const own = await solo().serve({ host: '127.0.0.1', port: 0, banner: false })
  onTestFinished(() => own.close())
  expect((await post(`${own.url}/solo/get_response`, message)).status).toBe(200)
  const { url } = await startServer({ agencies: { one: solo(), two: solo() }, tools: [echo] })
  for (const path of ['one', 'two']) {
    const answer = await post(`${url}/${path}/get_response`, message)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(Object.keys((await answer.json()) as object)).toEqual(['response', 'new_messages', 'usage'])
  }
  expect(await (await post(`${url}/tool/echo`, { text: 'x' })).json()).toEqual({ response: 'echo x' })
  const tools = await startServer({ tools: [echo] })
  expect((await post(`${tools.url}/tool/echo`, { text: 'x' })).status).toBe(200)
})

test('port 0 picks a free port, and a taken one is a clear error', async () => {
  promise('A2')
  const { port, app } = await startServer({ agencies: { solo: solo() } })
  expect(port).toBeGreaterThan(0)
  expect(app.server.address()).toMatchObject({ port, address: '127.0.0.1' })
  const second = serve({ agencies: { solo: solo() }, host: '127.0.0.1', port, banner: false })
  await expect(second).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining(`Port ${port} is in use`),
  })
})

test('buildApp does not listen, and the plugin accepts a prefix', async () => {
  promise('A4')
  const app = await buildApp({ agencies: { solo: solo() } })
  onTestFinished(() => app.close())
  expect((await app.inject({ method: 'POST', url: '/solo/get_response', payload: message })).statusCode).toBe(200)
  expect(app.server.listening).toBe(false)
  const silent = await serve({ agencies: { solo: solo() }, listen: false })
  onTestFinished(() => silent.close())
  expect((await silent.inject('/solo/get_metadata')).statusCode).toBe(200)

  const host = Fastify()
  onTestFinished(() => host.close())
  host.get('/own', async () => 'mine')
  await host.register(agencySwarm, { prefix: '/ai', agencies: { solo: solo() }, tools: [echo] })
  expect(
    (await host.inject({ method: 'POST', url: '/ai/solo/get_response', payload: message })).json().response,
  ).toContain('demo')
  expect((await host.inject({ method: 'POST', url: '/ai/solo/get_response', payload: {} })).json().detail[0].type).toBe(
    'missing',
  )
  const preflight = await host.inject({
    method: 'OPTIONS',
    url: '/ai/solo/get_response',
    headers: { origin: 'https://a.example', 'access-control-request-method': 'POST' },
  })
  expect(preflight.statusCode).toBe(200)
  expect((await host.inject('/own')).headers['access-control-allow-origin']).toBeUndefined()
  expect((await host.inject('/own')).body).toBe('mine')
})

test('a wildcard allows no credentials, a list echoes only its own origins', async () => {
  promise('A5')
  const open = await buildApp({ agencies: { solo: solo() } })
  const listed = await buildApp({ agencies: { solo: solo() }, corsOrigins: ['https://a.example'] })
  onTestFinished(async () => void (await Promise.all([open.close(), listed.close()])))
  const get = async (app: typeof open, origin: string) =>
    (await app.inject({ url: '/solo/get_metadata', headers: { origin } })).headers
  const anywhere = await get(open, 'https://b.example')
  expect(anywhere['access-control-allow-origin']).toBe('*')
  expect(anywhere['access-control-allow-credentials']).toBeUndefined()
  const known = await get(listed, 'https://a.example')
  expect(known).toMatchObject({
    'access-control-allow-origin': 'https://a.example',
    'access-control-allow-credentials': 'true',
    vary: 'Origin',
  })
  for (const origin of ['https://b.example', 'https://a.example.evil', 'http://a.example', 'null']) {
    const unknown = await get(listed, origin)
    expect(unknown['access-control-allow-origin']).toBeUndefined()
    expect(unknown['access-control-allow-credentials']).toBeUndefined()
  }
})

test('path segments are encoded, and duplicates are rejected', async () => {
  promise('A9')
  const app = await buildApp({
    agencies: { 'my team': solo(), 'a/b': solo(), naïve: solo(), 'x:*?': solo(), 'R&D (new)': solo() },
  })
  onTestFinished(() => app.close())
  for (const url of [
    '/my_team/get_metadata',
    '/a%2Fb/get_metadata',
    '/na%C3%AFve/get_metadata',
    '/x:*%3F/get_metadata',
    '/R%26D_(new)/get_metadata',
    '/R&D_%28new%29/get_metadata',
  ])
    expect((await app.inject(url)).statusCode, url).toBe(200)
  await expect(buildApp({ agencies: { 'a b': solo(), a_b: solo() } })).rejects.toMatchObject({ code: 'DUPLICATE_NAME' })
  for (const name of ['tool', 'docs', 'redoc', 'openapi.json', 'get_logs', 'healthz', 'readyz', 'mcp', 'oauth'])
    await expect(buildApp({ agencies: { [name]: solo() } }), name).rejects.toMatchObject({ code: 'DUPLICATE_NAME' })
  await expect(buildApp({ tools: [echo, tool({ name: 'echo', execute: () => '' })] })).rejects.toMatchObject({
    code: 'DUPLICATE_NAME',
  })
})

test('a factory runs at start and per request, with the history', async () => {
  promise('A10')
  const upstream = await useUpstream(() => ({ text: 'Hi' }))
  const histories: unknown[] = []
  let broken = false
  const make = ({ loadThreads }: AgencyCallbacks) => {
    if (broken) throw new Error('database password hunter2')
    histories.push(loadThreads())
    return new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' }), { loadThreads })
  }
  const { url } = await startServer({ agencies: { solo: make } })
  expect(histories).toEqual([[]])
  const chat_history = [{ role: 'user', content: 'before', agent: 'Assistant', callerAgent: null, timestamp: 1 }]
  await post(`${url}/solo/get_response`, { message: 'now', chat_history })
  expect(histories).toEqual([[], chat_history])
  expect(upstream.seen[0]?.body.input).toHaveLength(2)
  broken = true
  const failed = await post(`${url}/solo/get_response`, message)
  expect(failed.status).toBe(500)
  expect(await failed.text()).not.toContain('hunter2')
  broken = false
  expect((await post(`${url}/solo/get_response`, message)).status).toBe(200)

  const own = () =>
    new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1' }), {
      loadThreads: () => [
        { role: 'user', content: 'from the store', agent: 'Assistant', callerAgent: null, timestamp: 1 },
      ],
    })
  const stored = await startServer({ agencies: { own } })
  await post(`${stored.url}/own/get_response`, { message: 'now', chat_history })
  expect(JSON.stringify(upstream.seen.at(-1)?.body.input)).toContain('from the store')
  expect(JSON.stringify(upstream.seen.at(-1)?.body.input)).not.toContain('before')
})

test('nothing to serve and unknown options are errors at start', async () => {
  promise('A11', 'A12')
  await expect(serve({})).rejects.toMatchObject({ code: 'NOTHING_TO_SERVE' })
  const wrong = (options: object) => serve({ agencies: { solo: solo() }, ...options })
  await expect(wrong({ app_token_env: 'X' })).rejects.toThrow(/Write "appTokenEnv"/)
  await expect(wrong({ frobnicate: 1 })).rejects.toThrow(/no option "frobnicate"/)
  await expect(wrong({ port: 70_000 })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(wrong({ limits: { bodyBytes: 'many' } })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  expect(() => new Agent({ name: 'A', model_settings: {} } as never)).toThrow(/Write "modelSettings"/)
  expect(() => new Agency(new Agent({ name: 'A' }), { shared_instructions: '' } as never)).toThrow(/sharedInstructions/)
})

test('a real model without a key is refused at start, naming both ways out', async () => {
  const before = process.env.OPENAI_API_KEY
  process.env.OPENAI_API_KEY = ''
  onTestFinished(() => {
    process.env.OPENAI_API_KEY = before ?? ''
  })
  const agency = new Agency(new Agent({ name: 'Real', model: 'gpt-4.1' }))
  await expect(serve({ agencies: { agency }, port: 0 })).rejects.toThrow(/OPENAI_API_KEY.*model: "demo"/)
})

test('a token protects agencies and tools before the body is read', async () => {
  promise('A3', 'E1')
  process.env.SERVING_TOKEN = 'correct horse'
  const app = await buildApp({ agencies: { solo: solo() }, tools: [echo], appTokenEnv: 'SERVING_TOKEN' })
  onTestFinished(() => app.close())
  const ask = (url: string, authorization?: string) =>
    app.inject({
      method: url.endsWith('metadata') ? 'GET' : 'POST',
      url,
      headers: { 'content-type': 'application/json', ...(authorization ? { authorization } : {}) },
      ...(url.endsWith('metadata') ? {} : { payload: '{broken' }),
    })
  const paths = [
    '/solo/get_response',
    '/solo/get_response_stream',
    '/solo/cancel_response_stream',
    '/solo/get_metadata',
    '/tool/echo',
  ]
  for (const path of paths) {
    for (const none of [undefined, 'Basic abc', 'Bearer', 'Bearer ', 'correct horse']) {
      const answer = await ask(path, none)
      expect(answer.statusCode, `${path} ${none}`).toBe(401)
      expect(answer.json()).toEqual({ detail: 'Not authenticated' })
      expect(answer.headers['www-authenticate']).toBe('Bearer')
    }
    const wrong = await ask(path, 'Bearer wrong')
    expect(wrong.json()).toEqual({ detail: 'Unauthorized' })
    expect(wrong.headers['www-authenticate']).toBeUndefined()
    for (const right of ['Bearer correct horse', 'bearer   correct horse', 'BEARER correct horse'])
      expect((await ask(path, right)).statusCode, right).toBe(path.endsWith('metadata') ? 200 : 422)
  }
  for (const variant of ['/SOLO/get_metadata', '//solo/get_metadata', '/solo/./get_metadata', '/solo%2Fget_metadata'])
    expect((await ask(variant)).body).not.toContain('Assistant')

  const lines: string[] = []
  const log = console.log
  console.log = (text: string) => lines.push(text)
  const loud = await serve({ agencies: { solo: solo() }, host: '127.0.0.1', port: 0 })
  console.log = log
  onTestFinished(() => loud.close())
  expect(lines.join('\n')).toContain('NO TOKEN IS SET')
  expect(lines.join('\n')).toContain('demo')
  expect(lines.join('\n').match(/curl/g)).toHaveLength(3)
})

test('a stop rejects new work, finishes runs and ends the rest', async () => {
  const go = Promise.withResolvers<void>()
  const waiting = Promise.withResolvers<void>()
  await useUpstream((_body, index) => (index === 0 ? { calls: [{ name: 'wait', arguments: {} }] } : { text: 'Done' }))
  const wait = tool({
    name: 'wait',
    execute: async () => {
      waiting.resolve()
      await go.promise
      return 'waited'
    },
  })
  const agency = new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [wait] }))
  const server = await startServer({ agencies: { solo: agency } })
  const running = post(`${server.url}/solo/get_response`, message)
  await waiting.promise
  const closed = server.close()
  await expect.poll(async () => (await post(`${server.url}/solo/get_response`, message)).status).toBe(503)
  go.resolve()
  expect(((await (await running).json()) as { response: string }).response).toBe('Done')
  await closed

  await useUpstream(() => ({ hang: true }))
  const hasty = await startServer({ agencies: { solo: agency }, limits: { drainMs: 0 } })
  const stream = await post(`${hasty.url}/solo/get_response_stream`, message)
  await hasty.close()
  const text = await stream.text()
  expect(text).toContain('shutting down')
  expect(text).toMatch(/event: messages\ndata: .*\n\nevent: end\ndata: \[DONE\]\n\n$/)
})
