/** Threads over HTTP: conversations that the server keeps, and what happens when one is busy. */

import { expect, test } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { postAndRead, useUpstream } from './support/client.ts'
import { gate, type Json, kinds, openStore, type RunFrame, readAll, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const texts = (messages: Json[]) =>
  messages.map(({ content, role }) => [role, typeof content === 'string' ? content : content?.[0]?.text])

test.for(STORES)('%s: runs of a thread see what the earlier ones said', async (kind) => {
  promise('I1')
  const upstream = await useUpstream((_, index) => ({ text: `Answer ${index}` }))
  const { api } = await serveRuns({ runs: { store: openStore(kind) } })
  await api.run({ message: 'One', thread_id: 't-42' })
  const run = await api.run({ message: 'Two', thread_id: 't-42' })
  expect(run.thread_id).toBe('t-42')
  expect(run.new_messages).toHaveLength(2)
  expect(JSON.stringify(upstream.seen[1]?.body.input)).toMatch(/One.*Answer 0.*Two/)
  const { body } = await api.get('/threads/t-42/messages')
  expect(body).toMatchObject({ has_more: false, next: null })
  expect(texts(body.data)).toEqual([
    ['user', 'One'],
    ['assistant', 'Answer 0'],
    ['user', 'Two'],
    ['assistant', 'Answer 1'],
  ])
  expect(body.data.slice(2)).toEqual(run.new_messages)
})

test('a thread has a state, and says which run is active', async () => {
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'done') })
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const { run_id } = await api.start({ message: 'Hi', thread_id: 't' })
  await expect.poll(async () => (await api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3)
  const busy = await api.get('/threads/t')
  expect(busy.body).toEqual({
    thread_id: 't',
    status: 'busy',
    active_run_id: run_id,
    message_count: expect.any(Number),
    created_at: expect.stringMatching(/Z$/),
    updated_at: expect.stringMatching(/Z$/),
    metadata: {},
  })
  const { body: half } = await api.get('/threads/t/messages')
  expect(half.data.filter(({ type }: Json) => type === 'function_call')).toEqual([])
  open.resolve()
  await api.settled(run_id)
  expect((await api.get('/threads/t')).body).toMatchObject({ status: 'idle', active_run_id: null, message_count: 4 })
})

test('a thread can be made with messages, and exported again', async () => {
  promise('I2')
  const upstream = await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { body: answer } = await postAndRead(`${api.base}/get_response`, { message: 'Old' })
  const made = await api.post('/threads', { thread_id: 't', messages: answer.new_messages, metadata: { from: 'web' } })
  expect(made.status).toBe(201)
  expect(made.headers.get('location')).toBe('/support/threads/t')
  expect(made.body).toMatchObject({ thread_id: 't', status: 'idle', message_count: 2, metadata: { from: 'web' } })
  expect((await api.get('/threads/t/messages')).body.data).toEqual(answer.new_messages)
  await api.run({ message: 'New', thread_id: 't' })
  expect(JSON.stringify(upstream.seen[1]?.body.input)).toMatch(/Old.*Hello.*New/)
  const { body: exported } = await api.get('/threads/t/messages')
  const again = await postAndRead(`${api.base}/get_response`, { message: 'More', chat_history: exported.data })
  expect(again.status).toBe(200)
})

test('the metadata of a thread is changed entry by entry', async () => {
  promise('I2')
  const { api } = await serveRuns({ agent: { model: 'demo' } })
  await api.post('/threads', { thread_id: 't', metadata: { title: 'Old', from: 'web' } })
  const change = async (body: Json): Promise<Json> => (await api.fetch('PATCH', '/threads/t', body)).json()
  expect(await change({ metadata: { title: 'New', from: null } })).toMatchObject({
    thread_id: 't',
    metadata: { title: 'New' },
  })
  expect((await api.get('/threads/t')).body.metadata).toEqual({ title: 'New' })
  for (const body of [{}, { metadata: { title: 5 } }, { metadata: { title: 'x'.repeat(513) } }])
    expect((await change(body)).detail[0].loc.slice(0, 2)).toEqual(['body', 'metadata'])
  const many = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`n${n}`, '']))
  expect((await change({ metadata: many })).detail[0]).toMatchObject({
    loc: ['body', 'metadata'],
    msg: 'Value error, metadata has at most 16 entries. Remove one by setting it to null.',
  })
  expect((await api.fetch('PATCH', '/threads/unknown', { metadata: {} })).status).toBe(404)
})

test('a message that names no agent is of the conversation with the user', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  await api.post('/threads', { thread_id: 't', messages: [{ role: 'user', content: 'Old' }] })
  expect((await api.get('/threads/t/messages')).body.data).toEqual([
    { role: 'user', content: 'Old', agent: 'CEO', callerAgent: null, timestamp: expect.any(Number) },
  ])
})

test('a thread is made with an id of its own when none is given', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (const body of [undefined, {}, { thread_id: null }]) {
    const made = await api.post('/threads', body)
    expect([made.status, made.headers.get('location')]).toEqual([201, `/support/threads/${made.body.thread_id}`])
  }
  const twice = await Promise.all([1, 2, 3].map(() => api.post('/threads', { thread_id: 'mine' })))
  expect(twice.map(({ status }) => status).sort()).toEqual([201, 409, 409])
  expect(twice.find(({ status }) => status === 409)?.body.code).toBe('THREAD_EXISTS')
})

test('an unknown thread is made, or refused on request', async () => {
  promise('I1')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const refused = await api.post('/runs', { message: 'Hi', thread_id: 't', if_not_exists: 'reject' })
  expect([refused.status, refused.body.code]).toEqual([404, 'NOT_FOUND'])
  expect((await api.get('/threads/t')).status).toBe(404)
  await api.run({ message: 'Hi', thread_id: 't', if_not_exists: 'create' })
  await api.run({ message: 'Hi', thread_id: 't', if_not_exists: 'reject' })
})

test('reject refuses a run on a busy thread and names the live one', async () => {
  promise('I3')
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const { run_id } = await api.start({ message: 'Hi', thread_id: 't' })
  const body = { message: 'No', thread_id: 't', multitask_strategy: 'reject' }
  const refused = await api.post('/runs', body)
  expect([refused.status, refused.body.code, refused.body.run_id]).toEqual([409, 'THREAD_BUSY', run_id])
  await api.post(`/runs/${run_id}/cancel`)
  expect((await api.post('/runs', body)).status).toBe(202)
})

test('enqueue: many posts at once run in the order of admission', async () => {
  promise('I3')
  const upstream = await useUpstream((_, index) => ({ text: `Answer ${index}` }))
  const { api } = await serveRuns()
  const started = await Promise.all(
    Array.from({ length: 12 }, (_, index) => api.start({ message: `m${index}`, thread_id: 't' })),
  )
  for (const { run_id } of started) expect((await api.settled(run_id)).status).toBe('completed')
  const { body } = await api.get('/threads/t/messages?limit=100')
  const said = texts(body.data)
  expect(said.map(([role]) => role)).toEqual(Array.from({ length: 12 }, () => ['user', 'assistant']).flat())
  const { body: runs } = await api.get('/runs?limit=100&thread_id=t')
  const ids = runs.data.map(({ run_id }: Json) => run_id).reverse()
  const inputs: { [id: string]: string } = {}
  for (const id of ids) inputs[id] = (await api.get(`/runs/${id}`)).body.new_messages[0].content
  expect(said.filter(([role]) => role === 'user').map(([, text]) => text)).toEqual(Object.values(inputs))
  expect(upstream.seen).toHaveLength(12)
})

test('a full queue answers 429 and when to come back', async () => {
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns({ limits: { threadQueue: 2 } })
  for (const _ of [1, 2, 3]) await api.start({ message: 'Hi', thread_id: 't' })
  const full = await api.post('/runs', { message: 'Hi', thread_id: 't' })
  expect([full.status, full.body.code]).toEqual([429, 'THREAD_QUEUE_FULL'])
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('too many queued runs of the server answer 503', async () => {
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns({ limits: { queuedRuns: 1 } })
  await api.start({ message: 'Hi', thread_id: 't' })
  await expect.poll(async () => (await api.get('/threads/t')).body.status).toBe('busy')
  await expect.poll(async () => (await api.get('/runs?status=queued')).body.data.length).toBe(0)
  await api.start({ message: 'Hi', thread_id: 't' })
  const full = await api.post('/runs', { message: 'Hi', thread_id: 't' })
  expect([full.status, full.body.code]).toEqual([503, 'OVERLOADED'])
  expect(Number(full.headers.get('retry-after'))).toBeGreaterThan(0)
})

test('interrupt stops the live run, which keeps what it finished', async () => {
  promise('I3')
  const note = tool({ name: 'note', execute: () => 'noted' })
  const upstream = await useUpstream(({ input }, index) => {
    if (index === 0) return call('note')
    return JSON.stringify(input).includes('Stop') ? { text: 'Stopped' } : { hang: true }
  })
  const { api } = await serveRuns({ agent: { tools: [note] } })
  const first = await api.start({ message: 'Work', thread_id: 't' })
  await expect.poll(() => upstream.seen.length).toBe(2)
  const queued = await api.start({ message: 'Stop too', thread_id: 't' })
  const last = await api.start({ message: 'Stop', thread_id: 't', multitask_strategy: 'interrupt' })
  expect(await api.settled(last.run_id)).toMatchObject({ status: 'completed' })
  const cut = await api.settled(first.run_id)
  expect(cut).toMatchObject({ status: 'cancelled' })
  expect(cut).not.toHaveProperty('rolled_back')
  const { body } = await api.get('/threads/t/messages')
  expect(body.data.filter(({ role }: Json) => role === 'user').map(({ content }: Json) => content)).toEqual([
    'Work',
    'Stop too',
    'Stop',
  ])
  expect(JSON.stringify(body.data)).toContain('noted')
  expect((await api.settled(queued.run_id)).status).toBe('completed')
})

test('rollback takes the messages of the live run out of the thread', async () => {
  promise('I3')
  const note = tool({ name: 'note', execute: () => 'noted' })
  const upstream = await useUpstream(({ input }, index) => {
    if (index === 0) return { text: 'Kept' }
    if (index === 1) return call('note')
    return JSON.stringify(input).includes('Instead') ? { text: 'Instead' } : { hang: true }
  })
  const { api } = await serveRuns({ agent: { tools: [note] } })
  await api.run({ message: 'First', thread_id: 't' })
  const second = await api.start({ message: 'Work', thread_id: 't' })
  await expect.poll(() => upstream.seen.length).toBe(3)
  const last = await api.start({ message: 'Instead', thread_id: 't', multitask_strategy: 'rollback' })
  expect(await api.settled(last.run_id)).toMatchObject({ status: 'completed' })
  expect(await api.settled(second.run_id)).toMatchObject({ status: 'cancelled', rolled_back: true })
  expect(texts((await api.get('/threads/t/messages')).body.data)).toEqual([
    ['user', 'First'],
    ['assistant', 'Kept'],
    ['user', 'Instead'],
    ['assistant', 'Instead'],
  ])
  expect(JSON.stringify(upstream.seen.at(-1)?.body.input)).not.toContain('Work')
})

test.for(['interrupt', 'rollback'])('%s ends the stream of a run that nobody works on', async (strategy) => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream(({ input }) => (/Refund/.test(JSON.stringify(input)) ? call('refund') : { text: 'Fine' }))
  const { api } = await serveRuns({ agent: { tools: [refund] } })
  const paused = await api.run({ message: 'Refund', thread_id: 't' })
  expect(paused.status).toBe('requires_action')
  const next = await api.start({ message: 'Never mind', thread_id: 't', multitask_strategy: strategy })
  const frames = await api.frames(paused.run_id)
  expect(kinds(frames).slice(-2)).toEqual(['messages', 'end'])
  expect(frames.at(-2)?.data).toMatchObject({ cancelled: true, run_id: paused.run_id })
  const run = (await api.get(`/runs/${paused.run_id}`)).body
  expect(run).toMatchObject({ status: 'cancelled', new_messages: expect.any(Array) })
  expect(run.usage.request_count).toBe(1)
  expect(await api.settled(next.run_id)).toMatchObject(
    strategy === 'rollback' ? { response: 'Fine' } : { status: 'requires_action' },
  )
})

test('the stream of a thread is that of its live run, from the first frame', async () => {
  promise('I2')
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'done') })
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  expect((await api.get('/threads/t/stream')).status).toBe(204)
  const { run_id } = await api.start({ message: 'Hi', thread_id: 't' })
  const response = await api.fetch('GET', '/threads/t/stream', undefined, { 'last-event-id': '9999' })
  expect(response.headers.get('content-location')).toBe(`/support/runs/${run_id}`)
  const streamed = readAll(response)
  await expect.poll(async () => (await api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3)
  open.resolve()
  const frames: RunFrame[] = await streamed
  expect(frames).toEqual(await api.frames(run_id))
  expect((await api.get('/threads/t/stream')).status).toBe(204)
  expect((await api.get('/threads/t/stream?view=nope')).body.detail[0].loc).toEqual(['query', 'view'])
})

test('a thread with a live run is not deleted, an idle one goes with its runs', async () => {
  promise('I2')
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const { run_id } = await api.start({ message: 'Hi', thread_id: 't' })
  for (const path of ['/threads/t', `/runs/${run_id}`]) {
    const { status, body } = await api.delete(path)
    expect([status, body.code, body.run_id]).toEqual([409, 'RUN_ACTIVE', run_id])
  }
  await api.post(`/runs/${run_id}/cancel`)
  expect((await api.delete('/threads/t')).status).toBe(204)
  for (const path of ['/threads/t', '/threads/t/messages', `/runs/${run_id}`, `/runs/${run_id}/events`])
    expect((await api.get(path)).status).toBe(404)
  expect((await api.delete('/threads/t')).status).toBe(404)
})

test('a run is deleted once, and its messages stay in the thread', async () => {
  promise('H12')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi', thread_id: 't' })
  const answers = await Promise.all([1, 2, 3].map(() => api.delete(`/runs/${run_id}`)))
  expect(answers.map(({ status }) => status).sort()).toEqual([204, 404, 404])
  expect((await api.get('/threads/t/messages')).body.data).toHaveLength(2)
  expect((await api.get('/runs')).body.data).toEqual([])
})

test('an agency with loadThreads refuses thread_id', async () => {
  promise('I4')
  await useUpstream(() => ({ text: 'Hello' }))
  const own = new Agency(new Agent({ name: 'CEO', model: 'gpt-4.1' }), { loadThreads: () => [], saveThreads: () => {} })
  const { api } = await serveRuns({ agencies: { support: own } })
  const refused = await api.post('/runs', { message: 'Hi', thread_id: 't' })
  expect([refused.status, refused.body.detail[0].loc]).toEqual([422, ['body', 'thread_id']])
  expect((await api.run({ message: 'Hi' })).response).toBe('Hello')
})

test('ids of 256 characters of the whole alphabet work on every route', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const id = 'aZ09._:~-'.repeat(29).slice(0, 256)
  await api.run({ message: 'Hi', thread_id: id })
  expect((await api.get(`/threads/${id}`)).body.thread_id).toBe(id)
  expect((await api.get(`/threads/${encodeURIComponent(id)}/messages`)).body.data).toHaveLength(2)
  expect((await api.get(`/runs?thread_id=${id}`)).body.data).toHaveLength(1)
  expect((await api.get(`/threads/${id}/stream`)).status).toBe(204)
  expect((await api.delete(`/threads/${id}`)).status).toBe(204)
})
