import { expect, test, vi } from 'vitest'
import { type Fault, faulty } from '../../../tests/support/faulty-store.ts'
import { Budget } from '../../base/budget.ts'
import { createScene } from '../../stores/contract/scene.ts'
import { memory } from '../../stores/memory.ts'
import type { Speaker } from '../events.ts'
import { boundStore } from './bounded-store.ts'
import { StoredLog, type StoredLogOptions } from './log.ts'

const who: Speaker = { agent: 'CEO', description: '', callerAgent: null, agentRunId: 'a', parentRunId: undefined }
const delta = (text: string) =>
  ({ kind: 'model', who, event: { type: 'response.output_text.delta', delta: text } }) as const
const item = (id: string) => ({ kind: 'model', who, event: { type: 'response.output_item.done', id } }) as const
const turn = { turn: true } as const

interface Setup {
  faults?: readonly Fault[]
  limits?: Partial<StoredLogOptions['limits']>
  options?: Partial<StoredLogOptions>
}

async function createLog({ faults = [], limits, options }: Setup = {}) {
  const away = faulty(memory(), { 'write run': faults })
  const storeMs = limits?.storeMs ?? 5_000
  const store = boundStore(away, { storeMs, storedBodyBytes: 1e6 }, () => {})
  const writes = vi.spyOn(away, 'write')
  const scene = createScene(store)
  const { claim, run } = await scene.start('r')
  const lost: unknown[] = []
  const full: unknown[] = []
  const wishes: unknown[] = []
  const budget = new Budget({ bound: 2 ** 30, refuse: () => new Error('no room') })
  const log = new StoredLog({
    store,
    claim,
    now: Date.now,
    lastEventId: run.lastEventId,
    storedBytes: 0,
    limits: { eventBatchMs: 10, slowReaderBytes: 10_000, runEventBytes: 1e6, storeMs, ...limits },
    budget: budget.part(),
    onFull: (error) => full.push(error),
    onLost: (error) => lost.push(error),
    onState: ({ wish }) => wish !== null && wishes.push(wish),
    closing: new AbortController().signal,
    ...options,
  })
  const kinds = async () => (await scene.events('r')).map((event) => (event as { kind: string }).kind)
  const runWrites = () => writes.mock.calls.map(([change]) => change).filter(({ kind }) => kind === 'run')
  return { log, scene, lost, full, wishes, kinds, claim, runWrites, budget }
}

test('events that come together are one write', async () => {
  const { log, kinds, runWrites } = await createLog()
  for (const text of 'abc') log.append([delta(text)], 1, 'main')
  expect(log.after(1)).toEqual([])
  await log.next(new AbortController().signal)
  expect(log.after(1)?.map(({ number }) => number)).toEqual([2, 3, 4])
  expect((await kinds()).slice(1)).toEqual(['model', 'model', 'model'])
  expect(runWrites()).toHaveLength(1)
})

test('nobody gets an event before it is stored', async () => {
  const { log, scene } = await createLog({ faults: ['fail', 'fail'] })
  log.append([delta('a')], 1, 'main')
  const written = log.write({})
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(log.after(1)).toEqual([])
  expect((await scene.run('r')).lastEventId).toBe(1)
  await written
  expect(log.after(1)).toHaveLength(1)
})

test('a change is stored with the events that came before it', async () => {
  const { log, runWrites } = await createLog()
  log.append([delta('a')], 1, 'main')
  await log.write(turn)
  expect(runWrites()).toMatchObject([{ turn: true, events: { first: 2, list: [expect.stringContaining('a')] } }])
})

test('changes are stored in their order', async () => {
  const { log, scene } = await createLog({ faults: ['fail', 'lost'] })
  const states = ['one', 'two', 'three'].map((text) => {
    log.append([item(text)], 1, 'main')
    const conversation = { conversation: 'c', parent: null, agent: 'CEO', caller: null, state: { text } }
    return log.write({ conversations: [conversation] })
  })
  await Promise.all(states)
  const work = await scene.store.read({ kind: 'work', ...scene.idOf('r') })
  expect(work.conversations[0]?.state).toEqual({ text: 'three' })
  expect((await scene.run('r')).lastEventId).toBe(4)
})

test('a write whose answer is lost is repeated without effect', async () => {
  const { log, kinds } = await createLog({ faults: ['lost', 'lost'] })
  log.append([delta('a'), delta('b')], 1, 'main')
  await log.write(turn)
  expect((await kinds()).slice(1)).toEqual(['model', 'model'])
  expect(log.after(1)?.map(({ number }) => number)).toEqual([2, 3])
})

test('a store that stays away loses the log after storeMs', async () => {
  const { log, lost, runWrites } = await createLog({ faults: Array(50).fill('fail'), limits: { storeMs: 200 } })
  log.append([delta('a')], 1, 'main')
  await expect(log.write(turn)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await expect(log.write(turn)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(lost).toHaveLength(1)
  expect(log.lost).toBeDefined()
  const before = runWrites().length
  log.append([delta('b')], 1, 'main')
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(runWrites()).toHaveLength(before)
})

test('a store that hangs loses the log after storeMs', async () => {
  const { log, lost } = await createLog({ faults: ['hang'], limits: { storeMs: 100 } })
  await expect(log.write(turn)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(lost).toHaveLength(1)
})

test('a store that is away is not waited for once the process closes', async () => {
  const closing = new AbortController()
  const { log } = await createLog({ faults: Array(50).fill('fail'), options: { closing: closing.signal } })
  const written = log.write(turn)
  setTimeout(() => closing.abort(), 20)
  await expect(written).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

test('a log whose run was taken by another writes nothing more', async () => {
  const { log, lost, scene, claim } = await createLog()
  await scene.claim('r', { deadFence: claim.fence })
  log.append([delta('a')], 1, 'main')
  await expect(log.write(turn)).rejects.toMatchObject({ code: 'FENCED' })
  expect(lost).toMatchObject([{ code: 'FENCED' }])
  expect((await scene.run('r')).lastEventId).toBe(1)
})

test('readers of a lost log are sent to the store, and do not wait', async () => {
  const { log, scene, claim } = await createLog()
  await scene.claim('r', { deadFence: claim.fence })
  const waiting = log.next(new AbortController().signal)
  await log.write(turn).catch(() => {})
  await waiting
  expect(log.after(1)).toBeUndefined()
})

test('beyond runEventBytes pieces are left out, items are kept', async () => {
  const { log, kinds } = await createLog({ limits: { runEventBytes: 1_000 } })
  for (let index = 0; index < 50; index++) log.append([delta(`piece ${index}`)], 1, 'main')
  log.append([item('i1')], 1, 'main')
  await log.write({})
  const stored = await kinds()
  expect(stored.filter((kind) => kind === 'truncated')).toHaveLength(1)
  expect(stored.at(-1)).toBe('model')
  expect(stored.length).toBeLessThan(12)
})

test('the bound holds for all attempts of a run together', async () => {
  const { log, kinds } = await createLog({ limits: { runEventBytes: 1_000 }, options: { storedBytes: 1_001 } })
  log.append([delta('a'), item('i')], 1, 'main')
  await log.write({})
  expect((await kinds()).slice(1)).toEqual(['model'])
})

test('the run waits while too much is not stored yet, and no longer', async () => {
  const { log } = await createLog({ faults: ['fail'], limits: { slowReaderBytes: 500 } })
  const { signal } = new AbortController()
  expect(log.room(signal)).toBeUndefined()
  log.append([delta('x'.repeat(1_000))], 1, 'main')
  const room = log.room(signal)
  expect(room).toBeInstanceOf(Promise)
  await room
  expect(log.room(signal)).toBeUndefined()
})

test('what waits for a store that is away counts, however often it was tried', async () => {
  const { log } = await createLog({ faults: Array(50).fill('fail'), limits: { slowReaderBytes: 500, storeMs: 300 } })
  log.append([delta('x'.repeat(1_000))], 1, 'main')
  const written = log.write({})
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(log.room(new AbortController().signal)).toBeInstanceOf(Promise)
  await expect(written).rejects.toThrow()
})

test('memory is charged to the run, given back, and bounded', async () => {
  const { log, full, budget } = await createLog({ limits: { slowReaderBytes: 1e7 } })
  for (let index = 0; index < 100; index++) log.append([delta('x'.repeat(4_000))], 1, 'main')
  expect(budget.heldBytes).toBeGreaterThan(1e6)
  await log.write({})
  log.append([delta('y')], 1, 'main')
  await log.write({})
  expect(budget.heldBytes).toBeLessThan(400_000)
  expect(full).toEqual([])
  const small = new Budget({ bound: 100_000, refuse: () => new Error('no room') })
  const second = await createLog({ options: { budget: small } })
  second.log.append([delta('x'.repeat(100_000))], 1, 'main')
  await second.log.write({})
  expect((await second.scene.run('r')).lastEventId).toBe(2)
})

test('the newest events stay in memory, older ones are in the store', async () => {
  const { log } = await createLog()
  for (let index = 0; index < 100; index++) {
    log.append([delta('x'.repeat(2_000))], 1, 'main')
    await log.write({})
  }
  expect(log.after(1)).toBeUndefined()
  expect(log.after(95)?.map(({ number }) => number)).toEqual([96, 97, 98, 99, 100, 101])
})

test('a write finds the wish to stop', async () => {
  const { log, scene, wishes } = await createLog()
  await log.write({})
  await scene.cancel('r', 'after_turn')
  await log.write({})
  expect(wishes).toEqual(['after_turn'])
})
