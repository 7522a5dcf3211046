import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { EventLog } from './event-log.ts'
import type { RunEvent } from './events.ts'
import type { Batch } from './feed.ts'

const who = { agent: 'A', description: '', callerAgent: null, agentRunId: 'r', parentRunId: undefined }
const event = (index: number): RunEvent => ({ kind: 'model', who, event: { type: 'x', index } })
const indexOf = (said: RunEvent) => said.kind === 'model' && said.event.index

/** Writes as the loop does: waits whenever there is no room. Gives the most that was ever held. */
async function write(log: EventLog, count: number, bytes: number, stalled = () => {}) {
  const { signal } = new AbortController()
  let most = 0
  for (let index = 0; index < count; index++) {
    log.append([event(index)], bytes)
    most = Math.max(most, log.heldBytes)
    const room = log.room(signal, 1000, stalled)
    if (room !== undefined) await room
  }
  log.seal()
  return most
}
async function collect(reader: AsyncIterable<Batch>) {
  const batches: Batch[] = []
  for await (const batch of reader) batches.push(batch)
  return batches
}
async function readAll(reader: AsyncIterable<Batch>, pauseMs = 0) {
  const seen: unknown[] = []
  for await (const { events } of reader) {
    if (pauseMs > 0 && seen.length % 500 === 0) await sleep(pauseMs)
    seen.push(...events.map(indexOf))
  }
  return seen
}

test('three readers get 30,000 events from a bounded window', async () => {
  const log = new EventLog(4096)
  const readers = [log.read(), log.read(), log.read()]
  const all = Array.from({ length: 30_000 }, (_, index) => index)
  const reading = readers.map(async (reader, index) => {
    if (index === 2) await sleep(100)
    return readAll(reader, index)
  })
  const most = await write(log, all.length, 100)
  for (const seen of await Promise.all(reading)) expect(seen).toEqual(all)
  expect(most).toBeLessThanOrEqual(4096 + 100)
  expect(log.heldBytes).toBe(0)
})

test('a reader that leaves blocks nobody, and unread logs are empty', async () => {
  const log = new EventLog(200)
  const [stays, leaves] = [log.read(), log.read()]
  const reading = readAll(stays)
  const first = await (async () => {
    const writing = write(log, 50, 100)
    await leaves.next()
    await leaves.return?.()
    return writing
  })()
  expect(first).toBeLessThanOrEqual(400)
  expect(await reading).toHaveLength(50)
  const nobody = new EventLog(200)
  nobody.append([event(0)], 1000)
  expect(nobody.heldBytes).toBe(0)
})

test('a reader without progress is reported after the idle time', async () => {
  const log = new EventLog(10)
  log.read()
  log.append([event(0)], 100)
  const abort = new AbortController()
  const stalled = Promise.withResolvers<void>()
  const room = log.room(abort.signal, 20, stalled.resolve)
  await stalled.promise
  abort.abort()
  await expect(room).resolves.toBeUndefined()
})

test('batches carry the number of their first event, with readers or not', async () => {
  const log = new EventLog(10_000)
  log.append([event(1), event(2)], 1)
  const late = log.read()
  log.append([event(3)], 1)
  log.append([event(4), event(5)], 1)
  log.seal()
  const batches = await collect(late)
  expect(batches.map(({ first, events }) => [first, events.length])).toEqual([
    [3, 1],
    [4, 2],
  ])
})

test('the last events are kept where others find no room', async () => {
  const refused: unknown[] = []
  const budget = {
    charge: () => {
      throw new Error('full')
    },
    release: () => {},
  }
  const log = new EventLog(10, budget, (error) => refused.push(error))
  const reader = log.read()
  log.append([event(1)], 100_000)
  const summary = { failure: 'full' } as never
  log.append([{ kind: 'ended', runId: 'r', summary }], 100_000)
  log.seal()
  const batches = await collect(reader)
  expect(batches.map(({ first, events }) => [first, events[0]?.kind])).toEqual([[2, 'ended']])
  expect(refused).toHaveLength(2)
})
