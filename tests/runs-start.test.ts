/** Starting runs and reading their state (docs/runs.md). */

import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { agencySwarm } from '../src/fastify.ts'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, useUpstream } from './support/client.ts'
import { agency, gate, kinds, openStore, RunsApi, readAll, STORES, serveRuns, textOf } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

test.for(STORES)('%s: a started run answers 202 with its whole state', async (kind) => {
  promise('H1')
  const open = gate()
  const wait = tool({ name: 'wait', execute: () => open.promise.then(() => 'done') })
  await useUpstream((_, index) => (index === 0 ? call('wait') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [wait] }, runs: { store: openStore(kind) } })
  const { status, headers, body } = await api.post('/runs', { message: 'Hi', metadata: { channel: 'web' } })
  expect(status).toBe(202)
  expect(headers.get('location')).toBe(`/support/runs/${body.run_id}`)
  expect(headers.get('idempotent-replayed')).toBeNull()
  expect(body).toEqual({
    run_id: expect.stringMatching(/^[\w-]{36}$/),
    agency: 'support',
    thread_id: null,
    status: 'queued',
    queue_position: null,
    recipient_agent: 'CEO',
    attempt: 0,
    recoverable: true,
    last_event_id: expect.any(Number),
    created_at: expect.stringMatching(ISO),
    start_at: null,
    started_at: null,
    ended_at: null,
    required_action: null,
    response: null,
    new_messages: null,
    usage: null,
    error: null,
    metadata: { channel: 'web' },
  })
  await expect.poll(async () => (await api.get(`/runs/${body.run_id}`)).body.status).toBe('in_progress')
  const working = (await api.get(`/runs/${body.run_id}`)).body
  expect(working).toMatchObject({ attempt: 1, started_at: expect.stringMatching(ISO), ended_at: null, response: null })
  open.resolve()
  const ended = await api.settled(body.run_id)
  expect(ended).toMatchObject({
    status: 'completed',
    response: 'Bye',
    attempt: 1,
    ended_at: expect.stringMatching(ISO),
    usage: { request_count: 2 },
    error: null,
    metadata: { channel: 'web' },
  })
  expect(ended.new_messages.map(({ type }: { type: string }) => type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
    'message',
  ])
})

test('an ended run carries what get_response answers', async () => {
  promise('H1', 'H2')
  await useUpstream(({ text }) =>
    JSON.stringify(text ?? '').includes('chat_name') ? { text: '{"chat_name":"Order Seventeen"}' } : { text: 'Hello' },
  )
  const { api } = await serveRuns()
  const body = { message: 'Hi', generate_chat_name: true }
  const { body: answer } = await postAndRead(`${api.base}/get_response`, body)
  const run = await api.run(body)
  expect(Object.keys(answer).sort()).toEqual(['chat_name', 'new_messages', 'response', 'usage'])
  expect([run.response, run.chat_name, run.usage]).toEqual([answer.response, answer.chat_name, answer.usage])
  expect(run.new_messages.map(({ content }: { content: unknown }) => content)).toEqual(
    answer.new_messages.map(({ content }: { content: unknown }) => content),
  )
})

test('?wait answers when the run ends, or after its time', async () => {
  promise('H1')
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'done') })
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const { run_id } = await api.start({ message: 'Hi' })
  const began = performance.now()
  expect((await api.get(`/runs/${run_id}?wait=1`)).body.status).toBe('in_progress')
  expect(performance.now() - began).toBeGreaterThan(990)
  const ended = api.get(`/runs/${run_id}?wait=60`)
  await sleep(20)
  open.resolve()
  expect((await ended).body).toMatchObject({ status: 'completed', response: 'Bye' })
})

test('with stream the answer is 200 and the events from the first', async () => {
  await useUpstream(() => ({ text: 'Hello', deltas: 3 }))
  const { api } = await serveRuns()
  const response = await api.fetch('POST', '/runs', { message: 'Hi', stream: true })
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const frames = await readAll(response)
  const { run_id } = frames[0]?.data ?? {}
  expect(response.headers.get('location')).toBe(`/support/runs/${run_id}`)
  expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
  expect(kinds(frames)[0]).toBe('meta')
  expect(kinds(frames).slice(-2)).toEqual(['messages', 'end'])
  expect(textOf(frames)).toBe('0 1 2 ')
  expect((await api.get(`/runs/${run_id}`)).body).toMatchObject({ status: 'completed', last_event_id: frames.length })
})

test('a failure of the model ends the run as failed, with its code', async () => {
  promise('H2')
  await useUpstream(() => ({ status: 400, message: 'secret of the provider' }))
  const { api } = await serveRuns()
  const run = await api.run({ message: 'Hi' })
  expect(run).toMatchObject({ status: 'failed', response: null, error: { code: 'MODEL_FAILED' } })
  expect(run.error.message).not.toContain('secret')
  const exposed = await serveRuns({ exposeErrors: true })
  expect((await exposed.api.run({ message: 'Hi' })).error.message).toContain('secret of the provider')
})

test('a run at its bound of turns is incomplete, and says so', async () => {
  promise('H2')
  const noop = tool({ name: 'noop', execute: () => 'ok' })
  await useUpstream(() => call('noop'))
  const { api } = await serveRuns({ agent: { tools: [noop] }, maxTurns: 5 })
  const run = await api.run({ message: 'Hi', max_turns: 2 })
  expect(run).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_turns' }, error: null })
  expect(run.usage.request_count).toBe(2)
})

test('a tripped guardrail fails the run', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({
    agent: {
      inputGuardrails: [() => ({ tripwire: true, guidance: 'Be nice' })],
      raiseInputGuardrailError: true,
    },
  })
  const run = await api.run({ message: 'Hi' })
  expect(run).toMatchObject({ status: 'failed', error: { code: 'GUARDRAIL_TRIPPED' } })
})

test('files that fail end the run as failed, after its meta frame', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const frames = await readAll(
    await api.fetch('POST', '/runs', {
      message: 'Hi',
      stream: true,
      file_urls: { 'a.txt': 'http://127.0.0.1:9/a.txt' },
    }),
  )
  expect(kinds(frames)).toEqual(['meta', 'error', 'messages', 'end'])
  const { body } = await api.get(`/runs/${frames[0]?.data.run_id}`)
  expect(body).toMatchObject({ status: 'failed', error: { code: 'FILE_FAILED' }, new_messages: [] })
})

test('a factory that fails while the run starts fails the run', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  let broken = false
  const { api } = await serveRuns({
    agencies: {
      support: () => {
        if (broken) throw new Error('no database')
        return agency()
      },
    },
  })
  broken = true
  const run = await api.run({ message: 'Hi' })
  expect(run).toMatchObject({ status: 'failed', error: { code: 'FACTORY_FAILED' } })
  expect(kinds(await api.frames(run.run_id)).at(-1)).toBe('end')
})

test('the address of a run has the prefix of the plugin', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const app = Fastify({ routerOptions: { maxParamLength: 256 } })
  await app.register(agencySwarm, { prefix: '/ai', agencies: { support: agency() } })
  onTestFinished(() => app.close())
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  const api = new RunsApi(`${url}/ai/support`)
  const { headers, body } = await api.post('/runs?x=1', { message: 'Hi' })
  expect(headers.get('location')).toBe(`/ai/support/runs/${body.run_id}`)
  const followed = await fetch(url + headers.get('location'))
  expect(((await followed.json()) as { run_id: string }).run_id).toBe(body.run_id)
})

test.for(['R&D', 'Kundendienst Süd', 'a+b'])('an agency named %s has runs and threads', async (name) => {
  await useUpstream(() => ({ text: 'Hello' }))
  const segment = encodeURIComponent(name.replaceAll(' ', '_'))
  const { url } = await serveRuns({ agencies: { [name]: agency() } })
  const api = new RunsApi(`${url}/${segment}`)
  const { headers, body } = await api.post('/runs', { message: 'Hi', thread_id: 't' })
  expect(headers.get('location')).toBe(`/${segment}/runs/${body.run_id}`)
  expect(body.agency).toBe(segment)
  expect((await api.settled(body.run_id)).response).toBe('Hello')
  expect((await api.get('/threads/t/messages')).body.data).toHaveLength(2)
  expect((await api.ask('PUT', `/runs/${body.run_id}`, {})).headers.get('allow')).toBe('DELETE, GET')
})

test('other methods get 405 with the methods there are', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api, url } = await serveRuns()
  const expected: [path: string, allow: string][] = [
    ['/runs', 'GET, POST'],
    ['/runs/r', 'DELETE, GET'],
    ['/runs/r/events', 'GET'],
    ['/runs/r/cancel', 'POST'],
    ['/runs/r/approvals/a', 'POST'],
    ['/approvals', 'GET'],
    ['/threads', 'GET, POST'],
    [`/threads/${'t'.repeat(256)}`, 'DELETE, GET, PATCH'],
    ['/threads/t/messages', 'GET'],
    ['/threads/t/stream', 'GET'],
  ]
  for (const [path, allow] of expected) {
    const { status, headers } = await api.ask('PUT', path, {})
    expect([path, status, headers.get('allow')]).toEqual([path, 405, allow])
    const head = await api.fetch('HEAD', path)
    expect([path, head.status]).toEqual([path, 405])
  }
  const moved = await fetch(`${url}/support/runs/r/`, { redirect: 'manual' })
  expect([moved.status, moved.headers.get('location')]).toEqual([307, `${url}/support/runs/r`])
  expect((await api.get('/runs/r/elsewhere')).status).toBe(404)
})

test('pages of other origins may read the headers of answers', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ corsOrigins: ['*'] })
  const exposed = 'Location, Content-Location, Idempotent-Replayed, Retry-After'
  const page = { origin: 'https://app.example' }
  const answers = [
    await api.post('/runs', { message: 'Hi' }, page),
    await api.get('/runs/unknown', page),
    await api.post('/runs', {}, page),
  ]
  for (const { headers } of answers) expect(headers.get('access-control-expose-headers')).toBe(exposed)
  const stream = await api.fetch('POST', '/runs', { message: 'Hi', stream: true }, page)
  expect(stream.headers.get('access-control-expose-headers')).toBe(exposed)
  await readAll(stream)
  const closed = await serveRuns({ corsOrigins: ['https://other.example'] })
  expect((await closed.api.get('/runs', page)).headers.get('access-control-expose-headers')).toBeNull()
})

test('two agents: a run is addressed to the one that it names', async () => {
  await useUpstream(({ instructions }) => ({ text: String(instructions) }))
  const ceo = new Agent({ name: 'CEO', instructions: 'I lead', model: 'gpt-4.1' })
  const clerk = new Agent({ name: 'Clerk', instructions: 'I file', model: 'gpt-4.1' })
  const { api } = await serveRuns({ agencies: { support: new Agency([ceo, clerk]) } })
  const run = await api.run({ message: 'Hi', recipient_agent: 'Clerk' })
  expect(run.recipient_agent).toBe('Clerk')
  expect(run.response).toContain('I file')
})
