import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { Validator } from '@seriousme/openapi-schema-validator'
import Fastify from 'fastify'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { Agency, Agent, BaseTool, buildApp, type ServeOptions, tool, toolFactory } from '../src/index.ts'
import { promise } from './promises.ts'
import { post, startServer, useUpstream } from './support/client.ts'
import { type Answer, type ApiDocument, Contract } from './support/contract.ts'
import { CLOSED, LeavingStore, templateOf, visitRuns } from './support/contract-runs.ts'
import { takeViolations } from './support/contract-setup.ts'
import { exchange, statusOf, toRequest } from './support/raw.ts'

const echo = tool({ name: 'echo', parameters: z.object({ text: z.string() }), execute: ({ text }) => text })
class Loud extends BaseTool.define({ text: z.string() }) {
  run() {
    if (this.text === '') throw new Error('nothing to say')
    return this.text.toUpperCase()
  }
}
const solo = () => new Agency(new Agent({ name: 'Assistant', model: 'demo' }))
const documentOf = async (options: ServeOptions): Promise<ApiDocument> => {
  const app = await buildApp(options)
  onTestFinished(() => app.close())
  const document = (await app.inject('/openapi.json')).json()
  expect(await new Validator().validate(structuredClone(document))).toMatchObject({ valid: true })
  return document
}

test.for([
  ['native', false],
  ['AG-UI', true],
] as const)('%s: the server can answer every documented status', async ([, enableAgui]) => {
  promise('B11', 'B10', 'E1')
  process.env.CONTRACT_TOKEN = 'open sesame'
  const logsDir = mkdtempSync(join(tmpdir(), 'contract-'))
  onTestFinished(() => rmSync(logsDir, { recursive: true, force: true }))
  await useUpstream(({ input }) => {
    const said = JSON.stringify(input)
    if (said.includes('hang')) return { hang: true }
    if (said.includes('Refund') && !said.includes('function_call_output'))
      return { calls: [{ name: 'refund', arguments: {} }] }
    return said.includes('fail') ? { status: 400, message: 'no' } : { text: '.' }
  })
  let broken = false
  const store = new LeavingStore()
  const { url, close } = await startServer({
    agencies: {
      solo: () => {
        if (broken) throw new Error('no database')
        const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
        const assistant = new Agent({ name: 'Assistant', model: 'gpt-4.1', tools: [refund] })
        return new Agency([assistant, new Agent({ name: 'Keyless', model: 'anthropic/claude-sonnet-4-5' })])
      },
    },
    keyPerRequest: true,
    runs: { store: store.store, webhooks: { trustedOrigins: [CLOSED] } },
    tools: [echo, Loud],
    appTokenEnv: 'CONTRACT_TOKEN',
    enableAgui,
    enableLogging: true,
    logsDir,
    rateLimit: { requests: 1, by: ({ headers }) => headers['x-caller'] ?? randomUUID() },
    limits: { bodyBytes: 260_000, heldBytes: 300_000, urlBytes: 200, drainMs: 200 },
  })
  const bearer = { authorization: 'Bearer open sesame' }
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as ApiDocument
  const seen = new Set<string>()
  const send = async (method: string, path: string, body: unknown, headers: Record<string, string> = bearer) => {
    const more = /^(POST|PATCH)$/.test(method) ? { body: JSON.stringify(body) } : {}
    const head = { 'content-type': 'application/json', ...headers }
    const answer = await fetch(url + path, { method, headers: head, ...more })
    seen.add(`${method.toLowerCase()} ${templateOf(path.split('?')[0] ?? '')} ${answer.status}`)
    return answer
  }
  const ask = async (...args: Parameters<typeof send>) => (await send(...args)).text()
  const toRun = (text: string) =>
    enableAgui ? { threadId: 't', runId: 'r', messages: [{ id: '1', role: 'user', content: text }] } : { message: text }
  const [plain, streamed, cancel] = ['/solo/get_response', '/solo/get_response_stream', '/solo/cancel_response_stream']

  await ask('POST', '/solo/threads', { thread_id: 'of-ticket' })
  const made = await send('POST', '/solo/tickets', { thread_id: 'of-ticket', verbs: ['post'] })
  const { ticket } = (await made.json()) as { ticket: string }
  for (const [path, operations] of Object.entries(paths))
    for (const method of Object.keys(operations).map((name) => name.toUpperCase())) {
      await ask(method, path, {}, {})
      await ask(method, path, {}, { authorization: `Bearer ${ticket}` })
      await ask(method, path, {})
      await ask(method, `${path}?${'x'.repeat(200)}`, {})
      for (const _ of [1, 2]) await ask(method, path, {}, { 'x-caller': path })
      if (method !== 'POST' && method !== 'PATCH') continue
      const unexpected = await exchange(url, toRequest(path, '{}', { ...bearer, Expect: '200-ok' }, method))
      seen.add(`${method.toLowerCase()} ${path} ${statusOf(unexpected)}`)
      await ask(method, path, {}, { ...bearer, 'content-encoding': 'gzip' })
      for (const length of [250_000, 270_000]) await ask(method, path, { text: 'x'.repeat(length) }) // too much at once; too much
    }
  await visitRuns({
    store,
    send: (method, path, body, headers) => send(method, `/solo${path}`, body ?? {}, { ...bearer, ...headers }),
  })
  for (const text of ['', 'hello']) for (const name of ['echo', 'Loud']) await ask('POST', `/tool/${name}`, { text })
  for (const id of ['one', 'two']) await ask('POST', streamed, toRun('go'), { ...bearer, 'x-agency-log-id': id })
  const readLogs = async (byBody: string, byQuery: string) => {
    await ask('POST', '/get_logs', { log_id: byBody })
    await ask('GET', `/get_logs?log_id=${byQuery}`, undefined)
  }
  for (const [byBody, byQuery] of [
    ['', ''],
    ['unknown', 'unknown'],
    ['one', 'two'],
  ] as const)
    await readLogs(byBody, byQuery)
  await ask('GET', '/get_logs?log_id=one', undefined, { ...bearer, 'sec-fetch-site': 'cross-site' })
  rmSync(logsDir, { recursive: true })
  writeFileSync(logsDir, 'no folder')
  await readLogs('unreadable', 'unreadable')
  broken = true
  await ask('POST', streamed, toRun('go'))
  broken = false
  const hanging = await send('POST', streamed, toRun('hang'))
  if (!enableAgui) {
    for (const text of ['go', 'fail']) await ask('POST', plain, toRun(text))
    await ask('POST', cancel, { run_id: 'unknown' })
    const reader = (await send('POST', streamed, toRun('hang'))).body?.getReader()
    const run_id = /"run_id":"([^"]+)"/.exec(new TextDecoder().decode((await reader?.read())?.value))?.[1]
    await ask('POST', cancel, { run_id })
  }
  const closed = close()
  await expect.poll(() => ask('POST', streamed, toRun('go'))).toContain('shutting down')
  if (!enableAgui) await ask('POST', plain, toRun('go'))
  await ask('GET', '/readyz', undefined)
  await hanging.text()
  await closed
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, { responses }]) =>
      Object.keys(responses).map((status) => `${method} ${path} ${status}`),
    ),
  )
  expect([...seen].sort()).toEqual(documented.sort())
})

const REQUIRED = [{ HTTPBearer: [] }]
const OPTIONAL = [{ HTTPBearer: [] }, {}]

test.each<[string, Partial<ServeOptions> & { token?: string }, guarded: object[], metrics: object[] | undefined]>([
  ['no token', {}, OPTIONAL, undefined],
  ['no token and metrics', { metrics: true }, OPTIONAL, OPTIONAL],
  ['no token and open metrics', { metrics: true, metricsOpen: true }, OPTIONAL, []],
  ['a token', { token: 'secret' }, REQUIRED, undefined],
  ['a token and metrics', { token: 'secret', metrics: true }, REQUIRED, REQUIRED],
  ['a token and open metrics', { token: 'secret', metrics: true, metricsOpen: true }, REQUIRED, []],
  ['no token and AG-UI', { enableAgui: true }, OPTIONAL, undefined],
])('every operation says whether it takes a token: with %s', async (_name, { token, ...options }, guarded, metrics) => {
  promise('B11')
  vi.stubEnv('CONTRACT_TOKEN', token ?? '')
  onTestFinished(() => void vi.unstubAllEnvs())
  const { paths, components } = await documentOf({
    agencies: { solo: solo() },
    tools: [echo],
    enableLogging: true,
    appTokenEnv: 'CONTRACT_TOKEN',
    ...options,
  })
  for (const [path, operations] of Object.entries(paths))
    for (const operation of Object.values(operations)) {
      const { security } = operation as unknown as { security: unknown }
      const [first, ...rest] = security as object[]
      const takesTickets = isDeepStrictEqual(first, { Ticket: [] })
      const rules = takesTickets ? rest : security
      expect(rules, path).toEqual(/z$/.test(path) ? [] : path === '/metrics' ? metrics : guarded)
      const statuses = Object.keys(operation.responses)
      expect(statuses.includes('401'), path).toBe(takesTickets || isDeepStrictEqual(security, REQUIRED))
      expect(statuses.includes('403'), path).toBe(!isDeepStrictEqual(security, []))
    }
  expect(components).toHaveProperty('securitySchemes.HTTPBearer')
})

test('every operation has a unique id', async () => {
  promise('B11')
  const rival = tool({ name: 'solo_get_response', execute: () => '' })
  const logs = tool({ name: 'get_logs', execute: () => '' })
  const { paths } = await documentOf({
    agencies: { solo: solo(), 'a-b': solo(), 'a b': solo() },
    tools: [rival, logs],
    enableLogging: true,
  })
  const ids = Object.values(paths).flatMap((operations) =>
    Object.values(operations).map((operation) => (operation as unknown as { operationId: string }).operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
  expect(paths['/tool/solo_get_response']?.post).toMatchObject({ operationId: 'solo_get_response' })
})

test('the examples of a stream are of its schema, one for every kind of event', async () => {
  promise('B11')
  const document = await documentOf({ agencies: { solo: solo() } })
  const media = document.paths['/solo/get_response_stream']?.post?.responses[200]?.content?.['text/event-stream']
  const { examples } = media as { examples: { [name: string]: { value: { event: string; data: string } } } }
  const contract = new Contract(document)
  const types = new Set<string>()
  for (const [name, { value }] of Object.entries(examples)) {
    expect(contract.judge({ ...STREAM, body: value }), name).toBeUndefined()
    types.add(value.event)
    if (value.event === 'message') types.add(JSON.parse(value.data).data?.type ?? 'tripped')
  }
  const { discriminator } = document.components.schemas.StreamEvent as { discriminator: { mapping: object } }
  expect([...types].sort()).toEqual(
    ['meta', 'message', 'messages', 'end', 'tripped', ...Object.keys(discriminator.mapping)].sort(),
  )
})
const STREAM = { method: 'POST', path: '/solo/get_response_stream', status: 200, contentType: 'text/event-stream' }

test("a tool's declared result is in both documents", async () => {
  promise('B10', 'B11', 'F6')
  const sum = tool({
    name: 'sum',
    parameters: z.object({ a: z.number() }),
    returns: z.object({ sum: z.number() }),
    execute: ({ a }) => ({ sum: a }),
  })
  class Street extends BaseTool.define({ name: z.string() }) {
    static override returns = { type: 'string', minLength: 1 }
    run() {
      return this.name
    }
  }
  const served = await documentOf({ tools: [sum, Street] })
  const written: ApiDocument = JSON.parse(toolFactory.getOpenApiSchema([sum, Street], { url: 'https://a.example' }))
  for (const { paths, components } of [served, written]) {
    const answer = (name: string) => paths[`/tool/${name}`]?.post?.responses[200]?.content?.['application/json']
    const result = (name: string) => ({ $ref: `#/components/schemas/${name}Result` })
    expect(answer('sum')).toMatchObject({
      schema: { properties: { response: { anyOf: [result('sum'), { type: 'string' }] } } },
    })
    expect(answer('Street')).toMatchObject({ schema: { properties: { response: result('Street') } } })
    expect(components.schemas).toMatchObject({
      sumResult: { required: ['sum'] },
      StreetResult: { type: 'string', minLength: 1 },
    })
    expect(Object.keys(paths['/tool/Street']?.post?.responses ?? {})).toEqual(
      expect.arrayContaining(['200', '413', '422', '500']),
    )
    expect(components.schemas.sumRequest).toMatchObject({ additionalProperties: false })
    expect(components.schemas.Street).not.toHaveProperty('additionalProperties')
  }
  expect(written.paths['/tool/sum']?.post).toMatchObject({ security: [{ HTTPBearer: [] }], responses: { 401: {} } })
})

test('tools accept what their schemas allow, in any form', async () => {
  promise('B10', 'C18')
  const parameters = z.object({ text: z.string(), count: z.int().optional() })
  const strict = tool({ name: 'strict', parameters, execute: (input) => input })
  const open = tool({ name: 'open', parameters: z.looseObject({ text: z.string() }), execute: (input) => input })
  const union = tool({
    name: 'union',
    parameters: {
      type: 'object',
      properties: { a: { not: { type: 'string' } } },
      required: ['a'],
    },
    execute: (input) => input,
  })
  class Plain extends BaseTool.define({ text: z.string(), count: z.int().optional() }) {
    run() {
      return { text: this.text, count: this.count ?? null }
    }
  }
  class Unspeakable extends BaseTool.define({}) {
    run() {
      return new Response()
    }
  }
  const { url } = await startServer({ tools: [strict, open, union, Plain, Unspeakable] })
  const ask = async (name: string, body: unknown, headers = {}) => {
    const answer = await post(`${url}/tool/${name}`, body, headers)
    const said = (await answer.json()) as { response?: unknown; detail?: { type: string; loc: unknown[] }[] }
    return answer.status === 422 ? said.detail?.map(({ type, loc }) => `${type} ${loc.join('.')}`) : said
  }
  const text = 'x'
  expect(await ask('strict', { text, count: null })).toEqual(['int_type body.count'])
  expect(await ask('Plain', { text, count: null })).toEqual(['int_type body.count'])
  expect(await ask('strict', { text, more: 1 })).toEqual(['extra_forbidden body.more'])
  expect(await ask('open', { text, more: 1 })).toEqual({ response: { text, more: 1 } })
  expect(await ask('Plain', { text, more: 1 })).toEqual({ response: { text, count: null } })
  expect(await ask('Plain', { text, count: '12345' })).toEqual({ response: { text, count: 12_345 } })
  expect(await ask('Plain', { text, count: true })).toEqual({ response: { text, count: 1 } })
  expect(await ask('strict', { text, count: '12.5' })).toEqual(['int_parsing body.count'])
  for (const name of ['strict', 'Plain']) {
    expect(await ask(name, '')).toEqual(['missing body'])
    for (const odd of ['null', '[]', '"text"', '7'])
      expect(await ask(name, odd)).toEqual(['model_attributes_type body'])
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect(await ask(name, { text }, { 'content-type': type })).toEqual(['model_attributes_type body'])
    expect(await ask(name, '{"text": ')).toEqual([expect.stringMatching(/^json_invalid body\.\d+$/)])
    expect(await ask(name, {})).toEqual(['missing body.text'])
  }
  for (const a of [1, '', null])
    expect(await ask('union', { a }), 'not expressible: unchecked').toEqual({ response: { a } })
  expect(await ask('Unspeakable', {})).toEqual({ Error: expect.stringContaining('Response') })
})

test('the checker finds every kind of answer that a document does not say', async () => {
  const document = await documentOf({ agencies: { solo: solo(), 'R&D': solo() }, tools: [echo] })
  const contract = new Contract(document)
  const json = { contentType: 'application/json' }
  const call = { method: 'POST', path: '/tool/echo', ...json }
  const good: Answer[] = [
    { ...call, status: 200, body: { response: 'x' } },
    { ...call, status: 422, body: { detail: [{ type: 'missing', loc: ['body', 0], msg: 'm', input: null }] } },
    { method: 'PUT', path: '/tool/echo', status: 405, allow: 'POST', ...json },
    { method: 'OPTIONS', path: '/tool/echo', status: 200, preflight: true, contentType: 'text/plain' },
    { method: 'HEAD', path: '/R&D/get_metadata', status: 200, ...json },
    { method: 'GET', path: '/nowhere', status: 404, ...json },
    { method: 'GET', path: '/docs', status: 200, contentType: 'text/html; charset=utf-8' },
    { ...STREAM, body: { event: 'message', data: '{"error":"e"}' } },
    { ...STREAM, body: { event: 'end', data: '[DONE]' } },
  ]
  const bad: Answer[] = [
    { ...call, status: 418 },
    { ...call, status: 401, body: { detail: 'no' } },
    { ...call, status: 200, body: { answer: 'x' } },
    { ...call, status: 200, body: { response: 'x', more: 1 } },
    { ...call, status: 200, contentType: 'text/html' },
    { ...call, status: 422, body: { detail: 'a sentence' } },
    { ...call, status: 422, body: { detail: [{ type: 'missing', loc: [{}], msg: 'm' }] } },
    { method: 'PUT', path: '/tool/echo', status: 405, allow: 'GET, POST', ...json },
    { method: 'PUT', path: '/tool/echo', status: 200, ...json },
    { method: 'GET', path: '/nowhere', status: 200, ...json },
    { ...STREAM, body: { event: 'message', data: '{"data":{"type":"error"}}' } },
    { ...STREAM, body: { event: 'message', data: '{"data":{"type":"unknown","content":"c"}}' } },
    { ...STREAM, body: { event: 'news', data: '{}' } },
    { ...STREAM, body: { event: 'end', data: 'DONE' } },
  ]
  for (const answer of good) expect(contract.judge(answer), JSON.stringify(answer)).toBeUndefined()
  for (const answer of bad) expect(contract.judge(answer), JSON.stringify(answer)).toMatch(/^[A-Z]+ \//)
})

test('a response outside the document is noticed', async () => {
  const document = await documentOf({ agencies: { solo: solo() }, tools: [echo] })
  const liar = Fastify()
  onTestFinished(() => liar.close())
  liar.get('/api/openapi.json', () => document)
  liar.post('/api/tool/echo', (_request, reply) => reply.code(201).send({ created: true }))
  liar.get('/api/solo/get_metadata', () => ({ nodes: [] }))
  liar.post('/api/solo/get_response_stream', (_request, reply) => {
    reply.hijack()
    reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
    reply.raw.write('event: meta\ndata: {"run')
    reply.raw.end('Id":"1"}\n\n')
  })
  liar.get('/elsewhere', () => 'not the API')
  const url = await liar.listen({ host: '127.0.0.1', port: 0 })
  await fetch(`${url}/elsewhere`)
  expect(takeViolations()).toEqual([])
  await (await post(`${url}/api/tool/echo`, { text: 'x' })).text()
  await (await fetch(`${url}/api/solo/get_metadata`)).text()
  await (await post(`${url}/api/solo/get_response_stream`, { message: 'x' })).text()
  expect(takeViolations()).toEqual([
    'POST /tool/echo 201: the status is not documented',
    expect.stringMatching(/^GET \/solo\/get_metadata 200: .*must have required property 'edges'/),
    expect.stringMatching(/^POST \/solo\/get_response_stream 200: .*must have required property 'run_id'/),
  ])
})

test('arguments are converted as in Pydantic, also nullable ones', async () => {
  promise('B10', 'C18')
  const fields = {
    n: z.int().nullable(),
    flag: z.boolean(),
    place: z.object({ number: z.int() }).nullable(),
  }
  class Lax extends BaseTool.define(fields) {
    run() {
      return { n: this.n, flag: this.flag, place: this.place }
    }
  }
  const { url } = await startServer({ tools: [Lax] })
  const ask = async (body: unknown) => {
    const answer = await post(`${url}/tool/Lax`, body)
    return (await answer.json()) as { response?: unknown; detail?: { type: string; loc: unknown[]; input: unknown }[] }
  }
  for (const [flag, taken] of [
    ['yes', true],
    ['ON', true],
    ['1', true],
    [1, true],
    ['f', false],
    ['off', false],
    [0, false],
  ])
    expect(await ask({ n: '5', flag, place: { number: '7' } })).toEqual({
      response: { n: 5, flag: taken, place: { number: 7 } },
    })
  expect(await ask({ n: '5.0', flag: true, place: null })).toEqual({ response: { n: 5, flag: true, place: null } })
  const { detail } = await ask({ n: '11', flag: 'maybe', place: { number: 'x' } })
  expect(detail).toMatchObject([
    { type: 'bool_parsing', loc: ['body', 'flag'], input: 'maybe' },
    { type: 'int_parsing', loc: ['body', 'place', 'number'], input: 'x' },
  ])
  expect((await ask({ n: '11', flag: 1 })).detail).toMatchObject([
    { type: 'missing', loc: ['body', 'place'], input: { n: '11', flag: 1 } },
  ])
})
