/** The events of runs: replay, live, and going on after any of them. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { memory, sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { gate, kinds, openStore, readAll, readStream, STORES, serveRuns, textOf } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

/** A tool that waits until the test lets it go. */
function holding() {
  const open = gate()
  const hold = tool({ name: 'hold', execute: () => open.promise.then(() => 'done') })
  return { hold, open }
}

test.for(STORES)('%s: a stream cut after any frame goes on with the next', async (kind) => {
  promise('H6')
  const lookup = tool({ name: 'lookup', execute: () => 'found' })
  await useUpstream((_, index) => (index === 0 ? call('lookup') : { text: 'Hello', deltas: 3 }))
  const { api } = await serveRuns({ agent: { tools: [lookup] }, runs: { store: openStore(kind) } })
  const { run_id } = await api.run({ message: 'Hi' })
  const whole = await api.frames(run_id)
  expect(whole.map(({ id }) => id)).toEqual(whole.map((_, index) => index + 1))
  expect(whole[0]).toEqual({ id: 1, event: 'meta', data: { run_id } })
  expect(whole.at(-1)).toEqual({ id: whole.length, event: 'end', data: '[DONE]' })
  for (let after = 0; after < whole.length; after++) {
    expect(await api.frames(run_id, `?starting_after=${after}`)).toEqual(whole.slice(after))
    expect(await api.frames(run_id, '?starting_after=0', { 'last-event-id': String(after) })).toEqual(
      whole.slice(after),
    )
  }
})

test('readers of a live run get the same frames, and those to come', async () => {
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye', deltas: 5 }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const { run_id } = await api.start({ message: 'Hi' })
  const early = api.frames(run_id)
  const read = readStream(await api.fetch('GET', `/runs/${run_id}/events`))
  const seen = []
  for await (const frame of read) {
    seen.push(frame)
    if (frame.data?.data?.name === 'tool_called') break
  }
  const last = seen.at(-1)?.id ?? 0
  const later = api.frames(run_id, '', { 'last-event-id': String(last) })
  open.resolve()
  const whole = await early
  expect(whole.slice(0, last)).toEqual(seen)
  expect(await later).toEqual(whole.slice(last))
  expect(textOf(whole)).toBe('0 1 2 3 4 ')
})

test('each connection begins with a block for the time to come back', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi' })
  for (const query of ['', '?starting_after=3']) {
    const text = await (await api.fetch('GET', `/runs/${run_id}/events${query}`)).text()
    const number = query === '' ? 1 : 4
    expect(text.slice(0, 40)).toMatch(new RegExp(`^retry: 1000\\n\\nid: ${number}\\n(event|data): `))
    expect(text).toMatch(/\n\nid: \d+\nevent: end\ndata: \[DONE\]\n\n$/)
  }
})

test('the frames are those of get_response_stream with their numbers', async () => {
  promise('H6')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const legacy = await (await api.fetch('POST', '/get_response_stream', { message: 'Hi' })).text()
  const { run_id } = await api.run({ message: 'Hi' })
  const stored = await (await api.fetch('GET', `/runs/${run_id}/events`)).text()
  const shape = (text: string) =>
    text
      .replace('retry: 1000\n\n', '')
      .replaceAll(/^id: \d+\n/gm, '')
      .replaceAll(/[\da-f-]{36}|[\da-f]{32}|(msg|resp)_\d+|\d{10,}/g, 'x')
  expect(shape(stored)).toBe(shape(legacy))
})

test('a silent stream gets comments', async () => {
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] }, heartbeatMs: 30 })
  const { run_id } = await api.start({ message: 'Hi' })
  const response = await api.fetch('GET', `/runs/${run_id}/events`)
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes(': keepalive\n\n: keepalive\n\n')) text += (await reader?.read())?.value
  open.resolve()
  await reader?.cancel()
})

test('a reader that has all of an ended run gets 204', async () => {
  promise('H6')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id, last_event_id } = await api.run({ message: 'Hi' })
  for (const headers of [{}, { 'last-event-id': String(last_event_id) }]) {
    const { status, body } = await api.get(`/runs/${run_id}/events?starting_after=${last_event_id}`, headers)
    expect([status, body]).toEqual([204, undefined])
  }
})

test('a number beyond the last frame is refused where it was sent', async () => {
  promise('H6')
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const { run_id } = await api.start({ message: 'Hi' })
  const refusal = async () => {
    const byQuery = await api.get(`/runs/${run_id}/events?starting_after=9999`)
    const byHeader = await api.get(`/runs/${run_id}/events`, { 'last-event-id': '9999' })
    return [byQuery, byHeader].map(({ status, body }) => [status, body.detail[0].loc])
  }
  const expected = [
    [422, ['query', 'starting_after']],
    [422, ['header', 'last-event-id']],
  ]
  expect(await refusal()).toEqual(expected)
  open.resolve()
  await api.settled(run_id)
  expect(await refusal()).toEqual(expected)
})

test('an id that is not a number and an unknown view are refused', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi' })
  const locOf = async (query: string, headers = {}) => {
    const { status, body } = await api.get(`/runs/${run_id}/events${query}`, headers)
    return [status, body.detail[0].loc]
  }
  for (const id of ['abc', '-1', '1.5', '1e3'])
    expect(await locOf('', { 'last-event-id': id })).toEqual([422, ['header', 'last-event-id']])
  for (const id of ['abc', '-1', '1.5', ''])
    expect(await locOf(`?starting_after=${id}`)).toEqual([422, ['query', 'starting_after']])
  expect(await locOf('?view=nope')).toEqual([422, ['query', 'view']])
})

test('events are gone after their time: 410 with a code', async () => {
  promise('H6')
  await useUpstream(() => ({ text: 'Hello' }))
  const store = memory()
  const { api } = await serveRuns({ runs: { store } })
  const key = { 'idempotency-key': 'k' }
  const stream = await api.fetch('POST', '/runs', { message: 'Hi', stream: true }, key)
  const frames = await readAll(stream)
  const { run_id } = frames[0]?.data ?? {}
  await store.write({ kind: 'sweep', now: Date.now() + 1000, eventsMs: 0, runsMs: 3_600_000 })
  for (const answer of [
    await api.get(`/runs/${run_id}/events`),
    await api.post('/runs', { message: 'Hi', stream: true }, key),
  ])
    expect([answer.status, answer.body.code]).toEqual([410, 'EVENTS_EXPIRED'])
  expect((await api.get(`/runs/${run_id}`)).body).toMatchObject({ status: 'completed', response: 'Hello' })
  expect((await api.get(`/runs/${run_id}/events?starting_after=${frames.length}`)).status).toBe(204)
})

test('waiting runs say their place when it changes', async () => {
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api } = await serveRuns({ agent: { tools: [hold] } })
  const on = { message: 'Hi', thread_id: 't' }
  const runs = [await api.start(on), await api.start(on), await api.start(on)]
  expect(runs.map(({ queue_position }) => queue_position)).toEqual([null, 1, 2])
  expect(runs.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued'])
  const streams = runs.map(({ run_id }) => api.frames(run_id))
  open.resolve()
  const places = (await Promise.all(streams)).map((frames) =>
    frames.filter(({ event }) => event === 'queued').map(({ id, data }) => [id, data.position]),
  )
  expect(places).toEqual([
    [],
    [[2, 1]],
    [
      [2, 2],
      [3, 1],
    ],
  ])
  const [, second] = await Promise.all(streams)
  expect(kinds(second ?? []).slice(0, 2)).toEqual(['meta', 'queued'])
})

test('a server that stops closes streams without their end', async () => {
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const { api, close } = await serveRuns({ agent: { tools: [hold] }, limits: { drainMs: 100 } })
  const { run_id } = await api.start({ message: 'Hi', thread_id: 't' })
  const queued = await api.start({ message: 'Later', thread_id: 't' })
  await expect.poll(async () => (await api.get(`/runs/${run_id}`)).body.status).toBe('in_progress')
  const streams = [run_id, queued.run_id].map((id) => api.frames(id))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await close()
  for (const frames of await Promise.all(streams)) {
    expect(frames.length).toBeGreaterThan(0)
    expect(kinds(frames)).not.toContain('end')
    expect(kinds(frames)).not.toContain('messages')
  }
  open.resolve()
})

test('a stopped server goes on with its runs where it left them', async () => {
  const { hold, open } = holding()
  await useUpstream((_, index) => (index === 0 ? call('hold') : { text: 'Bye' }))
  const path = `${useFolder()}/runs.db`
  const first = await serveRuns({ agent: { tools: [hold] }, runs: { store: sqlite(path) }, limits: { drainMs: 50 } })
  const { run_id } = await first.api.start({ message: 'Hi', thread_id: 't' })
  const seen = first.api.frames(run_id)
  await expect.poll(async () => (await first.api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3)
  await first.close()
  open.resolve()
  expect(readFileSync(path).length).toBeGreaterThan(0)
  const second = await serveRuns({ agent: { tools: [hold] }, runs: { store: sqlite(path) } })
  const known = await seen
  const rest = await second.api.frames(run_id, '', { 'last-event-id': String(known.at(-1)?.id ?? 0) })
  expect(kinds(rest)[0]).toBe('attempt')
  expect(kinds(rest).slice(-2)).toEqual(['messages', 'end'])
  expect((await second.api.settled(run_id)).response).toBe('Bye')
  expect([...known, ...rest].map(({ id }) => id)).toEqual([...known, ...rest].map((_, index) => index + 1))
})
