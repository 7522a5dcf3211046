import { expect, test } from 'vitest'
import { RecordingFeed, recordLog, scriptedPlan, waitForAbort } from '../../tests/support/scripted-run.ts'
import { readLimits } from '../base/limits.ts'
import type { Batch } from './feed.ts'
import { Runner, type RunnerOptions } from './runner.ts'

function createRunner({ limits, ...more }: Partial<RunnerOptions> = {}) {
  let count = 0
  return new Runner({
    limits: { ...readLimits(), ...limits },
    exposeErrors: false,
    redact: (text) => text,
    log: recordLog(),
    logFailures: false,
    newId: () => `run-${++count}`,
    ...more,
  })
}
const owner = 'shop'

test('ids come from the given maker, and a run is known until it ends', async () => {
  const runner = createRunner()
  const run = runner.start(await scriptedPlan(() => 'Hello'), { owner })
  expect(run).toMatchObject({ id: 'run-1', recipient: 'Solo' })
  expect(runner.size).toBe(1)
  await run.done
  expect(runner.size).toBe(0)
})

test('the events of a streamed run are numbered without a gap', async () => {
  const run = createRunner().start(await scriptedPlan(() => 'Hello'), { owner })
  const batches: Batch[] = []
  for await (const batch of run.events ?? []) batches.push(batch)
  let next = 1
  for (const { first, events } of batches) {
    expect(first).toBe(next)
    next += events.length
  }
  expect(batches[0]?.events[0]).toMatchObject({ kind: 'started', runId: 'run-1' })
  expect(batches.at(-1)?.events.at(-1)).toMatchObject({ kind: 'ended', summary: { finalOutput: 'Hello' } })
})

test('a run may bring its own feed, which gets all events of a plain run too', async () => {
  const feed = new RecordingFeed()
  const plan = await scriptedPlan(() => 'Hello', { streaming: false })
  const run = createRunner().start(plan, { owner, feed })
  expect(run.events).toBeUndefined()
  await run.done
  expect(feed.events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['started', 'item', 'ended']))
  expect(feed.sealed).toBe(true)
})

test('only its owner can cancel a run', async () => {
  const runner = createRunner()
  const run = runner.start(await scriptedPlan(waitForAbort), { owner })
  const missing = { code: 'RUN_NOT_FOUND', statusCode: 404 }
  await expect(runner.cancel(run.id, 'bank', 'immediate', 1000)).rejects.toMatchObject(missing)
  await expect(runner.cancel('run-2', owner, 'immediate', 1000)).rejects.toMatchObject(missing)
  const sameName = ['sh', 'op'].join('') // an owner is a text, not an object
  expect(await runner.cancel(run.id, sameName, 'immediate', 1000)).toMatchObject({ cancelled: true })
  await expect(runner.cancel(run.id, owner, 'immediate', 1000)).rejects.toMatchObject(missing)
})

test('a cancel that takes too long answers undefined, and still holds', async () => {
  const runner = createRunner()
  const { promise, resolve } = Promise.withResolvers<string>()
  const run = runner.start(await scriptedPlan(() => promise), { owner })
  expect(await runner.cancel(run.id, owner, 'after_turn', 10)).toBeUndefined()
  resolve('Hello')
  expect(await run.done).toMatchObject({ cancelled: true, finalOutput: 'Hello' })
})

test('an immediate stop is not weakened by a later one', async () => {
  const run = createRunner().start(await scriptedPlan(waitForAbort), { owner })
  run.stop('immediate')
  run.stop('after_turn')
  expect(await run.done).toMatchObject({ cancelled: true })
})

test('beyond its number of concurrent runs the runner refuses', async () => {
  const runner = createRunner({ limits: { ...readLimits(), concurrentRuns: 1 } })
  const plan = await scriptedPlan(waitForAbort)
  const run = runner.start(plan, { owner })
  expect(() => runner.start(plan, { owner })).toThrow(expect.objectContaining({ code: 'OVERLOADED' }))
  run.stop('immediate')
  await run.done
  expect(() => runner.admit()).not.toThrow()
})

test('the time limit is read from the given clock', async () => {
  let now = 0
  const runner = createRunner({ limits: { ...readLimits(), runMs: 20 }, now: () => now })
  const run = runner.start(await scriptedPlan(waitForAbort), { owner })
  now = 20
  expect(await run.done).toMatchObject({ cancelled: false, error: { code: 'TIME_LIMIT' } })
})

test('a drain lets runs finish, then stops the rest and refuses new ones', async () => {
  const runner = createRunner()
  const short = runner.start(await scriptedPlan(() => 'Hello'), { owner })
  const long = runner.start(await scriptedPlan(waitForAbort), { owner })
  await runner.drain(50)
  expect(await short.done).toMatchObject({ finalOutput: 'Hello', failure: undefined })
  expect(await long.done).toMatchObject({ error: { code: 'SHUTTING_DOWN' } })
  expect(runner.draining).toBe(true)
  expect(() => runner.admit()).toThrow(expect.objectContaining({ code: 'SHUTTING_DOWN' }))
})

test('what a run held is given back at its end', async () => {
  const runner = createRunner()
  const run = runner.start(await scriptedPlan(() => 'Hello', { streaming: false }), { owner })
  expect(runner.budget.heldBytes).toBeGreaterThan(0)
  await run.done
  expect(runner.budget.heldBytes).toBe(0)
})
