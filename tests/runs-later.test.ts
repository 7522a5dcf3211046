/** Runs that start later (docs/runs.md, "Start a run later") and runs that are repeated. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { sqlite } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { openStore, STORES, serveRuns } from './support/runs.ts'

test.for(STORES)('%s: a run starts after its time, and not before', async (kind) => {
  await useUpstream(() => ({ text: 'Done' }))
  const { api } = await serveRuns({ runs: { store: openStore(kind) } })
  const began = Date.now()
  const run = await api.start({ message: 'Hi', after_seconds: 0.2, thread_id: 't' })
  expect(run).toMatchObject({ status: 'queued', queue_position: null, started_at: null })
  expect(Date.parse(run.start_at)).toBeGreaterThanOrEqual(began + 200)
  const ended = await api.settled(run.run_id)
  expect(ended.status).toBe('completed')
  expect(Date.parse(ended.started_at)).toBeGreaterThanOrEqual(Date.parse(run.start_at))
  await api.start({ message: 'Tomorrow', after_seconds: 86_400, thread_id: 't' }) // it holds up nobody
  expect((await api.run({ message: 'Now', thread_id: 't' })).status).toBe('completed')
  expect((await api.get('/threads/t')).body).toMatchObject({ message_count: 4, status: 'idle' })
})

test('it can be cancelled before, and survives a restart', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const file = `${useFolder()}/runs.db`
  const first = await serveRuns({ runs: { store: sqlite(file) } })
  const start_at = new Date(Date.now() + 700).toISOString().replace('Z', '+00:00')
  const kept = await first.api.start({ message: 'Kept', start_at })
  const dropped = await first.api.start({ message: 'Dropped', after_seconds: 3600 })
  const { status, body } = await first.api.post(`/runs/${dropped.run_id}/cancel`, {})
  expect([status, body]).toMatchObject([200, { status: 'cancelled', receipt: { state: 'never_started' } }])
  await first.close()
  const { api } = await serveRuns({ runs: { store: sqlite(file) } })
  expect((await api.get(`/runs/${kept.run_id}`)).body).toMatchObject({ start_at: start_at.replace('+00:00', 'Z') })
  expect(await api.settled(kept.run_id)).toMatchObject({ status: 'completed', attempt: 1 })
  expect((await api.get(`/runs/${dropped.run_id}`)).body.status).toBe('cancelled')
})

test('wrong starts are refused with the field that is wrong', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const { api } = await serveRuns({ limits: { startLaterMs: 60_000, scheduledRuns: 1 } })
  const refused = async (body: object) => {
    const { status, body: answer } = await api.post('/runs', { message: 'Hi', ...body })
    return [status, answer.detail[0].loc.at(-1)]
  }
  const soon = new Date(Date.now() + 30_000).toISOString()
  for (const [body, field] of [
    [{ after_seconds: -1 }, 'after_seconds'],
    [{ after_seconds: 61 }, 'after_seconds'],
    [{ after_seconds: 'soon' }, 'after_seconds'],
    [{ start_at: '2026-12-01 09:00' }, 'start_at'],
    [{ start_at: '2099-01-01T00:00:00Z' }, 'start_at'],
    [{ start_at: soon, after_seconds: 1 }, 'start_at'],
    [{ start_at: soon, thread_id: 't', multitask_strategy: 'interrupt' }, 'multitask_strategy'],
  ] as const)
    expect(await refused(body), JSON.stringify(body)).toEqual([422, field])
  await api.start({ message: 'Hi', start_at: soon })
  const full = await api.post('/runs', { message: 'Hi', start_at: soon })
  expect([full.status, full.body.code, full.headers.get('retry-after')]).toEqual([
    503,
    'OVERLOADED',
    expect.any(String),
  ])
})

test('retry starts a new run from the same request, on the same thread', async () => {
  const upstream = await useUpstream((_, index) => (index === 0 ? { status: 400, message: 'no' } : { text: 'Done' }))
  const { api } = await serveRuns()
  const body = { message: 'Hi', thread_id: 't', metadata: { channel: 'web' }, additional_instructions: 'Be brief.' }
  const failed = await api.run(body)
  expect(failed.status).toBe('failed')
  const key = { 'idempotency-key': 'again' }
  const [retried, replayed] = [
    await api.post(`/runs/${failed.run_id}/retry`, {}, key),
    await api.post(`/runs/${failed.run_id}/retry`, {}, key),
  ]
  expect([retried.status, replayed.body.run_id]).toEqual([202, retried.body.run_id])
  expect(retried.headers.get('location')).toBe(`/support/runs/${retried.body.run_id}`)
  const run = await api.settled(retried.body.run_id)
  expect(run).toMatchObject({ status: 'completed', thread_id: 't', metadata: { channel: 'web' }, response: 'Done' })
  expect(JSON.stringify(upstream.seen[1])).toContain('Be brief.')
  expect((await api.post('/runs/unknown/retry')).status).toBe(404)
})

test('a run that lives, or that used keys of its request, is not repeated', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  vi.stubEnv('AGENCY_STORE_KEY', 'ab'.repeat(32))
  onTestFinished(() => void vi.unstubAllEnvs())
  const { api } = await serveRuns()
  const later = await api.start({ message: 'Hi', after_seconds: 3600 })
  const secret = await api.run({ message: 'Hi', client_config: { api_key: 'sk-of-the-caller' } })
  const codeOf = async (runId: string) => {
    const { status, body } = await api.post(`/runs/${runId}/retry`)
    return [status, body.code]
  }
  expect(await codeOf(later.run_id)).toEqual([409, 'RUN_ACTIVE'])
  expect(await codeOf(secret.run_id)).toEqual([409, 'NOT_REPEATABLE'])
})
