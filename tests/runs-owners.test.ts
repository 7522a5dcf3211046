/** Whose runs and threads a request is about: what belongs to others does not exist. */

import { expect, test } from 'vitest'
import { tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { allFrames, postAndRead, useUpstream } from './support/client.ts'
import { agency, type Json, openStore, RunsApi, readStream, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'

const identify = ({ headers }: { headers: { [name: string]: string | string[] | undefined } }) => {
  const user = headers['x-user']
  if (user === 'broken') throw new Error('the session store is away')
  return user as string | undefined
}
const as = (user: string) => ({ 'x-user': user })

test.for(STORES)('%s: no route shows or changes what belongs to others', async (kind) => {
  promise('H13')
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream(() => call('refund'))
  const { api, url } = await serveRuns({
    agencies: { support: agency({ tools: [refund] }), sales: agency({ tools: [refund] }) },
    runs: { store: openStore(kind), identify },
  })
  const ada = api.as(as('ada'))
  const run = await ada.run({ message: 'Refund', thread_id: 't' })
  const { approval_id } = run.required_action.approvals[0]
  const routes: [method: string, path: string, body?: object][] = [
    ['GET', `/runs/${run.run_id}`],
    ['GET', `/runs/${run.run_id}?wait=1`],
    ['GET', `/runs/${run.run_id}/events`],
    ['POST', `/runs/${run.run_id}/cancel`, {}],
    ['POST', `/runs/${run.run_id}/approvals/${approval_id}`, { decision: 'approve' }],
    ['POST', `/runs/${run.run_id}/approvals/${approval_id}`, { decision: 'approve', arguments: { a: 1 } }],
    ['DELETE', `/runs/${run.run_id}`],
    ['GET', '/threads/t'],
    ['GET', '/threads/t/messages'],
    ['DELETE', '/threads/t'],
    ['POST', '/runs', { message: 'Hi', thread_id: 't', if_not_exists: 'reject' }],
  ]
  const strangers = [api.as(as('eve')), new RunsApi(`${url}/sales`, as('ada'))]
  for (const stranger of strangers) {
    for (const [method, path, body] of routes) {
      const { status, body: answer } = await stranger.ask(method, path, body)
      const unknown = await stranger.ask(
        method,
        path.replace(run.run_id, 'unknown').replace(/\/t(?=\/|$)/, '/unknown'),
        body,
      )
      expect([path, status, answer.code]).toEqual([path, 404, 'NOT_FOUND'])
      if (method !== 'POST' || !path.endsWith('/runs')) expect(answer).toEqual(unknown.body)
    }
    expect((await stranger.get('/threads/t/stream')).status).toBe(204)
    for (const list of ['/runs', '/threads', '/approvals', '/runs?thread_id=t', '/approvals?thread_id=t'])
      expect([list, (await stranger.get(list)).body.data]).toEqual([list, []])
  }
  expect((await ada.get(`/runs/${run.run_id}`)).body).toEqual(run)
  expect((await ada.get('/runs')).body.data).toHaveLength(1)
})

test('two owners may have threads and keys with the same name', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ runs: { identify } })
  const key = { 'idempotency-key': 'k' }
  const runs = []
  for (const user of ['ada', 'eve']) {
    const { status, headers, body } = await api.as(as(user)).post('/runs', { message: user, thread_id: 't-42' }, key)
    expect([status, headers.get('idempotent-replayed')]).toEqual([202, null])
    await api.as(as(user)).settled(body.run_id)
    runs.push(body.run_id)
    expect((await api.as(as(user)).post('/threads', { thread_id: 'mine' })).status).toBe(201)
  }
  expect(new Set(runs).size).toBe(2)
  const { data } = (await api.as(as('eve')).get('/threads/t-42/messages')).body
  expect(data.map(({ content }: Json) => content)[0]).toBe('eve')
  expect(data).toHaveLength(2)
})

test('requests without an owner get 401 on every route', async () => {
  promise('H13')
  const upstream = await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({
    runs: { identify: (request) => (request.headers['x-user'] as string) ?? undefined },
  })
  const routes: [method: string, path: string, body?: object][] = [
    ['POST', '/runs', { message: 'Hi' }],
    ['POST', '/runs', {}],
    ['GET', '/runs?limit=0'],
    ['GET', '/runs/r'],
    ['GET', '/runs/r/events'],
    ['POST', '/runs/r/cancel', {}],
    ['POST', '/runs/r/approvals/a', {}],
    ['DELETE', '/runs/r'],
    ['GET', '/approvals'],
    ['POST', '/threads', {}],
    ['GET', '/threads'],
    ['GET', '/threads/t'],
    ['DELETE', '/threads/t'],
    ['GET', '/threads/t/messages'],
    ['GET', '/threads/t/stream'],
    ['POST', '/get_response', { message: 'Hi' }],
    ['POST', '/get_response_stream', { message: 'Hi' }],
    ['POST', '/cancel_response_stream', { run_id: 'r' }],
  ]
  for (const [method, path, body] of routes)
    for (const headers of [{}, as(''), as('x'.repeat(257))]) {
      const { status, body: answer } = await api.ask(method, path, body, headers)
      expect([method, path, status, typeof answer.detail]).toEqual([method, path, 401, 'string'])
    }
  expect(upstream.seen).toEqual([])
  expect((await api.post('/runs', { message: 'Hi' }, as('x'.repeat(256)))).status).toBe(202)
  expect((await api.get('/get_metadata')).status).toBe(200)
})

test('an identify that fails is a 401 without its text', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ runs: { identify } })
  const { status, body } = await api.get('/runs', as('broken'))
  expect([status, body.code]).toEqual([401, 'NOT_IDENTIFIED'])
  expect(JSON.stringify(body)).not.toContain('session store')
})

test('runs of the original endpoints have owners, too', async () => {
  const upstream = await useUpstream(() => ({ hang: true }))
  const { api } = await serveRuns({ runs: { identify } })
  const ada = api.as(as('ada'))
  const response = await ada.fetch('POST', '/get_response_stream', { message: 'Hi' })
  const runId = (await readStream(response).next()).value?.data.run_id
  await expect.poll(() => upstream.seen.length).toBe(1)
  const body = { run_id: runId, cancel_mode: 'immediate' }
  expect((await api.as(as('eve')).post('/cancel_response_stream', body)).status).toBe(404)
  expect((await ada.post('/cancel_response_stream', body)).body).toMatchObject({ ok: true, cancelled: true })
})

test('without identify everybody shares the runs of an agency', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns()
  const { run_id } = await api.as(as('ada')).run({ message: 'Hi' })
  expect((await api.as(as('eve')).get(`/runs/${run_id}`)).status).toBe(200)
  expect((await allFrames(`${api.base}/get_response_stream`, { message: 'Hi' })).at(-1)?.event).toBe('end')
  expect((await postAndRead(`${api.base}/get_response`, { message: 'Hi' })).status).toBe(200)
})
