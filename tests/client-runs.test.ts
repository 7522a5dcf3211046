import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { ClientError, createClient, type RunEvent, RunView } from '../src/client/index.ts'
import { Agency, Agent, type ServeOptions, tool } from '../src/index.ts'
import { startServer, useUpstream } from './support/client.ts'
import { startCuttingProxy } from './support/cutting-proxy.ts'
import { freePort } from './support/docs-run.ts'
import { startProcess } from './support/process.ts'
import { startUpstream, type Turn } from './support/upstream.ts'

vi.setConfig({ testTimeout: 60_000 }) // streams are cut and wait before they go on

const collect = async <T>(stream: AsyncIterable<T>): Promise<T[]> => {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}
const failureOf = async (work: Promise<unknown>): Promise<ClientError> => {
  const caught = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(caught).toBeInstanceOf(ClientError)
  return caught as ClientError
}

/** A server of one agent over a scripted model, and the client of its agency. */
async function serveSolo(script: (index: number) => Turn, options: Partial<ServeOptions> = {}, tools: object[] = []) {
  const upstream = await useUpstream((_body, index) => script(index))
  const agent = new Agent({ name: 'Solo', model: 'gpt-4.1', tools: tools as never })
  const { url } = await startServer({ agencies: { solo: new Agency(agent) }, ...options })
  return { url, upstream, solo: createClient({ baseUrl: url }).agency('solo') }
}

const refund = tool({
  name: 'refund',
  parameters: z.object({ order: z.number() }),
  needsApproval: true,
  execute: ({ order }) => `refunded ${order}`,
})

test('a run is started, read, listed, followed and deleted', async () => {
  const { solo } = await serveSolo((index) => ({ text: `Answer ${index}` }))
  const started = await solo.runs.start({ message: 'Hello', metadata: { channel: 'web' } })
  expect(started).toMatchObject({ agency: 'solo', metadata: { channel: 'web' } })
  const run = await solo.runs.get(started.run_id, { wait: 10 })
  expect(run).toMatchObject({ status: 'completed', response: 'Answer 0', new_messages: [{}, {}] })
  const stream = solo.runs.events(started.run_id)
  const events = await collect(stream)
  expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1))
  expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['meta', 'text', 'item', 'messages', 'end']))
  expect(stream.view).toMatchObject({ text: 'Answer 0', runId: run.run_id, lastEventId: run.last_event_id, attempt: 1 })
  expect(stream.view.messages).toEqual(run.new_messages)
  await solo.runs.delete(run.run_id)
  expect(await failureOf(solo.runs.get(run.run_id))).toMatchObject({ kind: 'not_found', code: 'NOT_FOUND' })
})

test('a stream starts a run, shows its text live and resolves with it', async () => {
  const { solo } = await serveSolo(() => ({ text: '', deltas: 6 }))
  const stream = solo.runs.stream('Hello')
  const texts: string[] = []
  for await (const event of stream) if (event.kind === 'text') texts.push(stream.view.text)
  expect(texts).toEqual(['0 ', '0 1 ', '0 1 2 ', '0 1 2 3 ', '0 1 2 3 4 ', '0 1 2 3 4 5 '])
  expect(await stream.result()).toMatchObject({ run_id: stream.runId, status: 'completed', attempt: 1 })
  const alone = solo.runs.stream('Hello')
  expect(await alone.result()).toMatchObject({ status: 'completed' })
  expect(alone.view.text).toBe('0 1 2 3 4 5 ')
  expect(() => alone[Symbol.asyncIterator]()).toThrow('already has a reader')
})

test('lists are read page by page, and only as far as asked', async () => {
  const requests: string[] = []
  const { url } = await serveSolo(() => ({ text: 'Hi' }))
  const counting: typeof fetch = (input, init) => {
    requests.push(String(input))
    return fetch(input, init)
  }
  const { threads, runs } = createClient({ baseUrl: url, fetch: counting }).agency('solo')
  for (let n = 0; n < 5; n++) await threads.create({ thread_id: `t-${n}`, metadata: { n: `${n}` } })
  requests.length = 0
  const ids = (await collect(threads.list({ limit: 2 }))).map(({ thread_id }) => thread_id)
  expect(ids).toEqual(['t-4', 't-3', 't-2', 't-1', 't-0'])
  expect(requests).toHaveLength(3)
  for await (const thread of threads.list({ limit: 2 })) if (thread.thread_id === 't-3') break
  expect(requests).toHaveLength(4)
  const first = await threads.list({ limit: 4 }).page()
  expect(first).toMatchObject({ has_more: true, data: [{}, {}, {}, {}] })
  expect((await threads.list({ after: first.next ?? '' }).page()).data).toHaveLength(1)
  expect(await collect(runs.list({ thread_id: 't-1', status: 'queued' }))).toEqual([])
})

test('a thread keeps the messages of its runs', async () => {
  const { solo } = await serveSolo((index) => ({ text: `Answer ${index}` }))
  const { thread_id } = await solo.threads.create()
  for (const message of ['One', 'Two']) await solo.runs.stream({ message, thread_id }).result()
  const texts = (await collect(solo.threads.messages(thread_id, { limit: 3 }))).map(({ content }) =>
    typeof content === 'string' ? content : (content as { text: string }[])[0]?.text,
  )
  expect(texts).toEqual(['One', 'Answer 0', 'Two', 'Answer 1'])
  expect(await solo.threads.get(thread_id)).toMatchObject({ status: 'idle', message_count: 4 })
  const renamed = await solo.threads.update(thread_id, { metadata: { title: 'Sums' } })
  expect(renamed).toMatchObject({ thread_id, metadata: { title: 'Sums' } })
  expect(await solo.threads.stream(thread_id)).toBeUndefined()
  await solo.threads.delete(thread_id)
  expect(await failureOf(solo.threads.get(thread_id))).toMatchObject({ code: 'NOT_FOUND', status: 404 })
})

test('the stream of a thread is its live run, from the first event', async () => {
  const { solo } = await serveSolo(() => ({ text: '', deltas: 20, delayMs: 20 }))
  const started = await solo.runs.start({ message: 'Hello', thread_id: 't' })
  const stream = await solo.threads.stream('t')
  const events = stream === undefined ? [] : await collect(stream)
  expect(events[0]).toEqual({ kind: 'meta', id: 1, run_id: started.run_id })
  expect(await stream?.result()).toMatchObject({ run_id: started.run_id, status: 'completed' })
})

test('a refusal has its code and what belongs to it', async () => {
  const { solo } = await serveSolo((index) => (index === 0 ? { hang: true } : { text: 'Hi' }))
  const { run_id } = await solo.runs.start({ message: 'Hello', thread_id: 't' })
  const busy = { message: 'Again', thread_id: 't', multitask_strategy: 'reject' } as const
  const expected = { kind: 'conflict', status: 409, code: 'THREAD_BUSY', fields: { run_id } }
  expect(await failureOf(solo.runs.start(busy))).toMatchObject(expected)
  expect(await failureOf(solo.runs.stream(busy).result())).toMatchObject(expected)
  expect(await failureOf(collect(solo.runs.stream(busy)))).toMatchObject(expected)
  const receipt = await solo.runs.cancel(run_id, { mode: 'immediate', waitMs: 5_000 })
  expect(receipt).toMatchObject({ run_id, status: 'cancelled', settled: true, receipt: { agent: 'Solo' } })
  const keyed = { idempotencyKey: 'k1' }
  await solo.runs.start('Hello', keyed)
  expect(await failureOf(solo.runs.start('Other', keyed))).toMatchObject({ code: 'IDEMPOTENCY_MISMATCH' })
})

test('a failed run rejects with its code and the run', async () => {
  const { solo } = await serveSolo(() => ({ status: 400, message: 'no' }))
  const stream = solo.runs.stream('Hello')
  await collect(stream)
  expect(stream.view.failure).toMatch(/./)
  const error = await failureOf(stream.result())
  expect(error).toMatchObject({ kind: 'failed', code: 'MODEL_FAILED', run: { status: 'failed', run_id: stream.runId } })
})

test('a stream cancels its run, with a receipt', async () => {
  const { solo, upstream } = await serveSolo(() => ({ text: '', deltas: 500, delayMs: 10 }))
  const stream = solo.runs.stream('Hello')
  let answer: unknown
  for await (const event of stream) if (event.kind === 'text' && answer === undefined) answer = await stream.cancel()
  expect(answer).toMatchObject({ status: 'cancelled', settled: true, receipt: { agent: 'Solo', state: 'stopped' } })
  expect(await stream.result()).toMatchObject({ status: 'cancelled' })
  await upstream.seen[0]?.aborted
  expect(await stream.cancel()).toMatchObject({ status: 'cancelled', settled: true })
})

test('leaving the loop leaves the run alone', async () => {
  const { solo } = await serveSolo(() => ({ text: '', deltas: 10, delayMs: 20 }))
  const stream = solo.runs.stream('Hello')
  for await (const event of stream) if (event.kind === 'text') break
  expect(await failureOf(stream.result())).toMatchObject({ kind: 'aborted' })
  const again = solo.runs.events(stream.runId ?? '', { after: stream.view.lastEventId })
  expect((await collect(again)).at(0)?.id).toBe(stream.view.lastEventId + 1)
  expect(await again.result()).toMatchObject({ status: 'completed' })
})

test('approvals are listed, edited, rejected and decided once', async () => {
  const call = { name: 'refund', arguments: { order: 1 } }
  const { solo } = await serveSolo((index) => (index % 2 === 0 ? { calls: [call] } : { text: 'Done' }), {}, [refund])
  const stream = solo.runs.stream('Refund it')
  for await (const event of stream)
    if (event.kind === 'requires_action') {
      const [asked] = stream.view.approvals
      expect(asked).toMatchObject({ tool: 'refund', agent: 'Solo', arguments: { order: 1 } })
      const [listed] = await collect(solo.approvals.list())
      expect(listed).toMatchObject({ approval_id: asked?.approval_id, status: 'pending', run_id: stream.runId })
      await stream.approve(asked?.approval_id ?? '', { arguments: { order: 2 } })
      expect(await failureOf(stream.reject(asked?.approval_id ?? ''))).toMatchObject({
        code: 'APPROVAL_DECIDED',
        fields: { status: 'approved' },
      })
    }
  expect(stream.view.items.find(({ name }) => name === 'tool_output')?.output).toBe('refunded 2')
  expect(stream.view.approvals).toEqual([])
  const { run_id } = await solo.runs.start('Refund it')
  const paused = await solo.runs.get(run_id, { wait: 10 })
  const [approval] = paused.required_action?.approvals ?? []
  await solo.runs.reject(run_id, approval?.approval_id ?? '', { reason: 'Not this one' })
  const ended = await solo.runs.events(run_id).result()
  expect(JSON.stringify(ended.new_messages)).toContain('Not this one')
})

test('a stream that is cut after every frame gives each event once', async () => {
  const call = { name: 'look', arguments: {} }
  const look = tool({ name: 'look', execute: () => 'seen' })
  const { url, solo } = await serveSolo((index) => (index === 0 ? { calls: [call] } : { text: '', deltas: 4 }), {}, [
    look,
  ])
  const { run_id } = await solo.runs.stream('Hello').result()
  const whole = await collect(solo.runs.events(run_id))
  for (const inside of [false, true]) {
    const proxy = await startCuttingProxy(url, () => ({ blocks: 2, inside })) // the block of `retry:`, and one frame
    const { runs } = createClient({ baseUrl: proxy.url }).agency('solo')
    const stream = runs.events(run_id)
    expect(await collect(stream)).toEqual(whole)
    expect(proxy.streams()).toBeGreaterThanOrEqual(whole.length)
    expect(stream.view.text).toBe('0 1 2 3 ')
  }
})

test('a start that is cut anywhere starts one run and shows it whole', async () => {
  const { url, solo } = await serveSolo(() => ({ text: '', deltas: 5, delayMs: 5 }))
  for (const cut of ['swallow', { blocks: 1 }, { blocks: 1, inside: true }, { blocks: 2 }, { blocks: 4 }] as const) {
    const before = (await collect(solo.runs.list())).length
    const proxy = await startCuttingProxy(url, (stream) => (stream === 0 ? cut : 'pass'))
    const stream = createClient({ baseUrl: proxy.url }).agency('solo').runs.stream('Hello')
    const events = await collect(stream)
    expect(events.map(({ id }) => id)).toEqual(events.map((_, index) => index + 1))
    expect(stream.view.text).toBe('0 1 2 3 4 ')
    expect((await collect(solo.runs.list())).length).toBe(before + 1)
  }
})

test('a process killed in mid-text leaves no void text in the view', async () => {
  const { upstream, start, solo } = await startKillable()
  const first = await start()
  const stream = solo.runs.stream('Hello')
  const shown: RunEvent[] = []
  let ended = false
  for await (const event of stream) {
    shown.push(event)
    if (event.kind === 'text' && stream.view.text.length > 20 && !ended) {
      ended = true
      expect(stream.view.text).toMatch(/^0 1 2 3 /)
      first.child.kill('SIGKILL')
      await first.exit
      await start()
    }
    // Nothing new comes between what is void and the event that says so.
    if (event.kind === 'attempt') expect(stream.view.text).toBe('')
  }
  expect(upstream.seen).toHaveLength(2)
  expect(stream.view).toMatchObject({ attempt: 2, text: upstreamText })
  expect((await stream.result()).attempt).toBe(2)
  const taken = shown.findIndex(({ kind }) => kind === 'attempt')
  expect(taken).toBeGreaterThan(5)

  const later = await collect(solo.runs.events(stream.runId ?? ''))
  const attempt = later.find((event) => event.kind === 'attempt')
  expect(later.filter(({ id }) => id > (attempt?.void_after ?? 0) && id < (attempt?.id ?? 0))).toEqual([])
  expect(later.flatMap((event) => (event.kind === 'text' ? [event.text] : [])).join('')).toBe(upstreamText)
})

test('a stop of the server is followed by the rest from the next one', async () => {
  const { start, solo } = await startKillable({ AGENCY_DRAIN_MS: '100' }) // shorter than the answer
  const first = await start()
  const stream = solo.runs.stream('Hello')
  let stopped = false
  const retries: number[] = []
  for await (const event of stream)
    if (event.kind === 'text' && !stopped) {
      stopped = true
      first.child.kill('SIGTERM')
      void first.exit.then(() => {
        retries.push(1)
        void start()
      })
    }
  expect(retries).toEqual([1])
  expect(stream.view.text).toBe(upstreamText)
  expect(await stream.result()).toMatchObject({ status: 'completed' })
})

const upstreamText = Array.from({ length: 60 }, (_, index) => `${index} `).join('')

/** A model that speaks slowly, and a server as its own process that can be killed and started again. */
async function startKillable(limits: Record<string, string> = {}) {
  const upstream = await startUpstream(() => ({ text: '', deltas: 60, delayMs: 15 }))
  onTestFinished(() => upstream.close())
  const folder = mkdtempSync(join(tmpdir(), 'client-runs-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const port = await freePort()
  const file = join(import.meta.dirname, 'support/runs-process.ts')
  const env = {
    PORT: String(port),
    STORE: join(folder, 'agency.db'),
    OPENAI_BASE_URL: upstream.baseURL,
    OPENAI_API_KEY: 'sk-test',
    ...limits,
  }
  const start = () => startProcess(file, env)
  const solo = createClient({ baseUrl: `http://127.0.0.1:${port}` }).agency('solo')
  return { upstream, start, solo }
}

test('a view of its own gives the same as that of the stream', async () => {
  const { solo } = await serveSolo(() => ({ text: '', deltas: 3 }))
  const view = new RunView()
  const stream = solo.runs.stream('Hello')
  for await (const event of stream) view.push(event)
  expect(view).toMatchObject({ text: stream.view.text, runId: stream.runId, lastEventId: stream.view.lastEventId })
})
