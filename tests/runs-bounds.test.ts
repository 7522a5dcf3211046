/** What runs and threads refuse with 422, and where they say it is wrong. */

import { expect, test, vi } from 'vitest'
import { memory, serve, sqlite, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { agency, openStore, RunsApi, STORES, serveRuns } from './support/runs.ts'

const long = (length: number) => 'x'.repeat(length)
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']))

test('fields out of bounds are refused where they stand', async () => {
  promise('H3')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ maxTurns: 10 })
  const wrong: [body: object, ...loc: (string | number)[]][] = [
    [{}, 'message'],
    [{ message: '' }, 'message'],
    [{ message: ' \n' }, 'message'],
    [{ message: [] }, 'message'],
    [{ thread_id: '' }, 'thread_id'],
    [{ thread_id: long(257) }, 'thread_id'],
    [{ thread_id: 'a b' }, 'thread_id'],
    [{ thread_id: 'a/b' }, 'thread_id'],
    [{ thread_id: 'ä' }, 'thread_id'],
    [{ thread_id: 5 }, 'thread_id'],
    [{ thread_id: 't', chat_history: [] }, 'chat_history'],
    [{ thread_id: 't', chat_history: [{ role: 'user', content: 'x' }] }, 'chat_history'],
    [{ if_not_exists: 'maybe' }, 'if_not_exists'],
    [{ multitask_strategy: 'wait' }, 'multitask_strategy'],
    [{ stream: 'perhaps' }, 'stream'],
    [{ on_disconnect: 'stop' }, 'on_disconnect'],
    [{ disconnect_grace_ms: -1 }, 'disconnect_grace_ms'],
    [{ disconnect_grace_ms: 600_001 }, 'disconnect_grace_ms'],
    [{ disconnect_grace_ms: 1.5 }, 'disconnect_grace_ms'],
    [{ metadata: many(17) }, 'metadata'],
    [{ metadata: { [long(65)]: 'v' } }, 'metadata', long(65), '[key]'],
    [{ metadata: { a: long(513) } }, 'metadata', 'a'],
    [{ metadata: { a: 1 } }, 'metadata', 'a'],
    [{ metadata: 'x' }, 'metadata'],
    [{ max_turns: 0 }, 'max_turns'],
    [{ max_turns: 11 }, 'max_turns'],
    [{ max_turns: 1.5 }, 'max_turns'],
    [{ recipient_agent: 'Nobody' }, 'recipient_agent'],
  ]
  for (const [body, ...loc] of wrong) {
    const given = Object.keys(body).length === 0 || 'message' in body ? body : { message: 'Hi', ...body }
    const { status, body: answer } = await api.post('/runs', given)
    expect([body, status, answer.detail?.[0]?.loc]).toEqual([body, 422, ['body', ...loc]])
    expect(answer.detail[0]).toMatchObject({ type: expect.any(String), msg: expect.any(String) })
  }
  const taken: object[] = [
    { thread_id: long(256) },
    { thread_id: null, chat_history: [] },
    { thread_id: 't', chat_history: null },
    { metadata: many(16) },
    { metadata: { [long(64)]: long(512) } },
    { metadata: null },
    { max_turns: 10, multitask_strategy: null, unknown_field: 1 },
    { on_disconnect: 'cancel', disconnect_grace_ms: 600_000 },
  ]
  for (const body of taken)
    expect([body, (await api.post('/runs', { message: 'Hi', ...body })).status]).toEqual([body, 202])
})

test('what is too large to store is refused with 413 at every door', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api, url } = await serveRuns({ limits: { storedBodyBytes: 20_000 }, openai: true, aiSdk: true })
  const messages = [{ id: 'm', role: 'user', parts: [{ type: 'text', text: long(21_000) }] }]
  const requests: [RunsApi, path: string, body: object][] = [
    [api, '/runs', { message: long(21_000) }],
    [api, '/runs', { message: 'x', chat_history: [{ role: 'user', content: long(21_000) }] }],
    [api, '/runs', { message: 'x', user_context: { many: Array.from({ length: 3_000 }, () => 1) } }],
    [api, '/threads', { messages: [{ role: 'user', content: long(21_000) }] }],
    [api, '/chat', { id: 'c', messages }],
    [new RunsApi(url), '/v1/responses', { model: 'support', store: true, input: long(21_000) }],
  ]
  for (const [at, path, body] of requests) {
    const answer = await at.fetch('POST', path, body)
    expect([path, answer.status]).toEqual([path, 413])
    expect(await answer.text()).toContain('limits.storedBodyBytes')
  }
  expect((await api.get('/runs')).body.data).toEqual([])
  const { status } = await api.post('/get_response', { message: long(21_000) })
  expect(status).toBe(200)
  await api.run({ message: long(19_000) })
})

test('queries out of bounds are refused, never corrected', async () => {
  promise('H3')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.run({ message: 'Hi', thread_id: 't' })
  const wrong: [path: string, name: string][] = [
    ...['/runs', '/threads', '/approvals', '/threads/t/messages'].flatMap((path) => [
      ...['0', '101', '-1', '1.5', 'x', ''].map((value): [string, string] => [`${path}?limit=${value}`, 'limit']),
      ...['x', '-1', ''].map((value): [string, string] => [`${path}?after=${value}`, 'after']),
      [`${path}?limit=1&limit=2`, 'limit'] as [string, string],
    ]),
    ['/runs?status=done', 'status'],
    ['/runs?status=', 'status'],
    ['/runs?thread_id=', 'thread_id'],
    ['/approvals?status=open', 'status'],
    [`/runs/${run_id}?wait=61`, 'wait'],
    [`/runs/${run_id}?wait=-1`, 'wait'],
    [`/runs/${run_id}?wait=x`, 'wait'],
    [`/runs/${run_id}/events?view=x`, 'view'],
    [`/runs/${run_id}/events?starting_after=-1`, 'starting_after'],
  ]
  for (const [path, name] of wrong) {
    const { status, body } = await api.get(path)
    expect([path, status, body.detail?.[0]?.loc]).toEqual([path, 422, ['query', name]])
  }
  for (const path of ['/runs?limit=1&unknown=1', '/runs?limit=100', `/runs/${run_id}?wait=60`])
    expect((await api.get(path)).status).toBe(200)
  expect((await api.get('/runs?limit=x')).body.detail[0].type).toBe('int_parsing')
  expect((await api.get('/runs?limit=101')).body.detail[0]).toMatchObject({ type: 'less_than_equal', ctx: { le: 100 } })
})

test('bodies of threads and decisions are checked', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const wrong: [path: string, body: unknown, ...loc: (string | number)[]][] = [
    ['/threads', { thread_id: 'a b' }, 'thread_id'],
    ['/threads', { messages: 'x' }, 'messages'],
    ['/threads', { messages: ['x'] }, 'messages', 0],
    ['/threads', { metadata: many(17) }, 'metadata'],
    ['/threads', []],
    ['/runs/r/approvals/a', {}, 'decision'],
    ['/runs/r/approvals/a', { decision: 'maybe' }, 'decision'],
    ['/runs/r/approvals/a', { decision: 'approve', arguments: 'x' }, 'arguments'],
    ['/runs', '{"message": '],
    ['/runs', []],
  ]
  for (const [path, body, ...loc] of wrong) {
    const { status, body: answer } = await api.post(path, body)
    expect([path, body, status]).toEqual([path, body, 422])
    if (loc.length > 0) expect([path, body, answer.detail[0].loc]).toEqual([path, body, ['body', ...loc]])
    else expect(answer.detail[0].loc[0]).toBe('body')
  }
})

test.for(STORES)('%s: work: false needs a store that others share', async (kind) => {
  const store = openStore(kind)
  const options = { agencies: { support: agency({ model: 'demo' }) }, port: 0, banner: false }
  await expect(serve({ ...options, runs: { store, work: false } })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(serve({ ...options, runs: { work: false } })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await store.close()
})

test('wrong options of runs are refused at start', async () => {
  promise('H3')
  const options = { agencies: { support: agency({ model: 'demo' }) }, port: 0, banner: false }
  for (const runs of [{ stores: memory() }, { store: 'file.db' }, { identify: 'me' }, { store: {} }])
    await expect(serve({ ...options, runs: runs as never })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  vi.stubEnv('AGENCY_STORE_KEY', 'short')
  await expect(serve(options)).rejects.toThrow(/AGENCY_STORE_KEY/)
  vi.unstubAllEnvs()
})

test('keys of a request are not stored in the clear', async () => {
  promise('H5')
  const upstream = await useUpstream(() => ({ text: 'Hello' }))
  const store = memory()
  const { api } = await serveRuns({ runs: { store } })
  const client_config = { api_key: 'sk-callers-secret' }
  const run = await api.start({ message: 'Hi', client_config, thread_id: 't' })
  expect(run.recoverable).toBe(false)
  const id = { agency: 'support', owner: 'everybody', runId: run.run_id }
  const work = await store.read({ kind: 'work', ...id })
  expect(JSON.stringify(work)).not.toContain('sk-callers-secret')
  expect((await api.settled(run.run_id)).response).toBe('Hello')
  expect(upstream.seen[0]?.headers.authorization).toBe('Bearer sk-callers-secret')
  expect(JSON.stringify(await api.frames(run.run_id))).not.toContain('sk-callers-secret')
})

test('with AGENCY_STORE_KEY they are sealed until the run ends', async () => {
  promise('H5')
  vi.stubEnv('AGENCY_STORE_KEY', Buffer.alloc(32, 7).toString('base64'))
  const open = Promise.withResolvers<string>()
  const hold = tool({ name: 'hold', execute: () => open.promise })
  const upstream = await useUpstream((_, index) =>
    index === 0 ? { calls: [{ name: 'hold', arguments: {} }] } : { text: 'Hello' },
  )
  const path = `${useFolder()}/runs.db`
  const first = await serveRuns({ agent: { tools: [hold] }, runs: { store: sqlite(path) }, limits: { drainMs: 0 } })
  const run = await first.api.start({ message: 'Hi', client_config: { api_key: 'sk-callers-secret' } })
  expect(run.recoverable).toBe(true)
  await expect.poll(() => upstream.seen.length).toBe(1)
  await first.close()
  open.resolve('done')
  const store = sqlite(path)
  const second = await serveRuns({ agent: { tools: [hold] }, runs: { store } })
  vi.unstubAllEnvs()
  expect((await second.api.settled(run.run_id)).response).toBe('Hello')
  expect(upstream.seen.at(-1)?.headers.authorization).toBe('Bearer sk-callers-secret')
  const id = { agency: 'support', owner: 'everybody', runId: run.run_id }
  expect((await store.read({ kind: 'work', ...id })).sealed).toBeNull()
})
