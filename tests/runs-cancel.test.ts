/** Stopping runs over HTTP: modes, receipts, readers that leave. */

import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { gate, kinds, openStore, type RunsApi, readStream, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const working = (api: RunsApi, runId: string) =>
  expect.poll(async () => (await api.get(`/runs/${runId}`)).body.status).toBe('in_progress')

test.for(STORES)('%s: a cancel stops the model and answers with a receipt', async (kind) => {
  promise('H9')
  const upstream = await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns({ runs: { store: openStore(kind) } })
  const { run_id } = await api.start({ message: 'Hi' })
  await expect.poll(() => upstream.seen.length).toBe(1)
  const { status, body } = await api.post(`/runs/${run_id}/cancel`, { mode: 'immediate', wait_ms: 10_000 })
  expect(status).toBe(200)
  expect(body).toEqual({
    run_id,
    status: 'cancelled',
    mode: 'immediate',
    settled: true,
    ms: expect.any(Number),
    new_messages: expect.any(Array),
    usage: expect.objectContaining({ estimated: true }),
    receipt: { agent: 'CEO', state: 'stopped', calls: [expect.objectContaining({ kind: 'model', state: 'stopped' })] },
  })
  await upstream.seen[0]?.aborted
  const run = await api.settled(run_id)
  expect(run).toMatchObject({ status: 'cancelled', error: null })
  expect(run.new_messages).toEqual(body.new_messages)
  const frames = await api.frames(run_id)
  expect(kinds(frames).slice(-2)).toEqual(['messages', 'end'])
  expect(frames.at(-2)?.data).toMatchObject({ cancelled: true, run_id })
})

test('the body of a cancel is optional', async () => {
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  for (const body of [undefined, {}, { mode: null, wait_ms: null, more: 1 }]) {
    const { run_id } = await api.start({ message: 'Hi' })
    const { status, body: answer } = await api.post(`/runs/${run_id}/cancel`, body)
    expect([status, answer.mode, answer.settled]).toEqual([200, 'immediate', true])
  }
})

test('a cancelled run gives its receipt again, another ended one 409', async () => {
  promise('H9')
  await useUpstream((_, index) => (index === 0 ? { text: 'Hello' } : { hang: true }))
  const { api } = await serveRuns()
  const done = await api.run({ message: 'Hi' })
  const refused = await api.post(`/runs/${done.run_id}/cancel`)
  expect([refused.status, refused.body.code, refused.body.status]).toEqual([409, 'RUN_ENDED', 'completed'])
  expect(refused.body.detail).toEqual(expect.any(String))
  const { run_id } = await api.start({ message: 'Hi' })
  const first = await api.post(`/runs/${run_id}/cancel`)
  const second = await api.post(`/runs/${run_id}/cancel`, { mode: 'after_turn' })
  expect(second.status).toBe(200)
  expect({ ...second.body, ms: 0 }).toEqual({ ...first.body, ms: 0 })
})

test('two cancels at once get one receipt', async () => {
  const upstream = await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const { run_id } = await api.start({ message: 'Hi' })
  await expect.poll(() => upstream.seen.length).toBe(1)
  const answers = await Promise.all(Array.from({ length: 10 }, () => api.post(`/runs/${run_id}/cancel`)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(answers.map(({ body }) => JSON.stringify({ ...body, ms: 0 }))).size).toBe(1)
  expect(kinds(await api.frames(run_id)).filter((kind) => kind === 'end')).toHaveLength(1)
})

test('a waiting run is cancelled at once, and its stream ends whole', async () => {
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const first = await api.start({ message: 'Hi', thread_id: 't' })
  const { run_id } = await api.start({ message: 'Wait', thread_id: 't' })
  const last = await api.start({ message: 'Wait too', thread_id: 't' })
  const { status, body } = await api.post(`/runs/${run_id}/cancel`)
  expect([status, body.settled, body.status]).toEqual([200, true, 'cancelled'])
  expect(body.receipt).toEqual({ agent: 'CEO', state: 'never_started', calls: [] })
  expect(body.new_messages).toEqual([])
  const frames = await api.frames(run_id)
  expect(kinds(frames)).toEqual(['meta', 'queued', 'messages', 'end'])
  expect(frames[2]?.data).toMatchObject({ new_messages: [], run_id, cancelled: true })
  expect((await api.get(`/runs/${run_id}`)).body).toMatchObject({ new_messages: [], queue_position: null })
  expect((await api.get(`/runs/${last.run_id}`)).body.queue_position).toBe(1)
  await working(api, first.run_id)
})

test('after_turn lets the turn finish; immediate overtakes it', async () => {
  promise('H9')
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'done') })
  await useUpstream(({ input }) => (JSON.stringify(input).includes('function_call') ? { hang: true } : call('hold')))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const { run_id } = await api.start({ message: 'Hi' })
  await expect.poll(async () => (await api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3)
  const early = await api.post(`/runs/${run_id}/cancel`, { mode: 'after_turn', wait_ms: 0 })
  expect(early.status).toBe(202)
  expect(early.body).toMatchObject({ settled: false, status: 'in_progress', mode: 'after_turn', receipt: null })
  open.resolve()
  const run = await api.settled(run_id)
  expect(run.status).toBe('cancelled')
  expect(run.new_messages.at(-1)).toMatchObject({ type: 'function_call_output', output: 'done' })

  const again = await api.start({ message: 'Hi' })
  await expect.poll(async () => (await api.get(`/runs/${again.run_id}`)).body.last_event_id).toBeGreaterThan(3)
  await api.post(`/runs/${again.run_id}/cancel`, { mode: 'after_turn', wait_ms: 0 })
  const { body } = await api.post(`/runs/${again.run_id}/cancel`, { mode: 'immediate' })
  expect([body.settled, body.mode]).toEqual([true, 'immediate'])
})

test('a tool that ignores its signal is reported as abandoned', async () => {
  const deaf = tool({ name: 'deaf', execute: () => new Promise(() => {}) })
  await useUpstream(() => call('deaf'))
  const { api } = await serveRuns({ agent: { tools: [deaf] } })
  const { run_id } = await api.start({ message: 'Hi' })
  await expect.poll(async () => (await api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3)
  const { body } = await api.post(`/runs/${run_id}/cancel`)
  expect(body.receipt.calls).toEqual([
    expect.objectContaining({ kind: 'tool', name: 'deaf', state: 'abandoned', call_id: expect.any(String) }),
  ])
})

test('values out of range are refused where they stand', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi' })
  const locOf = async (body: unknown) => (await api.post(`/runs/${run_id}/cancel`, body)).body.detail[0].loc
  for (const wait_ms of [-1, 60_001, 1.5, 'x']) expect(await locOf({ wait_ms })).toEqual(['body', 'wait_ms'])
  expect(await locOf({ mode: 'later' })).toEqual(['body', 'mode'])
  expect(await locOf([])).toEqual(['body'])
})

test('a reader that leaves ends a run that is meant for it', async () => {
  promise('H10')
  const upstream = await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const start = async (body: object) => {
    const abort = new AbortController()
    const response = await api.fetch('POST', '/runs', { message: 'Hi', stream: true, ...body }, {}, abort.signal)
    const [frame] = [(await readStream(response).next()).value]
    await expect.poll(() => upstream.open()).toBe(1)
    return { runId: frame?.data.run_id as string, leave: () => abort.abort() }
  }
  const stays = await start({})
  stays.leave()
  await sleep(100)
  expect((await api.get(`/runs/${stays.runId}`)).body.status).toBe('in_progress')
  await api.post(`/runs/${stays.runId}/cancel`)
  const leaves = await start({ on_disconnect: 'cancel' })
  leaves.leave()
  expect(await api.settled(leaves.runId)).toMatchObject({ status: 'cancelled' })
})

test('a reader that comes back in time keeps the run alive', async () => {
  promise('H10')
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const abort = new AbortController()
  const body = { message: 'Hi', stream: true, on_disconnect: 'cancel', disconnect_grace_ms: 300 }
  const response = await api.fetch('POST', '/runs', body, {}, abort.signal)
  const runId = (await readStream(response).next()).value?.data.run_id
  abort.abort()
  await sleep(50)
  const back = new AbortController()
  const again = await api.fetch('GET', `/runs/${runId}/events`, undefined, {}, back.signal)
  await readStream(again).next()
  await sleep(500)
  expect((await api.get(`/runs/${runId}`)).body.status).toBe('in_progress')
  back.abort()
  expect(await api.settled(runId)).toMatchObject({ status: 'cancelled' })
})

test('after a restart, a run ends whose readers do not come back', async () => {
  promise('H10')
  const path = `${useFolder()}/runs.db`
  await useUpstream(() => ({ hang: true }))
  const first = await serveRuns({ runs: { store: sqlite(path) }, limits: { drainMs: 0 } })
  const start = async (fields: object) => {
    const body = { message: 'Hi', stream: true, ...fields }
    return String((await readStream(await first.api.fetch('POST', '/runs', body)).next()).value?.data.run_id)
  }
  const cancel = { on_disconnect: 'cancel' }
  const [gone, later, kept] = [
    await start(cancel),
    await start({ ...cancel, disconnect_grace_ms: 600_000 }),
    await start({}),
  ]
  const read = await start(cancel)
  await first.close()
  const { api } = await serveRuns({ runs: { store: sqlite(path) }, limits: { readerReturnMs: 1_500 } })
  const abort = new AbortController()
  const events = readStream(await api.fetch('GET', `/runs/${read}/events`, undefined, {}, abort.signal))
  await events.next()
  expect(await api.settled(gone)).toMatchObject({ status: 'cancelled' })
  for (const runId of [later, kept, read]) expect((await api.get(`/runs/${runId}`)).body.status).toBe('in_progress')
  abort.abort()
  expect(await api.settled(read)).toMatchObject({ status: 'cancelled' })
})

test('a stop of the server is no reader that leaves', async () => {
  promise('H10')
  const path = `${useFolder()}/runs.db`
  await useUpstream((_, index) => (index === 0 ? { hang: true } : { text: 'Hello' }))
  const first = await serveRuns({ runs: { store: sqlite(path) }, limits: { drainMs: 0 } })
  const body = { message: 'Hi', stream: true, on_disconnect: 'cancel' }
  const stream = readStream(await first.api.fetch('POST', '/runs', body))
  const runId = (await stream.next()).value?.data.run_id
  await first.close()
  const second = await serveRuns({ runs: { store: sqlite(path) } })
  expect(await second.api.settled(runId)).toMatchObject({ status: 'completed', response: 'Hello' })
})
