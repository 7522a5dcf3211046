/** What every store promises of admission: idempotency, threads, strategies, bounds. */
import { expect, test } from 'vitest'
import { approval, codeOf, errorOf, message, NOW, type Scene } from './scene.ts'

const key = (hash = 'h1', expiresAt = NOW + 1000) => ({ key: 'k', hash, expiresAt })

export function describeAdmission(open: () => Scene): void {
  test('a run is queued, claimable, and known with all its fields', async () => {
    const { admit, run, idOf, named } = open()
    const { run: admitted, replayed, ready } = await admit('r', { metadata: { channel: 'web' }, alias: 'x', on: 't' })
    expect({ replayed, ready: named(ready) }).toEqual({ replayed: false, ready: ['r'] })
    expect(admitted).toMatchObject({
      ...idOf('r'),
      threadId: 't',
      status: 'queued',
      attempt: 0,
      queuePosition: null,
      lastEventId: 1,
      metadata: { channel: 'web' },
      createdAt: NOW,
      startedAt: null,
      outcome: null,
    })
    expect(await run('r')).toEqual(admitted)
  })

  test('the same admission again finds the run', async () => {
    const { admit, mine, store } = open()
    const { run } = await admit('r')
    expect(await admit('r')).toMatchObject({ run, replayed: true })
    expect((await store.read({ kind: 'runs', ...mine, limit: 10 })).data).toHaveLength(1)
  })

  test('a key replays its run as it is now', async () => {
    const { admit, idOf, start, end } = open()
    await end(await start('r', { idempotency: key() }))
    const { run, replayed } = await admit('other', { idempotency: key() })
    expect({ replayed, runId: run.runId, status: run.status }).toEqual({
      replayed: true,
      runId: idOf('r').runId,
      status: 'completed',
    })
  })

  test('a key with another request is refused', async () => {
    const { admit } = open()
    await admit('r', { idempotency: key() })
    expect(await codeOf(admit('s', { idempotency: key('h2') }))).toBe('IDEMPOTENCY_MISMATCH')
  })

  test('two admissions with one key make one run', async () => {
    const { admit, mine, store } = open()
    const both = await Promise.all([admit('r', { idempotency: key() }), admit('s', { idempotency: key() })])
    expect(both.map(({ replayed }) => replayed).sort()).toEqual([false, true])
    expect(new Set(both.map(({ run }) => run.runId)).size).toBe(1)
    expect((await store.read({ kind: 'runs', ...mine, limit: 10 })).data).toHaveLength(1)
  })

  test('a refusal does not use up a key', async () => {
    const { admit } = open()
    await admit('r', { on: 't' })
    const refused = admit('s', { on: 't', strategy: 'reject', idempotency: key() })
    expect(await codeOf(refused)).toBe('THREAD_BUSY')
    expect(await admit('s', { idempotency: key('h2') })).toMatchObject({ replayed: false })
  })

  test('a key is free again when it has expired', async () => {
    const { admit } = open()
    await admit('r', { idempotency: key() })
    expect(await admit('s', { idempotency: key('h2'), now: NOW + 1000 })).toMatchObject({ replayed: false })
  })

  test('a key belongs to one owner', async () => {
    const { admit, strangers } = open()
    await admit('r', { idempotency: key() })
    for (const [index, stranger] of strangers.entries())
      expect(await admit(`s${index}`, { ...stranger, idempotency: key() })).toMatchObject({ replayed: false })
  })

  test('the key of a deleted run is not found', async () => {
    const { admit, end, start, store, idOf } = open()
    await end(await start('r', { idempotency: key() }))
    await store.write({ kind: 'deleteRun', ...idOf('r') })
    expect(await codeOf(admit('s', { idempotency: key() }))).toBe('NOT_FOUND')
  })

  test('a cancel, a decision and a new thread use keys, too', async () => {
    const { start, pause, store, idOf, threadOf } = open()
    await pause(await start('r'), approval())
    const use = (name: string) => ({ idempotency: { ...key(), key: name }, now: NOW })
    const decide = () =>
      store.write({ kind: 'decide', ...idOf('r'), approvalId: 'a1', decision: { kind: 'approve' }, ...use('d') })
    const cancel = () => store.write({ kind: 'cancel', ...idOf('r'), mode: 'immediate', ...use('c') })
    const create = () =>
      store.write({ kind: 'createThread', ...threadOf('t'), messages: [], metadata: {}, ...use('t') })
    for (const call of [decide, cancel, create])
      expect([(await call()).replayed, (await call()).replayed]).toEqual([false, true])
  })
}

export function describeThreadOrder(open: () => Scene): void {
  test('"reject": a busy thread names its active run', async () => {
    const { admit, idOf } = open()
    await admit('r', { on: 't' })
    const error = await errorOf(admit('s', { on: 't', strategy: 'reject' }))
    expect([error.code, error.statusCode, error.fields]).toEqual(['THREAD_BUSY', 409, { run_id: idOf('r').runId }])
  })

  test('"enqueue": runs wait in their order, and each end frees one', async () => {
    const { admit, claim, end, tryClaim, run, named } = open()
    await admit('r', { on: 't' })
    expect((await admit('s', { on: 't' })).ready).toEqual([])
    await admit('u', { on: 't' })
    expect([(await run('s')).queuePosition, (await run('u')).queuePosition]).toEqual([1, 2])
    expect(await tryClaim('s')).toBeUndefined()
    const { ready } = await end(await claim('r'))
    expect(named(ready)).toEqual(['s'])
    expect([(await run('s')).queuePosition, (await run('u')).queuePosition]).toEqual([null, 1])
    expect(await tryClaim('u')).toBeUndefined()
    expect(named((await end(await claim('s'))).ready)).toEqual(['u'])
  })

  test('a waiting run has an event for each of its places', async () => {
    const { admit, claim, end, events } = open()
    await admit('r', { on: 't' })
    await admit('s', { on: 't' })
    await admit('u', { on: 't' })
    await end(await claim('r'))
    expect(await events('u')).toEqual([
      { kind: 'meta' },
      { kind: 'queued', position: 2 },
      { kind: 'queued', position: 1 },
    ])
  })

  test('two admissions on one thread: one is active, one waits', async () => {
    const { admit } = open()
    const both = await Promise.all([admit('r', { on: 't' }), admit('s', { on: 't' })])
    expect(both.map(({ run }) => run.queuePosition).sort()).toEqual([1, null])
    expect(both.flatMap(({ ready }) => ready)).toHaveLength(1)
  })

  test('"interrupt": the active run gets the wish, waiting ones stay before', async () => {
    const { start, admit, run, end, named } = open()
    const active = await start('r', { on: 't' })
    await admit('s', { on: 't' })
    await admit('u', { on: 't', strategy: 'interrupt' })
    expect(await run('r')).toMatchObject({ status: 'in_progress', wish: 'immediate' })
    expect((await run('u')).queuePosition).toBe(2)
    expect(named((await end(active, 'cancelled')).ready)).toEqual(['s'])
  })

  test('"interrupt": an active run without a worker is cancelled at once', async () => {
    const { admit, run, named } = open()
    await admit('r', { on: 't' })
    const { ready, run: next } = await admit('s', { on: 't', strategy: 'interrupt' })
    expect(await run('r')).toMatchObject({ status: 'cancelled', endedAt: NOW })
    expect([named(ready), next.queuePosition]).toEqual([['s'], null])
  })

  test('"rollback": what the cancelled run added leaves the thread', async () => {
    const { start, admit, write, end, run, messages, claim } = open()
    const first = await start('p', { on: 't' })
    await write(first, { messages: { from: 0, list: [message('kept')] } })
    await end(first)
    const active = await start('r', { on: 't' })
    await write(active, { messages: { from: 0, list: [message('hello'), message('half')] } })
    await admit('s', { on: 't', strategy: 'rollback' })
    await end(active, 'cancelled')
    expect((await messages('t')).map((one) => one.message.content)).toEqual(['kept'])
    expect(await run('r')).toMatchObject({ status: 'cancelled', rolledBack: true })
    expect((await claim('s')).work.history.map(({ content }) => content)).toEqual(['kept'])
  })

  test('"rollback": a run that completed before it saw the wish is taken back, too', async () => {
    const { start, admit, write, end, run, messages } = open()
    const active = await start('r', { on: 't' })
    await write(active, { messages: { from: 0, list: [message('hello')] } })
    await admit('s', { on: 't', strategy: 'rollback' })
    await end(active)
    expect([await messages('t'), (await run('r')).rolledBack]).toEqual([[], true])
  })

  test('a thread takes as many waiting runs as it may', async () => {
    const { admit, mine, store } = open()
    const limits = { threadQueue: 2, queuedRuns: 100, scheduledRuns: 1 }
    for (const name of ['r', 's', 'u']) await admit(name, { on: 't', limits })
    expect(await codeOf(admit('v', { on: 't', limits }))).toBe('THREAD_QUEUE_FULL')
    expect((await store.read({ kind: 'runs', ...mine, limit: 10 })).data).toHaveLength(3)
  })

  test('a store takes as many queued runs as it may', async () => {
    const { admit, start } = open()
    await start('r')
    const limits = { threadQueue: 20, queuedRuns: 0, scheduledRuns: 1 }
    const error = await errorOf(admit('s', { limits }))
    expect([error.code, error.statusCode]).toEqual(['OVERLOADED', 503])
  })

  test('an unknown thread is made, or refused where it has to exist', async () => {
    const { admit, thread } = open()
    const reject = { threadId: 't', ifNotExists: 'reject', strategy: 'enqueue' } as const
    expect(await codeOf(admit('r', { thread: reject }))).toBe('NOT_FOUND')
    await admit('s', { on: 't' })
    expect(await thread('t')).toMatchObject({ threadId: 't', status: 'busy', messageCount: 0, createdAt: NOW })
    expect(await admit('u', { thread: reject })).toMatchObject({ replayed: false })
  })

  test('two owners have a thread of the same id each', async () => {
    const { admit, strangers } = open()
    await admit('r', { on: 't' })
    for (const [index, stranger] of strangers.entries())
      expect((await admit(`s${index}`, { ...stranger, on: 't' })).run.queuePosition).toBeNull()
  })
}
