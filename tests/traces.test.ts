/** The trace of a stored run: what is recorded, what is left out, and who may read it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createClient, type ModelSpan, type Trace, type TraceSpan } from '../src/client/index.ts'
import { Agency, type CommunicationFlow, Handoff, sqlite, tool } from '../src/index.ts'
import { useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { type Json, openStore, STORES, serveRuns } from './support/runs.ts'
import { call } from './support/tool-agent.ts'
import { agent, seen, team, teamScript } from './support/traced-team.ts'

const KEY = 'sk-caller-0123456789'

const flat = (spans: readonly TraceSpan[]): TraceSpan[] => spans.flatMap((span) => [span, ...flat(span.spans)])
const modelsOf = ({ spans }: Trace) => flat(spans).filter((span): span is ModelSpan => span.kind === 'model')
/** The tree in short: kinds and names. */
const outline = (spans: readonly TraceSpan[]): unknown[] =>
  spans.map((span) => {
    const name = span.kind === 'tool' ? span.tool : span.kind === 'attempt' ? span.attempt : span.agent
    const mark = `${span.kind} ${name}${span.status === 'completed' ? '' : ` ${span.status}`}`
    return span.spans.length === 0 ? mark : [mark, ...outline(span.spans)]
  })

test.for(STORES)('%s: the trace is a tree with what was sent and received', async (kind) => {
  const upstream = await useUpstream(teamScript)
  const { api, url } = await serveRuns({
    agencies: { support: team() },
    runs: { store: openStore(kind) },
    traces: true,
  })
  const { run_id } = await api.run({ message: 'Hello' })
  const trace = await createClient({ baseUrl: url }).agency('support').runs.trace(run_id)
  expect(trace).toMatchObject({ run_id, status: 'completed', truncated: false })
  const side = (name: string) => [
    'tool send_message',
    [`agent ${name}`, `model ${name}`, `tool ${name}_tool`, `model ${name}`],
  ]
  expect(outline(trace.spans)).toEqual([
    ['attempt 1', ['agent CEO', 'model CEO', side('Left'), side('Right'), 'model CEO']],
  ])
  // What a model got over HTTP is what its span shows.
  for (const { sent, usage, cost } of modelsOf(trace)) {
    const body = upstream.seen.find(
      (one) =>
        one.body.instructions === sent.instructions && (one.body.input as unknown[]).length === sent.input.length,
    )?.body as { input: unknown[]; tools: { name: string }[] }
    expect(body.input).toEqual(sent.input.map((item) => expect.objectContaining(item as object)))
    expect(body.tools.map(({ name }) => name)).toEqual(sent.tools.map((one) => (one as { name: string }).name))
    expect(usage?.input_tokens).toBeGreaterThan(0)
    expect(cost).toBeGreaterThan(0)
  }
  const [first, ...others] = modelsOf(trace)
  expect(first?.received?.items).toMatchObject([{ name: 'send_message' }, { name: 'send_message' }])
  expect(others.at(-1)?.sent.input.slice(0, 1)).toEqual(first?.sent.input)
  expect(others.at(-1)?.first_delta_ms).toBeGreaterThanOrEqual(0)
  const tools = flat(trace.spans).filter((span) => span.kind === 'tool')
  expect(tools.map(({ output }) => output).sort()).toEqual(['Left is done', 'Right is done', 'ok', 'ok'])
  // Each value is sent once.
  const raw = (await api.get(`/runs/${run_id}/trace`)).body
  const texts = raw.contents.map((value: unknown) => JSON.stringify(value))
  expect(new Set(texts).size).toBe(texts.length)

  await api.delete(`/runs/${run_id}`)
  expect((await api.get(`/runs/${run_id}/trace`)).status).toBe(404)
})

test('the history of a long run is written to the store once', async () => {
  const store = `${useFolder()}/runs.db`
  const turns = 12
  const said = 'words '.repeat(2_000)
  const note = tool({ name: 'note', execute: () => 'noted' })
  await useUpstream((body) => (seen(body).outputs < turns ? call('note') : { text: 'Done' }))
  const { api } = await serveRuns({ agent: { tools: [note] }, runs: { store: sqlite(store) }, traces: true })
  const { run_id } = await api.run({ message: said })
  const { body } = await api.get(`/runs/${run_id}/trace`)
  expect(body.spans[0].spans[0].spans).toHaveLength(2 * turns + 1)
  expect(body.spans[0].spans[0].spans.at(-1).sent.input).toHaveLength(2 * turns + 1)
  expect(JSON.stringify(body).split(said)).toHaveLength(2)
  expect(JSON.stringify(body).length).toBeLessThan(3 * said.length)
  const written = ['', '-wal'].map(
    (end) =>
      readFileSync(store + end)
        .toString('latin1')
        .split(said).length - 1,
  )
  // Beside the trace: the plan, the item and the events of the run.
  expect(written[0] ?? 0).toBeLessThan(turns)
})

test('keys, headers and bytes of files are not in a trace', async () => {
  const upstream = await useUpstream(() => ({ status: 400, message: `bad key ${KEY}` }))
  const { api } = await serveRuns({
    agent: { modelSettings: { extraHeaders: { 'x-team': 'secret-team' } } },
    traces: true,
    trustedModelOrigins: [upstream.baseURL],
    exposeErrors: true,
  })
  const picture = `data:image/png;base64,${'A'.repeat(4_000)}`
  const { run_id, status } = await api.run({
    message: [
      {
        role: 'user',
        content: [
          { type: 'input_text', text: `My key is ${KEY}` },
          { type: 'input_image', image_url: picture, detail: 'auto' },
        ],
      },
    ],
    client_config: { base_url: upstream.baseURL, api_key: KEY },
  })
  expect(status).toBe('failed')
  const { body } = await api.get(`/runs/${run_id}/trace`)
  const text = JSON.stringify(body)
  for (const secret of [KEY, 'secret-team', 'AAAAAAAA']) expect(text).not.toContain(secret)
  expect(text).toContain('My key is [redacted]')
  const failed = flat(body.spans).find(({ kind }) => kind === 'model')
  expect(failed).toMatchObject({ status: 'failed', error: { type: 'MODEL_FAILED' }, received: null })
})

test('a trace goes on after an approval, and shows who waited', async () => {
  const refund = tool({ name: 'refund', needsApproval: true, execute: () => 'paid' })
  await useUpstream((body) => (seen(body).outputs === 0 ? call('refund') : { text: 'Done' }))
  const { api } = await serveRuns({ agent: { tools: [refund] }, traces: true })
  const paused = await api.run({ message: 'Refund' })
  const before = (await api.get(`/runs/${paused.run_id}/trace`)).body
  expect(outline(before.spans)).toEqual([['attempt 1', ['agent CEO', 'model CEO', 'approval CEO in_progress']]])
  const [approval] = paused.required_action.approvals
  await api.post(`/runs/${paused.run_id}/approvals/${approval.approval_id}`, { decision: 'approve' })
  await api.settled(paused.run_id)
  const { body } = await api.get(`/runs/${paused.run_id}/trace`)
  expect(outline(body.spans)).toEqual([
    ['attempt 1', ['agent CEO', 'model CEO', 'approval CEO']],
    ['attempt 1', ['agent CEO', 'tool refund', 'model CEO']],
  ])
  expect(new Set(body.contents.map((value: unknown) => JSON.stringify(value))).size).toBe(body.contents.length)
})

test('a handoff is a span between two agents', async () => {
  const desk = agent('Desk')
  await useUpstream((body) =>
    seen(body).who === 'Desk' ? { calls: [{ name: 'transfer_to_Sales', arguments: {} }] } : { text: 'Sold' },
  )
  const flows: CommunicationFlow[] = [[desk, agent('Sales'), Handoff]]
  const { api } = await serveRuns({
    agencies: { support: new Agency(desk, { communicationFlows: flows }) },
    traces: true,
  })
  const { run_id } = await api.run({ message: 'Buy' })
  const { body } = await api.get(`/runs/${run_id}/trace`)
  expect(outline(body.spans)).toEqual([
    ['attempt 1', ['agent Desk', 'model Desk', 'handoff Desk'], ['agent Sales', 'model Sales']],
  ])
})

test('beyond traceBytes texts are left out, and the trace says so', async () => {
  await useUpstream(() => ({ text: 'x'.repeat(50) }))
  const { api } = await serveRuns({ traces: true, limits: { traceBytes: 2_000 } })
  const { run_id } = await api.run({ message: 'long '.repeat(1_000) })
  const { body } = await api.get(`/runs/${run_id}/trace`)
  expect(body.truncated).toBe(true)
  const [model] = flat(body.spans).filter(({ kind }) => kind === 'model')
  expect(model).toMatchObject({ status: 'completed', sent: { input: [null] } })
})

test('a long value is left out, and later ones are kept', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const { api } = await serveRuns({ traces: true })
  const { run_id } = await api.run({ message: 'x'.repeat(300_000) })
  const { body } = await api.get(`/runs/${run_id}/trace`)
  expect(body.truncated).toBe(true)
  const [model] = flat(body.spans).filter(({ kind }) => kind === 'model')
  expect(model).toMatchObject({ sent: { input: [null] }, received: { items: [expect.any(Number)] } })
})

test('traces are served where they are kept, and to their owner', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const identify = ({ headers }: { headers: { [name: string]: unknown } }) => String(headers['x-user'])
  for (const [options, served] of [
    [{}, false],
    [{ traces: true }, true],
    [{ playground: true }, true],
    [{ playground: true, traces: false }, false],
  ] as const) {
    const { api, url } = await serveRuns({ ...options, runs: { identify } })
    const ada = api.as({ 'x-user': 'ada' })
    const { run_id } = await ada.run({ message: 'Hi' })
    expect([options, (await ada.get(`/runs/${run_id}/trace`)).status]).toEqual([options, served ? 200 : 404])
    const stranger = await api.as({ 'x-user': 'eve' }).get(`/runs/${run_id}/trace`)
    expect(stranger.status).toBe(404)
    const document = (await (await fetch(`${url}/openapi.json`)).json()) as Json
    expect(Object.hasOwn(document.paths, '/support/runs/{run_id}/trace')).toBe(served)
    expect(Object.hasOwn(document.components.schemas, 'Trace')).toBe(served)
  }
})

test('a trace is gone with the events of its run', async () => {
  await useUpstream(() => ({ text: 'Hello' }))
  const store = openStore('memory')
  const { api } = await serveRuns({ runs: { store }, traces: true })
  const { run_id } = await api.run({ message: 'Hi' })
  await store.write({ kind: 'sweep', now: Date.now() + 10, eventsMs: 0, runsMs: 1_000_000 })
  const { status, body } = await api.get(`/runs/${run_id}/trace`)
  expect([status, body.code]).toEqual([410, 'EVENTS_EXPIRED'])
})
