import { expect, test } from 'vitest'
import { codeOf, createScene, message, NOW } from './contract/scene.ts'
import { describeRunStore } from './contract.testsuite.ts'
import { memory } from './memory.ts'

describeRunStore('memory', () => memory())

test('the oldest ended runs are forgotten, live ones are not', async () => {
  const scene = createScene(memory({ endedRuns: 2 }))
  await scene.start('live')
  for (const [index, name] of ['a', 'b', 'c'].entries()) {
    const { claim } = await scene.start(name)
    await scene.store.write({
      kind: 'run',
      claim,
      now: NOW + index,
      leave: { kind: 'end', status: 'completed', outcome: {} },
    })
  }
  await scene.admit('next')
  expect(await codeOf(scene.run('a'))).toBe('NOT_FOUND')
  for (const name of ['live', 'b', 'c']) expect(await scene.run(name)).toBeDefined()
})

test('the bound on queued runs counts those of the whole store', async () => {
  const { admit, strangers, claim } = createScene(memory())
  const limits = { threadQueue: 20, queuedRuns: 1, scheduledRuns: 1 }
  await admit('a', { limits })
  expect(await codeOf(admit('b', { limits, ...strangers[0] }))).toBe('OVERLOADED')
  await claim('a')
  expect((await admit('b', { limits })).replayed).toBe(false)
})

test('an ended run is forgotten after its time', async () => {
  const scene = createScene(memory({ endedMs: 1000 }))
  await scene.end(await scene.start('a'))
  await scene.admit('b', { now: NOW + 999 })
  expect((await scene.run('a')).status).toBe('completed')
  await scene.admit('c', { now: NOW + 1000 })
  expect(await codeOf(scene.run('a'))).toBe('NOT_FOUND')
})

test('the threads that were idle for longest are forgotten, busy ones are not', async () => {
  const scene = createScene(memory({ idleThreads: 1 }))
  const live = await scene.start('live', { on: 'busy' })
  await scene.admit('waiting', { on: 'busy' })
  await scene.end(live)
  for (const [index, name] of ['t1', 't2'].entries())
    await scene.store.write({
      kind: 'createThread',
      ...scene.threadOf(name),
      messages: [message('a')],
      metadata: {},
      now: NOW + index,
    })
  await scene.admit('next')
  expect(await codeOf(scene.thread('t1'))).toBe('NOT_FOUND')
  for (const name of ['busy', 't2']) expect(await scene.thread(name)).toBeDefined()
})
