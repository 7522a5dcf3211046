/** The Idempotency-Key of every POST of runs, approvals and threads. */

import { expect, test } from 'vitest'
import { tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { useUpstream } from './support/client.ts'
import { openStore, readAll, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const key = (value: string) => ({ 'idempotency-key': value })

test.for(STORES)('%s: 100 posts with one key make one run', async (kind) => {
  promise('H11')
  const upstream = await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ runs: { store: openStore(kind) } })
  const answers = await Promise.all(
    Array.from({ length: 100 }, () => api.post('/runs', { message: 'Hi', thread_id: 't' }, key('k'))),
  )
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]))
  expect(new Set(answers.map(({ body }) => body.run_id)).size).toBe(1)
  expect(new Set(answers.map(({ headers }) => headers.get('location'))).size).toBe(1)
  expect(answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')).toHaveLength(99)
  await api.settled(answers[0]?.body.run_id)
  expect(upstream.seen).toHaveLength(1)
})

test('a replay is the run as it is now; the order of names does not count', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const first = await api.post('/runs', { message: 'Hi', metadata: { a: '1', b: '2' } }, key('k'))
  await api.settled(first.body.run_id)
  const again = await api.post('/runs', '{ "metadata": {"b":"2","a":"1"},\n "message": "Hi" }', key('"k"'))
  expect(again.status).toBe(202)
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(again.body).toMatchObject({ run_id: first.body.run_id, status: 'completed', response: 'Hello' })
})

test('with stream a replay streams from the first frame', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const start = () => api.fetch('POST', '/runs', { message: 'Hi', stream: true }, key('k'))
  const first = await start()
  const frames = await readAll(first)
  const second = await start()
  expect(second.headers.get('idempotent-replayed')).toBe('true')
  expect(second.headers.get('location')).toBe(first.headers.get('location'))
  expect(await readAll(second)).toEqual(frames)
})

test('another body, or another path, with the same key is refused', async () => {
  promise('H11')
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const { body: run } = await api.post('/runs', { message: 'Hi' }, key('k'))
  for (const [path, body] of [
    ['/runs', { message: 'Hello' }],
    ['/runs', { message: 'Hi', stream: true }],
    ['/threads', {}],
    [`/runs/${run.run_id}/cancel`, {}],
  ] as const) {
    const { status, body: refused } = await api.post(path, body, key('k'))
    expect([path, status, refused.code, refused.detail[0].loc]).toEqual([
      path,
      422,
      'IDEMPOTENCY_MISMATCH',
      ['header', 'idempotency-key'],
    ])
  }
})

test('only a successful answer uses a key up', async () => {
  promise('H11')
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const refused = { message: 'Hi', thread_id: 't', if_not_exists: 'reject' }
  expect((await api.post('/runs', refused, key('k'))).status).toBe(404)
  expect((await api.post('/runs', { message: '' }, key('k'))).status).toBe(422)
  const taken = await api.post('/runs', { message: 'Hi' }, key('k'))
  expect([taken.status, taken.headers.get('idempotent-replayed')]).toEqual([202, null])
})

test('cancels and threads are replayed, too', async () => {
  await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns()
  const { run_id } = await api.start({ message: 'Hi' })
  const cancels = [1, 2].map(() => api.post(`/runs/${run_id}/cancel`, {}, key('c')))
  const [first, second] = await Promise.all(cancels)
  expect([first?.status, second?.status]).toEqual([200, 200])
  expect({ ...second?.body, ms: 0 }).toEqual({ ...first?.body, ms: 0 })
  const replayed = [first, second].map((answer) => answer?.headers.get('idempotent-replayed'))
  expect(replayed.sort()).toEqual(['true', null].sort())
  const made = await api.post('/threads', { metadata: { a: 'b' } }, key('t'))
  const again = await api.post('/threads', { metadata: { a: 'b' } }, key('t'))
  expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true'])
  expect(again.body).toEqual(made.body)
})

test('a decision with a key is replayed', async () => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream((_, index) => (index === 0 ? call('refund') : { text: 'Done' }))
  const { api } = await serveRuns({ agent: { tools: [refund] } })
  const run = await api.run({ message: 'Refund' })
  const path = `/runs/${run.run_id}/approvals/${run.required_action.approvals[0].approval_id}`
  const first = await api.post(path, { decision: 'approve' }, key('k'))
  const second = await api.post(path, { decision: 'approve' }, key('k'))
  expect([first.status, second.status, second.headers.get('idempotent-replayed')]).toEqual([200, 200, 'true'])
  const third = await api.post(path, { decision: 'approve' })
  expect([third.status, third.body.code, third.body.status]).toEqual([409, 'APPROVAL_DECIDED', 'approved'])
  expect((await api.settled(run.run_id)).response).toBe('Done')
})

test('the key of what was deleted answers 404', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { body: run } = await api.post('/runs', { message: 'Hi' }, key('r'))
  await api.settled(run.run_id)
  await api.delete(`/runs/${run.run_id}`)
  await api.post('/threads', { thread_id: 't' }, key('t'))
  await api.delete('/threads/t')
  for (const answer of [
    await api.post('/runs', { message: 'Hi' }, key('r')),
    await api.post('/threads', { thread_id: 't' }, key('t')),
  ])
    expect([answer.status, answer.body.code]).toEqual([404, 'NOT_FOUND'])
})

test('a key has 1 to 255 visible characters', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (const value of ['', '""', 'a b', 'x'.repeat(256), `"${'x'.repeat(256)}"`, '"a"b"']) {
    const { status, body } = await api.post('/runs', { message: 'Hi' }, key(value))
    expect([value, status, body.detail[0].loc]).toEqual([value, 422, ['header', 'idempotency-key']])
  }
  for (const value of ['x'.repeat(255), `"${'x'.repeat(255)}"`, '!~'])
    expect((await api.post('/runs', { message: 'Hi' }, key(value))).status).toBe(202)
})

test('the endpoints of the original know no keys', async () => {
  const upstream = await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  for (const message of ['Hi', 'Ho']) expect((await api.post('/get_response', { message }, key('k'))).status).toBe(200)
  expect(upstream.seen).toHaveLength(2)
})
