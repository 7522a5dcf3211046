import { expect, test } from 'vitest'
import { codeOf, createScene } from '../src/stores/contract/scene.ts'
import { memory } from '../src/stores/memory.ts'
import { faulty } from './support/faulty-store.ts'

test('a call that fails has no effect', async () => {
  const { admit, mine, store } = createScene(faulty(memory(), { admit: ['fail'] }))
  expect(await codeOf(admit('r'))).toBe('STORE_UNAVAILABLE')
  expect((await store.read({ kind: 'runs', ...mine, limit: 1 })).data).toEqual([])
  expect((await admit('r')).replayed).toBe(false)
})

test('an admission whose answer is lost may be repeated', async () => {
  const { admit, named } = createScene(faulty(memory(), { admit: ['lost'] }))
  expect(await codeOf(admit('r'))).toBe('STORE_UNAVAILABLE')
  const { replayed, ready } = await admit('r')
  expect([replayed, named(ready)]).toEqual([true, ['r']])
})

test('a turn and an end whose answers are lost may be repeated', async () => {
  const { start, write, end, run, events } = createScene(faulty(memory(), { 'write run': ['lost', 'ok', 'lost'] }))
  const claimed = await start('r')
  const turn = () => write(claimed, { turn: true, events: { first: 2, list: ['{"n":2}'] } })
  expect(await codeOf(turn())).toBe('STORE_UNAVAILABLE')
  await turn()
  expect(await codeOf(end(claimed))).toBe('STORE_UNAVAILABLE')
  expect((await end(claimed)).state.status).toBe('completed')
  expect([(await run('r')).status, (await events('r')).length]).toEqual(['completed', 3])
})

test('a claim whose answer is lost is found among the jobs', async () => {
  const { admit, claim, store } = createScene(faulty(memory(), { claim: ['lost'] }))
  await admit('r')
  expect(await codeOf(claim('r'))).toBe('STORE_UNAVAILABLE')
  const [job] = (await store.read({ kind: 'jobs', limit: 1 })).data
  expect((await claim('r', { deadFence: job?.fence ?? -1 })).run.attempt).toBe(2)
})

test('a call that hangs goes on when it is released', async () => {
  const release = Promise.withResolvers<void>()
  const { admit, run } = createScene(faulty(memory(), { admit: ['hang'] }, release.promise))
  const admitting = admit('r')
  expect(await codeOf(run('r'))).toBe('NOT_FOUND')
  release.resolve()
  await admitting
  expect((await run('r')).status).toBe('queued')
})
