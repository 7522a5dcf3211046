/** Lists of runs, threads, messages and approvals: order, filters, pages. */

import { expect, test } from 'vitest'
import { tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { type Json, openStore, type RunsApi, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

/** All rows of a list, read in pages. */
async function pages(api: RunsApi, path: string, limit: number): Promise<Json[][]> {
  const all: Json[][] = []
  let after = ''
  for (;;) {
    const { status, body } = await api.get(`${path}limit=${limit}${after}`)
    expect([status, Object.keys(body).sort()]).toEqual([200, ['data', 'has_more', 'next']])
    expect(body.has_more).toBe(body.next !== null)
    all.push(body.data)
    if (body.next === null) return all
    expect(body.next).toEqual(expect.any(String))
    after = `&after=${body.next}`
  }
}

test.for(STORES)('%s: runs are listed newest first, in pages', async (kind) => {
  promise('H12')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ runs: { store: openStore(kind) } })
  expect((await api.get('/runs')).body).toEqual({ data: [], has_more: false, next: null })
  const ids = []
  for (let index = 0; index < 5; index++)
    ids.push((await api.run({ message: 'Hi', thread_id: index < 2 ? 'a' : 'b' })).run_id)
  const listed = await pages(api, '/runs?', 2)
  expect(listed.map((page) => page.length)).toEqual([2, 2, 1])
  expect(listed.flat().map(({ run_id }) => run_id)).toEqual(ids.toReversed())
  const whole = (await api.get('/runs?limit=5')).body
  expect([whole.has_more, whole.next]).toEqual([false, null])
  expect(whole.data[0]).toEqual((await api.get(`/runs/${ids[4]}`)).body)
  const onA = await pages(api, '/runs?thread_id=a&', 1)
  expect(onA.flat().map(({ run_id }) => run_id)).toEqual([ids[1], ids[0]])
  expect((await api.get('/runs?thread_id=unknown')).body.data).toEqual([])
})

test('runs are filtered by their status', async () => {
  await useUpstream((_, index) => (index === 0 ? { text: 'Hello' } : { hang: true }))
  const { api } = await serveRuns()
  const done = await api.run({ message: 'Hi' })
  const live = await api.start({ message: 'Hi', thread_id: 't' })
  const queued = await api.start({ message: 'Hi', thread_id: 't' })
  await expect.poll(async () => (await api.get(`/runs/${live.run_id}`)).body.status).toBe('in_progress')
  const listed = async (status: string) =>
    (await api.get(`/runs?status=${status}`)).body.data.map(({ run_id }: Json) => run_id)
  expect(await listed('completed')).toEqual([done.run_id])
  expect(await listed('in_progress')).toEqual([live.run_id])
  expect(await listed('queued')).toEqual([queued.run_id])
  expect(await listed('failed')).toEqual([])
})

test('20 rows are a page, and at most 100', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (let index = 0; index < 25; index++) await api.post('/threads', { thread_id: `t${index}` })
  expect((await api.get('/threads')).body.data).toHaveLength(20)
  expect((await api.get('/threads?limit=100')).body.data).toHaveLength(25)
})

test('threads are listed newest first', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (const thread_id of ['a', 'b', 'c']) await api.post('/threads', { thread_id })
  await api.run({ message: 'Hi', thread_id: 'a' })
  const listed = await pages(api, '/threads?', 2)
  expect(listed.flat().map(({ thread_id }) => thread_id)).toEqual(['c', 'b', 'a'])
  expect(listed.flat()[2]).toMatchObject({ status: 'idle', message_count: 2 })
})

test('messages are listed oldest first; their cursor is their number', async () => {
  promise('H12', 'I2')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (const message of ['One', 'Two', 'Three']) await api.run({ message, thread_id: 't' })
  const listed = await pages(api, '/threads/t/messages?', 4)
  expect(listed.map((page) => page.length)).toEqual([4, 2])
  expect((await api.get('/threads/t/messages?limit=4')).body.next).toBe('4')
  expect((await api.get('/threads/t/messages?after=4')).body.data.map(({ role }: Json) => role)).toEqual([
    'user',
    'assistant',
  ])
  expect((await api.get('/threads/t/messages?after=99')).body.data).toEqual([])
})

test('the inbox lists pending approvals oldest first, or those asked for', async () => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream(({ input }) =>
    /function_call_output/.test(JSON.stringify(input)) ? { text: 'Done' } : call('refund'),
  )
  const { api } = await serveRuns({ agent: { tools: [refund] } })
  const first = await api.run({ message: 'Refund', thread_id: 'a' })
  const second = await api.run({ message: 'Refund', thread_id: 'b' })
  const listed = await pages(api, '/approvals?', 1)
  expect(listed.flat().map(({ run_id }) => run_id)).toEqual([first.run_id, second.run_id])
  expect(listed.flat()[0]).toMatchObject({
    approval_id: expect.any(String),
    run_id: first.run_id,
    thread_id: 'a',
    agent: 'CEO',
    tool: 'refund',
    call_id: expect.any(String),
    arguments: {},
    status: 'pending',
    created_at: expect.stringMatching(/Z$/),
    expires_at: expect.stringMatching(/Z$/),
  })
  expect((await api.get('/approvals?thread_id=b')).body.data).toHaveLength(1)
  const { data } = (await api.get('/runs?status=requires_action')).body
  expect(data.map(({ required_action }: Json) => required_action.approvals[0].run_id)).toEqual([
    second.run_id,
    first.run_id,
  ])
  expect(data[1]).toEqual((await api.get(`/runs/${first.run_id}`)).body)
  expect((await api.get('/threads/a')).body).toMatchObject({ status: 'requires_action', active_run_id: first.run_id })
  const { approval_id } = listed.flat()[0]
  await api.post(`/runs/${first.run_id}/approvals/${approval_id}`, { decision: 'approve' })
  expect((await api.get('/approvals')).body.data).toHaveLength(1)
  expect((await api.get('/approvals?status=approved')).body.data).toMatchObject([{ approval_id, status: 'approved' }])
})

test('a cursor survives rows that come and go', async () => {
  promise('H12')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const ids = []
  for (let index = 0; index < 4; index++) ids.push((await api.run({ message: 'Hi' })).run_id)
  const { body } = await api.get('/runs?limit=2')
  await api.delete(`/runs/${ids[2]}`)
  await api.run({ message: 'New' })
  const rest = (await api.get(`/runs?limit=2&after=${body.next}`)).body
  expect(rest.data.map(({ run_id }: Json) => run_id)).toEqual([ids[1], ids[0]])
})
