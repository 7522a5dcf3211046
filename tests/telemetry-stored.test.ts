/** Traces and metrics of stored runs (docs/observability.md). */
import { expect, test, vi } from 'vitest'
import { sqlite, tool } from '../src/index.ts'
import { createMetrics } from '../src/otel.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { gate, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'
import { collectSpans, named } from './support/traces.ts'
import { startWebhookHost } from './support/webhook-host.ts'

/** `name{labels}` -> value, of the lines of the store and its webhooks. */
async function scrape(url: string): Promise<{ [series: string]: number }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = [...text.matchAll(/^agency_swarm_((?:stored_runs|webhooks)\S*) (\S+)$/gm)]
  return Object.fromEntries(lines.map(([, series, value]) => [series, Number(value)]))
}

test.for([
  ['a caller with a trace', { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' }],
  ['a caller without one', {}],
] as const)('all attempts of a run are in one trace: %s', async ([, headers]) => {
  const open = gate()
  await useUpstream((_, index) => (index === 0 ? call('wait') : { text: 'Done' }))
  const wait = tool({ name: 'wait', execute: () => open.promise.then(() => 'done') })
  const file = `${useFolder()}/runs.db`
  const serve = ({ telemetry }: ReturnType<typeof collectSpans>) =>
    serveRuns({ agent: { tools: [wait] }, runs: { store: sqlite(file) }, telemetry })
  const traces = [collectSpans(), collectSpans()] as const
  const first = await serve(traces[0])
  const { run_id } = await first.api.start({ message: 'Hi' }, headers)
  await vi.waitFor(
    async () => expect((await first.api.get(`/runs/${run_id}`)).body.last_event_id).toBeGreaterThan(3),
    15_000,
  )
  await first.close()
  open.resolve()
  const second = await serve(traces[1])
  expect(await second.api.settled(run_id)).toMatchObject({ status: 'completed', attempt: 2 })
  const before = await traces[0].spans()
  const accepted = named(before, 'accept_run support')
  const runs = [before, await traces[1].spans()].map((spans) => named(spans, 'invoke_workflow support'))
  for (const run of runs) expect(run.parentSpanContext?.spanId).toBe(accepted.spanContext().spanId)
  const ids = new Set([accepted, ...runs].map((span) => span.spanContext().traceId))
  expect(ids.size).toBe(1)
  if ('traceparent' in headers) {
    expect(headers.traceparent).toContain([...ids][0])
    expect(headers.traceparent).toContain(accepted.parentSpanContext?.spanId)
  }
  expect(accepted.attributes).toMatchObject({ 'agency_swarm.run.id': run_id })
})

test('a run that is refused is a failed acceptance', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const { telemetry, spans } = collectSpans()
  const { api } = await serveRuns({ telemetry, limits: { scheduledRuns: 1 } })
  const later = { message: 'Hi', after_seconds: 60 }
  expect([(await api.post('/runs', later)).status, (await api.post('/runs', later)).status]).toEqual([202, 503])
  const [fine, failed] = await spans()
  expect([fine?.status.code, failed?.attributes['error.type']]).toEqual([0, 'OVERLOADED'])
})

test('/metrics tells what waits, for how long, and what became of attempts', async () => {
  const open = gate()
  await useUpstream((_, index) => (index === 0 ? call('wait') : { text: 'Done' }))
  const host = await startWebhookHost(() => 500)
  const { url, api } = await serveRuns({
    agent: { tools: [tool({ name: 'wait', execute: () => open.promise.then(() => 'done') })] },
    metrics: true,
    runs: { webhooks: { trustedOrigins: [host.url] } },
    limits: { webhookAttempts: 1 },
  })
  const webhook = { url: host.url }
  const first = await api.start({ message: 'Hi', thread_id: 't', webhook })
  const second = await api.start({ message: 'Hi', thread_id: 't' })
  await api.start({ message: 'Hi', after_seconds: 60 })
  await vi.waitFor(async () => expect((await api.get(`/runs/${first.run_id}`)).body.status).toBe('in_progress'), 15_000)
  const during = await scrape(url)
  expect(during).toMatchObject({
    'stored_runs_live{status="queued"}': 1,
    'stored_runs_live{status="scheduled"}': 1,
    'stored_runs_live{status="in_progress"}': 1,
    'stored_runs_live{status="requires_action"}': 0,
    'webhooks_open{status="waiting"}': 0,
    'stored_runs_attempts_total{agency="support",cause="start"}': 1,
  })
  expect(during.stored_runs_oldest_queued_seconds).toBeGreaterThan(0)
  open.resolve()
  await api.settled(second.run_id)
  await vi.waitFor(async () => expect(await scrape(url)).toMatchObject({ 'webhooks_open{status="dead"}': 1 }), 15_000)
  const after = await scrape(url)
  expect(after).toMatchObject({ 'webhooks_attempts_total{outcome="dead"}': 1, stored_runs_oldest_queued_seconds: 0 })
  expect(after.stored_runs_event_lag_seconds_count).toBeGreaterThan(2)
})

test('a run that its process left behind counts as a crash, with its time', async () => {
  await useUpstream(() => ({ text: 'Done' }))
  const file = `${useFolder()}/runs.db`
  const first = await serveRuns({ runs: { store: sqlite(file) } })
  const { run_id } = await first.api.start({ message: 'Hi', after_seconds: 600 })
  await first.close()
  const store = sqlite(file)
  await store.write({ kind: 'sweep', now: Date.now() + 601_000, eventsMs: 1e9, runsMs: 1e9 })
  await store.claim({ runId: run_id, worker: 'gone', now: Date.now() - 5_000 })
  await store.close()
  const { url, api } = await serveRuns({ runs: { store: sqlite(file) }, metrics: true })
  expect(await api.settled(run_id)).toMatchObject({ status: 'completed', attempt: 2 })
  const series = await scrape(url)
  expect(series['stored_runs_attempts_total{agency="support",cause="crash"}']).toBe(1)
  expect(series.stored_runs_recovery_time_seconds_sum).toBeGreaterThanOrEqual(5)
})

test('a store that is away leaves its figures out', async () => {
  const metrics = createMetrics()
  metrics.watchStore(() => Promise.reject(new Error('away')))
  await metrics.refresh()
  metrics.note?.({ kind: 'fenced', agency: 'support' })
  expect(metrics.text()).not.toContain('agency_swarm_stored_runs_live{')
  expect(metrics.text()).toContain('agency_swarm_stored_runs_fenced_total{agency="support"} 1')
  metrics.close()
})
