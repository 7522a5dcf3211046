/** Events that tools send with context.emit(), in every kind of stream. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createClient } from '../src/client/index.ts'
import { Agency, Agent, BaseTool, tool } from '../src/index.ts'
import { ask, inputOf, user } from './support/agui.ts'
import { openShop, openStore, outputsIn, STORES } from './support/approval-shop.ts'
import { allFrames, type Frame, postAndRead, readFrames, startServer, useUpstream } from './support/client.ts'
import { useFolder } from './support/folder.ts'
import { agent, call, type Json, outputsOf } from './support/tool-agent.ts'

const importer = tool({
  name: 'import_rows',
  parameters: z.object({}),
  async execute(_args, context) {
    for (const done of [1, 2]) await context.emit({ name: 'progress', value: { done, of: 2 } })
    return 'imported'
  },
})
/** A model that calls one tool, then answers. */
const callOnce =
  (name: string, args: Json = {}) =>
  (body: Json) =>
    outputsIn(body).length === 0 ? call(name, args) : { text: 'Done' }

const customs = (frames: readonly Frame[]) =>
  frames.map(({ data }) => data?.data).filter((data) => data?.type === 'custom')

test('events of a tool are frames of the stream', async () => {
  await useUpstream(callOnce('import_rows'))
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [importer] })) } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' })
  const called = frames.find(({ data }) => data?.data?.name === 'tool_called')?.data.data
  const { agent_run_id, call_id } = called
  const sent = { agent: 'Assistant', callerAgent: null, agent_run_id, call_id }
  expect(customs(frames)).toEqual([
    { type: 'custom', name: 'progress', value: { done: 1, of: 2 }, ...sent },
    { type: 'custom', name: 'progress', value: { done: 2, of: 2 }, ...sent },
  ])
  const names = frames.map(({ data }) => data?.data?.name).filter((name) => /^(tool|progress)/.test(name ?? ''))
  expect(names).toEqual(['tool_called', 'progress', 'progress', 'tool_output'])
})

test('an event of a tool arrives while the tool still runs', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<string>()
  const slow = tool({
    name: 'slow',
    execute: async (_args, context) => {
      await context.emit({ name: 'begun' })
      return released
    },
  })
  await useUpstream(callOnce('slow'))
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [slow] })) } })
  const seen: unknown[] = []
  for await (const { data } of readFrames(`${url}/solo/get_response_stream`, { message: 'Go' })) {
    if (data?.data?.name === 'begun') release('ok')
    seen.push(data?.data?.name, data?.data?.value)
  }
  expect(seen).toContain('begun')
  expect(seen).toContain(null)
  expect(seen.indexOf('begun')).toBeLessThan(seen.indexOf('tool_output'))
})

test('events of a sub-agent name it and the call it works for', async () => {
  const worker = agent({ name: 'Worker', instructions: 'Work.', tools: [importer] })
  const boss = agent({ name: 'Boss', instructions: 'Ask.' })
  await useUpstream((body) => {
    if (outputsIn(body).length > 0) return { text: 'Done' }
    const ask = { name: 'send_message', arguments: { recipient_agent: 'Worker', message: 'Import' }, id: 'ask_1' }
    return String(body.instructions).includes('Ask.') ? { calls: [ask] } : call('import_rows')
  })
  const agency = new Agency(boss, { communicationFlows: [[boss, worker]] })
  const { url } = await startServer({ agencies: { duo: agency } })
  const [first] = customs(await allFrames(`${url}/duo/get_response_stream`, { message: 'Go' }))
  expect(first).toMatchObject({ agent: 'Worker', callerAgent: 'Boss', parent_run_id: 'ask_1' })
})

test('AG-UI gets CUSTOM events', async () => {
  await useUpstream(callOnce('import_rows'))
  const agency = new Agency(agent({ tools: [importer] }))
  const { url } = await startServer({ agencies: { solo: agency }, enableAgui: true })
  const events = await ask(`${url}/solo/get_response_stream`, inputOf([user('Go')]))
  const sent = events.filter(({ type }) => type === 'CUSTOM')
  expect(sent).toMatchObject([
    { name: 'progress', value: { done: 1, of: 2 }, metadata: { agent: 'Assistant', call_id: expect.any(String) } },
    { name: 'progress', value: { done: 2, of: 2 } },
  ])
})

test('a stream without a server has the events', async () => {
  await useUpstream(callOnce('import_rows'))
  const values: unknown[] = []
  for await (const event of agent({ tools: [importer] }).getResponseStream('Go'))
    if (event.type === 'custom') values.push([event.name, event.value, event.agent])
  expect(values).toEqual([
    ['progress', { done: 1, of: 2 }, 'Assistant'],
    ['progress', { done: 2, of: 2 }, 'Assistant'],
  ])
})

test('the client gives the events as a kind of their own', async () => {
  await useUpstream(callOnce('import_rows'))
  const { url } = await startServer({ agencies: { solo: new Agency(agent({ tools: [importer] })) } })
  const seen: unknown[] = []
  for await (const event of createClient({ baseUrl: url }).agency('solo').stream('Go'))
    if (event.kind === 'custom') seen.push([event.name, event.value, event.agent, typeof event.call_id])
  expect(seen).toEqual([
    ['progress', { done: 1, of: 2 }, 'Assistant', 'string'],
    ['progress', { done: 2, of: 2 }, 'Assistant', 'string'],
  ])
})

test.each(STORES)('a stored run keeps the events in its log (%s)', async (name) => {
  await useUpstream(callOnce('import_rows'))
  const shop = await openShop({ store: openStore(name), tools: [importer] })
  const { run_id } = await shop.start()
  await shop.until(run_id, 'completed')
  const frames = await shop.allEvents(run_id)
  expect(customs(frames).map(({ value }) => value)).toEqual([
    { done: 1, of: 2 },
    { done: 2, of: 2 },
  ])
  expect(frames.map(({ id }) => id)).toEqual(frames.map((_, index) => index + 1))
})

test('a stored run with too many events no longer stores those of tools', async () => {
  const chatty = tool({
    name: 'chatty',
    execute: async (_args, context) => {
      for (let n = 0; n < 200; n++) await context.emit({ name: 'noise', value: 'x'.repeat(1_000) })
      return 'quiet'
    },
  })
  await useUpstream(callOnce('chatty'))
  const shop = await openShop({ tools: [chatty], limits: { runEventBytes: 50_000 } })
  const { run_id } = await shop.start()
  await shop.until(run_id, 'completed')
  const frames = await shop.allEvents(run_id)
  expect(customs(frames).length).toBeGreaterThan(10)
  expect(customs(frames).length).toBeLessThan(60)
  expect(frames.map(({ event }) => event)).toContain('truncated')
  expect(frames.map(({ data }) => data?.data?.name)).toContain('tool_output')
})

const circular: Json = {}
circular.self = circular
test.each([
  ['no name', {}, 'an event is { name, value }'],
  ['an empty name', { name: '' }, 'an event is { name, value }'],
  ['a long name', { name: 'x'.repeat(129) }, 'an event is { name, value }'],
  ['no event', 'progress', 'an event is { name, value }'],
  ['a response', { name: 'page', value: new Response('x') }, '"page": the tool returned a Response'],
  ['too much', { name: 'rows', value: 'é'.repeat(50) }, '"rows" has 102 bytes, more than limits.toolEventBytes (100)'],
])('an event with %s is refused', async (_name, event, text) => {
  const errors: unknown[] = []
  const wrong = tool({
    name: 'wrong',
    execute: (_args, context) => {
      try {
        void context.emit(event as never)
      } catch (error) {
        errors.push(error)
      }
      return 'went on'
    },
  })
  await useUpstream(callOnce('wrong'))
  const agency = new Agency(agent({ tools: [wrong] }))
  const { url } = await startServer({ agencies: { solo: agency }, tools: [wrong], limits: { toolEventBytes: 100 } })
  const frames = await allFrames(`${url}/solo/get_response_stream`, { message: 'Go' })
  await postAndRead(`${url}/tool/wrong`, {})
  const refused = { code: 'INVALID_EVENT', message: expect.stringContaining(text) }
  expect([errors, customs(frames)]).toMatchObject([[refused, refused], []])
})

test('values are copied, and what JSON lacks is written as tool results are', async () => {
  const value = { at: new Date(0), tags: new Set(['a']), circular }
  const teller = tool({
    name: 'teller',
    execute: (_args, context) => {
      void context.emit({ name: 'state', value })
      value.tags.add('later')
      return 'ok'
    },
  })
  await useUpstream(callOnce('teller'))
  const events: unknown[] = []
  for await (const event of agent({ tools: [teller] }).getResponseStream('Go'))
    if (event.type === 'custom') events.push(event.value)
  expect(events).toEqual([{ at: '1970-01-01T00:00:00.000Z', tags: ['a'], circular: { self: '[circular]' } }])
})

test('an event of a call that has ended is dropped', async () => {
  let late = (): Promise<void> => Promise.reject(new Error('never set'))
  const leaver = tool({
    name: 'leaver',
    timeoutMs: 20,
    execute: (_args, context) => {
      late = () => context.emit({ name: 'late' })
      return new Promise(() => {})
    },
  })
  await useUpstream((body) =>
    outputsIn(body).length === 0 ? call('leaver') : { text: 'Done', deltas: 3, delayMs: 20 },
  )
  const seen: string[] = []
  for await (const event of agent({ tools: [leaver] }).getResponseStream('Go')) {
    if (event.type === 'run_item_stream_event' && event.name === 'tool_output') await late()
    seen.push(event.type)
  }
  await late()
  expect(seen).not.toContain('custom')
  expect(seen).toContain('run_item_stream_event')
})

test('emit does nothing without a stream', async () => {
  class Counter extends BaseTool.define({}) {
    async run() {
      await this.context.emit({ name: 'count', value: 1 })
      return 'counted'
    }
  }
  await useUpstream(callOnce('Counter'))
  const agency = new Agency(agent({ tools: [Counter] }))
  const { url } = await startServer({ agencies: { solo: agency }, tools: [Counter] })
  const { body } = await postAndRead(`${url}/solo/get_response`, { message: 'Go' })
  expect(outputsOf(body.new_messages)).toEqual(['counted'])
  expect(await postAndRead(`${url}/tool/Counter`, {})).toMatchObject({ status: 200, body: { response: 'counted' } })
})

test('a reader that falls behind slows a tool that awaits its events', async () => {
  let sent = 0
  const flood = tool({
    name: 'flood',
    execute: async (_args, context) => {
      for (; sent < 200; sent++) await context.emit({ name: 'piece', value: 'x'.repeat(60_000) })
      return 'all'
    },
  })
  await useUpstream(callOnce('flood'))
  const stream = new Agent({ name: 'A', model: 'gpt-4.1', tools: [flood] }).getResponseStream('Go')
  let read = 0
  let stood = 0
  for await (const event of stream) {
    if (event.type !== 'custom') continue
    if (read++ > 0) continue
    do {
      stood = sent
      await new Promise((resolve) => setTimeout(resolve, 100))
    } while (stood < sent)
  }
  expect(stood).toBeLessThan(150)
  expect([read, sent]).toEqual([200, 200])
})

test('a restart voids the events of calls that it has interrupted', async () => {
  let attempt = 0
  const quick = tool({ name: 'quick', execute: (_args, { emit }) => emit({ name: 'quick' }).then(() => 'quick') })
  const slow = tool({
    name: 'slow',
    safeToRetry: true,
    execute: async (_args, context) => {
      await context.emit({ name: 'slow', value: ++attempt })
      return attempt === 1 ? new Promise(() => {}) : 'slow'
    },
  })
  const calls = [
    { name: 'quick', arguments: {} },
    { name: 'slow', arguments: {} },
  ]
  await useUpstream((body) => (outputsIn(body).length === 0 ? { calls } : { text: 'Done' }))
  const folder = useFolder()
  const open = () => openShop({ store: openStore('sqlite', folder), tools: [quick, slow], limits: { drainMs: 20 } })
  const before = await open()
  const { run_id } = await before.start()
  for await (const { data } of before.events(run_id)) if (data?.data?.name === 'slow') break
  await before.close()
  const after = await open()
  await after.until(run_id, 'completed')
  const frames = await after.allEvents(run_id)
  let shown: typeof frames = []
  for (const frame of frames) {
    if (frame.event === 'attempt') shown = shown.filter(({ id }) => id <= frame.data.void_after)
    shown.push(frame)
  }
  const told = (list: typeof frames) => customs(list).map(({ name, value }) => [name, value])
  expect(told(shown)).toEqual([
    ['quick', null],
    ['slow', 2],
  ])
  expect(told(frames)).toContainEqual(['slow', 1])
})
