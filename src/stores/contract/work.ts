/** What every store promises of claims, and of what a worker writes. */
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import type { Job, Page } from '../../runs/run-store.ts'
import type { JsonObject } from '../../wire/json.ts'
import { codeOf, message, NOW, readUntil, type Scene } from './scene.ts'

const conversation = (state: JsonObject, agent = 'CEO') => ({
  conversation: 'c0',
  parent: null,
  agent,
  caller: null,
  state,
})
const item = (n: number, text: string) => ({ conversation: 'c0', n, item: { text } })

export function describeClaims(open: () => Scene): void {
  test('a claim takes a queued run, with its plan', async () => {
    const { admit, claim } = open()
    await admit('r', { plan: { message: 'hi' }, sealed: 'secret' })
    const claimed = await claim('r')
    expect(claimed).toMatchObject({
      claim: { attempt: 1 },
      run: { status: 'in_progress', attempt: 1, worker: 'w1', startedAt: NOW },
      work: { plan: { message: 'hi' }, sealed: 'secret', history: [], items: [] },
      takenOver: false,
    })
  })

  test('of two claims one gets the run', async () => {
    const { admit, tryClaim } = open()
    await admit('r')
    const both = await Promise.all([tryClaim('r', { worker: 'w1' }), tryClaim('r', { worker: 'w2' })])
    expect(both.filter((one) => one !== undefined)).toHaveLength(1)
  })

  test('an unknown and an ended run cannot be claimed', async () => {
    const { start, end, tryClaim } = open()
    await end(await start('r'))
    expect([await tryClaim('r'), await tryClaim('nobody')]).toEqual([undefined, undefined])
  })

  test('a dead worker loses its run: one of two takes it over', async () => {
    const { start, tryClaim, write } = open()
    const dead = await start('r')
    expect(await tryClaim('r', { worker: 'w2' })).toBeUndefined()
    const deadFence = dead.claim.fence
    const both = await Promise.all([tryClaim('r', { deadFence }), tryClaim('r', { deadFence, worker: 'w3' })])
    const [taken, ...rest] = both.filter((one) => one !== undefined)
    expect(rest).toEqual([])
    expect(taken).toMatchObject({ takenOver: true, run: { attempt: 2, crashes: 1 } })
    expect(await codeOf(write(dead, { events: { first: 2, list: ['{}'] } }))).toBe('FENCED')
    expect(await codeOf(write(dead, { leave: { kind: 'release' } }))).toBe('FENCED')
  })

  test('crashes count up, and a turn boundary forgets them', async () => {
    const { start, claim, write, run } = open()
    let taken = await start('r')
    for (const crashes of [1, 2]) {
      taken = await claim('r', { deadFence: taken.claim.fence })
      expect(taken.run.crashes).toBe(crashes)
    }
    await write(taken, { turn: true })
    expect((await run('r')).crashes).toBe(0)
  })

  test('a hand-over is an attempt without a crash', async () => {
    const { start, claim, write, named } = open()
    const { ready } = await write(await start('r'), { leave: { kind: 'release' } })
    expect(named(ready)).toEqual(['r'])
    expect(await claim('r', { worker: 'w2' })).toMatchObject({ takenOver: true, run: { attempt: 2, crashes: 0 } })
  })

  test('a pinned run is for its process, or to be ended', async () => {
    const { admit, tryClaim } = open()
    await admit('r', { pin: 'w1', recoverable: false })
    expect(await tryClaim('r', { worker: 'w2' })).toBeUndefined()
    const taken = await tryClaim('r', { worker: 'w2', ignorePin: true })
    expect(taken?.run).toMatchObject({ recoverable: false, pin: 'w1' })
  })

  test('jobs are what workers may claim, of every owner', async () => {
    const { admit, start, store, strangers, idOf } = open()
    const held = await start('r', { on: 't' })
    await admit('waiting', { on: 't' })
    await admit('s', strangers[0])
    const ids = ['r', 'waiting', 's'].map((name) => idOf(name).runId)
    const jobs: Job[] = []
    let after: string | null = null
    do {
      const page: Page<Job> = await store.read({ kind: 'jobs', limit: 1, after })
      jobs.push(...page.data.filter(({ runId }) => ids.includes(runId)))
      after = page.next
    } while (after !== null)
    expect(jobs).toMatchObject([
      { runId: ids[0], status: 'in_progress', worker: 'w1', fence: held.claim.fence, attempt: 1 },
      { runId: ids[2], status: 'queued', worker: null, fence: 0, attempt: 0 },
    ])
  })
}

export function describeWork(open: () => Scene): void {
  test('what was written is there for the next attempt', async () => {
    const { start, claim, write } = open()
    const run = await start('r')
    await write(run, {
      turn: true,
      conversations: [conversation({ turns: 1 })],
      items: [item(0, 'a')],
      calls: [{ conversation: 'c0', callId: 'k1', state: 'begun' }],
    })
    const nested = {
      ...conversation({}),
      conversation: 'c1',
      parent: { conversation: 'c0', callId: 'k1' },
      caller: 'CEO',
    }
    await write(run, {
      conversations: [conversation({ turns: 2 }, 'Billing'), nested],
      items: [item(1, 'b')],
      calls: [{ conversation: 'c0', callId: 'k1', state: 'done', output: { ok: true } }],
    })
    const { work } = await claim('r', { deadFence: run.claim.fence })
    expect(work.conversations).toEqual([conversation({ turns: 2 }, 'Billing'), nested])
    expect(work.items).toEqual([item(0, 'a'), item(1, 'b')])
    expect(work.calls).toEqual([{ conversation: 'c0', callId: 'k1', state: 'done', output: { ok: true } }])
  })

  test('a write may be repeated', async () => {
    const { start, claim, write, events, messages } = open()
    const run = await start('r', { on: 't' })
    const change = {
      conversations: [conversation({ turns: 1 })],
      items: [item(0, 'a')],
      calls: [{ conversation: 'c0', callId: 'k1', state: 'done', output: 1 } as const],
      messages: { from: 0, list: [message('a')] },
      events: { first: 2, list: ['{"n":2}', '{"n":3}'] },
    }
    await write(run, change)
    const { state } = await write(run, { ...change, events: { first: 2, list: ['{"n":2}', '{"n":3}', '{"n":4}'] } })
    expect(state.lastEventId).toBe(4)
    expect(await events('r')).toEqual([{ kind: 'meta' }, { n: 2 }, { n: 3 }, { n: 4 }])
    expect(await messages('t')).toHaveLength(1)
    expect((await claim('r', { deadFence: run.claim.fence })).work).toMatchObject({
      items: [item(0, 'a')],
      calls: [{}],
    })
  })

  test('long values come back as they were, wherever they stand', async () => {
    const { start, claim, write, messages, run: readRun, store, idOf } = open()
    const long = 'é"\n\u{1F600}'.repeat(150_000)
    const run = await start('r', { on: 't', plan: { message: long }, events: [JSON.stringify({ long })] })
    const change = {
      conversations: [conversation({ long })],
      items: [{ ...item(0, 'a'), item: { long, ...JSON.parse('{"__proto__":1}') } }, item(1, 'b')],
      calls: [{ conversation: 'c0', callId: 'k1', state: 'done', output: { long } } as const],
      messages: { from: 0, list: [message(long), message('b')] },
      events: { first: 2, list: ['{"n":2}', JSON.stringify({ long }), '{"n":4}'] },
    }
    await write(run, change)
    await write(run, {
      conversations: [conversation({ long: `${long}!` })],
      messages: { from: 1, list: [message(long)] },
    })
    const next = await claim('r', { deadFence: run.claim.fence })
    const same = (a: unknown, b: unknown) => expect(isDeepStrictEqual(a, b)).toBe(true) // a difference is too long to print
    same(next.work.plan, { message: long })
    same(next.work.conversations, [conversation({ long: `${long}!` })])
    same(next.work.items, change.items)
    same(next.work.calls, change.calls)
    same(next.work.messages, [message(long), message(long)])
    const events: unknown[] = []
    while (events.length < 4) {
      const page = await store.read({ kind: 'events', ...idOf('r'), after: events.length, limit: 100 })
      events.push(...page.events.map(({ event }) => JSON.parse(event)))
    }
    same(events, [{ long }, { n: 2 }, { long }, { n: 4 }])
    await write(next, { leave: { kind: 'end', status: 'completed', outcome: { response: long } } })
    same((await readRun('r')).outcome, { response: long })
    same(
      (await messages('t')).map(({ message }) => message.content),
      [long, long],
    )
  })

  test('records of a trace are kept in order, once, for their owner', async () => {
    const { start, write, store, idOf, strangers } = open()
    const run = await start('r')
    expect(await store.read({ kind: 'trace', ...idOf('r') })).toEqual([])
    const long = 'x'.repeat(300_000)
    const first = { trace: { first: 0, records: JSON.stringify([{ a: 1 }, { a: long }]) } }
    await write(run, first)
    await write(run, first)
    await write(run, { trace: { first: 2, records: '[{"a":3}]' } })
    expect(await store.read({ kind: 'trace', ...idOf('r') })).toEqual([{ a: 1 }, { a: long }, { a: 3 }])
    for (const stranger of strangers)
      expect(await codeOf(store.read({ kind: 'trace', ...stranger, runId: idOf('r').runId }))).toBe('NOT_FOUND')
  })

  test('a call that is done does not begin again', async () => {
    const { start, claim, write } = open()
    const run = await start('r')
    const call = { conversation: 'c0', callId: 'k1' }
    await write(run, { calls: [{ ...call, state: 'done', output: 'x' }] })
    await write(run, { calls: [{ ...call, state: 'begun' }] })
    expect((await claim('r', { deadFence: run.claim.fence })).work.calls).toEqual([
      { ...call, state: 'done', output: 'x' },
    ])
  })

  test('a gap in the numbers of events is refused, and nothing is written', async () => {
    const { start, write, run, events } = open()
    const claimed = await start('r')
    const change = { recoverable: false, events: { first: 7, list: ['{}'] } }
    await expect(write(claimed, change)).rejects.toThrow(RangeError)
    expect([(await run('r')).recoverable, (await events('r')).length]).toEqual([true, 1])
  })

  test('events carry the attempt that said them', async () => {
    const { start, claim, write, store, idOf } = open()
    const dead = await start('r')
    await write(dead, { events: { first: 2, list: ['{}'] } })
    await write(await claim('r', { deadFence: dead.claim.fence }), { events: { first: 3, list: ['{}'] } })
    const { events } = await store.read({ kind: 'events', ...idOf('r'), after: 1, limit: 10 })
    expect(events.map(({ number, attempt }) => [number, attempt])).toEqual([
      [2, 1],
      [3, 2],
    ])
  })

  test('the end is written once, with its last event and without secrets', async () => {
    const { start, write, end, run, events, store, idOf } = open()
    const claimed = await start('r', { sealed: 'secret' })
    const error = { code: 'MODEL_FAILED', message: 'No.' }
    await write(claimed, { leave: { kind: 'end', status: 'failed', outcome: { response: 1 }, error } })
    expect((await end(claimed)).state.status).toBe('failed')
    expect(await run('r')).toMatchObject({
      status: 'failed',
      outcome: { response: 1 },
      error,
      endedAt: NOW,
      worker: null,
    })
    expect((await events('r')).at(-1)).toEqual({ kind: 'ended', status: 'failed' })
    expect((await store.read({ kind: 'work', ...idOf('r') })).sealed).toBeNull()
  })

  test('a write after the end is fenced', async () => {
    const { start, write, end } = open()
    const claimed = await start('r')
    await end(claimed)
    expect(await codeOf(write(claimed, { events: { first: 3, list: ['{}'] } }))).toBe('FENCED')
  })

  test('an end that is repeated names the next run again', async () => {
    const { start, admit, end, named } = open()
    const claimed = await start('r', { on: 't' })
    await admit('s', { on: 't' })
    await end(claimed)
    expect(named((await end(claimed)).ready)).toEqual(['s'])
  })

  test('a run may say later that only its process can go on with it', async () => {
    const { start, write, run } = open()
    await write(await start('r'), { recoverable: false, pin: 'w1' })
    expect(await run('r')).toMatchObject({ recoverable: false, pin: 'w1' })
  })
}

export function describeWatch(open: () => Scene): void {
  test('a watcher gets what is there, what comes, and ends with the run', async () => {
    const { start, write, end, store, idOf } = open()
    const run = await start('r')
    const reading = readUntil(store.watch({ ...idOf('r'), after: 0, signal: AbortSignal.timeout(10_000) }), () => false)
    for (const first of [2, 3, 4]) await write(run, { events: { first, list: [`{"n":${first}}`] } })
    await end(run)
    const news = await reading
    expect(news.flatMap(({ events }) => events.map(({ number }) => number))).toEqual([1, 2, 3, 4, 5])
    expect(news.at(-1)?.state).toMatchObject({ status: 'completed', lastEventId: 5 })
  })

  test('a long log comes whole, piece by piece', async () => {
    const { start, write, end, store, idOf } = open()
    const run = await start('r')
    await write(run, { events: { first: 2, list: Array.from({ length: 1200 }, (_, n) => `{"n":${n}}`) } })
    await end(run)
    const news = await readUntil(
      store.watch({ ...idOf('r'), after: 3, signal: AbortSignal.timeout(10_000) }),
      () => false,
    )
    expect(news.flatMap(({ events }) => events).map(({ number }) => number)).toEqual(
      Array.from({ length: 1199 }, (_, n) => n + 4),
    )
    expect(Math.max(...news.map(({ events }) => events.length))).toBeLessThanOrEqual(500)
  })

  test('a worker hears of the wish to stop, without events', async () => {
    const { start, cancel, store, idOf, write } = open()
    const run = await start('r')
    const watching = store.watch({ ...idOf('r'), after: Number.POSITIVE_INFINITY, signal: AbortSignal.timeout(10_000) })
    const reading = readUntil(watching, ({ state }) => state.wish !== null)
    await write(run, { events: { first: 2, list: ['{}'] } })
    await cancel('r')
    const news = await reading
    expect(news.at(-1)?.state.wish).toBe('immediate')
    expect(news.flatMap(({ events }) => events)).toEqual([])
  })

  test('a watcher that is aborted ends', async () => {
    const { admit, store, idOf } = open()
    await admit('r')
    const abort = new AbortController()
    const reading = readUntil(store.watch({ ...idOf('r'), after: 0, signal: abort.signal }), () => false)
    abort.abort()
    await expect(reading).resolves.toBeDefined()
  })
}
