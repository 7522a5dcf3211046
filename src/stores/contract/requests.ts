/** What every store promises of cancels, approvals, threads and sweeping. */
import { expect, test } from 'vitest'
import { approval, codeOf, errorOf, message, NOW, type Scene } from './scene.ts'

export function describeCancel(open: () => Scene): void {
  test('a queued run is cancelled without a worker', async () => {
    const { admit, store, idOf, events, tryClaim, run } = open()
    await admit('r')
    const receipt = { state: 'never_started' }
    const { run: cancelled } = await store.write({
      kind: 'cancel',
      ...idOf('r'),
      mode: 'after_turn',
      now: NOW,
      describeStop: ({ status }, { plan }) => ({
        outcome: { plan },
        receipt,
        events: [JSON.stringify({ kind: 'summary', status })],
      }),
    })
    expect(cancelled).toMatchObject({ status: 'cancelled', wish: 'after_turn', endedAt: NOW, receipt })
    expect(cancelled.outcome).toEqual({ plan: { message: 'r' } })
    expect(await run('r')).toEqual(cancelled)
    expect(await events('r')).toEqual([
      { kind: 'meta' },
      { kind: 'summary', status: 'queued' },
      { kind: 'ended', status: 'cancelled' },
    ])
    expect(await tryClaim('r')).toBeUndefined()
  })

  test('a waiting run that is cancelled lets the others move up', async () => {
    const { admit, cancel, run } = open()
    for (const name of ['r', 's', 'u']) await admit(name, { on: 't' })
    await cancel('s')
    expect([(await run('r')).queuePosition, (await run('u')).queuePosition]).toEqual([null, 1])
  })

  test('a paused run is cancelled without a worker, with its approvals', async () => {
    const { start, pause, cancel, admit, named, approve } = open()
    await pause(await start('r', { on: 't' }), approval())
    await admit('s', { on: 't' })
    const { run, ready } = await cancel('r')
    expect([run.status, named(ready)]).toEqual(['cancelled', ['s']])
    const error = await errorOf(approve('r'))
    expect([error.code, error.fields]).toEqual(['APPROVAL_DECIDED', { status: 'cancelled' }])
  })

  test('a handed-over run that nobody took is cancelled without a worker', async () => {
    const { start, write, cancel } = open()
    await write(await start('r'), { leave: { kind: 'release' } })
    expect((await cancel('r')).run.status).toBe('cancelled')
  })

  test('"immediate" overtakes "after_turn", never the reverse', async () => {
    const { start, cancel, write, run } = open()
    const claimed = await start('r')
    expect((await cancel('r', 'after_turn')).run).toMatchObject({ status: 'in_progress', wish: 'after_turn' })
    expect((await cancel('r', 'immediate')).run.wish).toBe('immediate')
    await cancel('r', 'after_turn')
    expect((await run('r')).wish).toBe('immediate')
    expect((await write(claimed, { turn: true })).state.wish).toBe('immediate')
  })

  test('a wish outlives the worker that did not heed it', async () => {
    const { start, cancel, claim } = open()
    const dead = await start('r')
    await cancel('r')
    expect((await claim('r', { deadFence: dead.claim.fence })).run.wish).toBe('immediate')
  })

  test('end against cancel: one final state, and the second reads it', async () => {
    const { start, cancel, end, run } = open()
    const claimed = await start('r')
    const [ended, cancelled] = await Promise.allSettled([end(claimed), cancel('r')])
    expect(ended.status).toBe('fulfilled')
    if (cancelled.status === 'rejected')
      expect(cancelled.reason).toMatchObject({ code: 'RUN_ENDED', fields: { status: 'completed' } })
    expect((await run('r')).status).toBe('completed')
  })

  test('a cancelled run is answered as it is, another end is named', async () => {
    const { start, end, cancel } = open()
    await end(await start('r'), 'cancelled')
    expect((await cancel('r')).run.status).toBe('cancelled')
    await end(await start('s'))
    const error = await errorOf(cancel('s'))
    expect([error.code, error.fields]).toEqual(['RUN_ENDED', { status: 'completed' }])
  })
}

export function describeApprovals(open: () => Scene): void {
  test('a run pauses, and goes on when the last approval is decided', async () => {
    const { start, pause, approve, run, tryClaim, claim, admit, named, store, idOf } = open()
    await pause(await start('r', { on: 't' }), approval('a1'), approval('a2'))
    expect(await run('r')).toMatchObject({ status: 'requires_action', worker: null })
    await admit('later', { on: 't' })
    expect(await approve('r', 'a1')).toMatchObject({ run: { status: 'requires_action' }, ready: [] })
    expect(await tryClaim('r')).toBeUndefined()
    const { ready } = await store.write({
      kind: 'decide',
      ...idOf('r'),
      approvalId: 'a2',
      decision: { kind: 'reject', reason: 'Not this one' },
      now: NOW,
    })
    expect(named(ready)).toEqual(['r'])
    expect(await tryClaim('later')).toBeUndefined()
    const resumed = await claim('r', { worker: 'w2' })
    expect(resumed).toMatchObject({ takenOver: false, run: { status: 'in_progress', attempt: 1, crashes: 0 } })
    expect(resumed.work.approvals).toMatchObject([
      { approvalId: 'a1', status: 'approved', decidedAt: NOW },
      { approvalId: 'a2', status: 'rejected', reason: 'Not this one' },
    ])
  })

  test('the worker that paused a run cannot write to it any more', async () => {
    const { start, pause, approve, claim, write } = open()
    const paused = await start('r')
    await pause(paused, approval())
    expect(await codeOf(write(paused, { turn: true }))).toBe('FENCED')
    await approve('r')
    await claim('r', { worker: 'w2' })
    expect(await codeOf(write(paused, { turn: true }))).toBe('FENCED')
  })

  test('a decision that comes before the pause lets the run go on', async () => {
    const { start, write, approve, claim, named } = open()
    const claimed = await start('r')
    await write(claimed, { approvals: [approval()] })
    await approve('r')
    const { state, ready } = await write(claimed, { leave: { kind: 'pause' } })
    expect([state.status, named(ready)]).toEqual(['queued', ['r']])
    expect(await claim('r')).toMatchObject({ takenOver: false, run: { attempt: 1, crashes: 0 } })
  })

  test('a run with a wish to stop does not pause', async () => {
    const { start, pause, cancel, claim, named } = open()
    const claimed = await start('r')
    await cancel('r')
    const { state, ready } = await pause(claimed, approval())
    expect([state, named(ready)]).toMatchObject([{ status: 'queued', wish: 'immediate' }, ['r']])
    expect((await claim('r')).run.wish).toBe('immediate')
  })

  test('edited arguments are kept with the approval', async () => {
    const { start, pause, store, idOf } = open()
    await pause(await start('r'), approval())
    const decision = { kind: 'approve', arguments: { order: 18 } } as const
    await store.write({ kind: 'decide', ...idOf('r'), approvalId: 'a1', decision, now: NOW })
    expect((await store.read({ kind: 'approval', ...idOf('r'), approvalId: 'a1' })).arguments).toEqual({ order: 18 })
  })

  test('of two decisions the first counts', async () => {
    const { start, pause, approve } = open()
    await pause(await start('r'), approval())
    const both = await Promise.allSettled([approve('r'), approve('r')])
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await codeOf(approve('r'))).toBe('APPROVAL_DECIDED')
  })

  test('decision against expiry: one of both counts', async () => {
    const { start, pause, approve, store, idOf, claim } = open()
    await pause(await start('r'), approval('a1', NOW + 10))
    const sweep = store.write({ kind: 'sweep', now: NOW + 10, eventsMs: 1e9, runsMs: 1e9 })
    const [decided] = await Promise.allSettled([approve('r', 'a1', NOW + 9), sweep])
    const { status } = await store.read({ kind: 'approval', ...idOf('r'), approvalId: 'a1' })
    expect(status).toBe(decided.status === 'fulfilled' ? 'approved' : 'expired')
    const resumed = await claim('r')
    expect(resumed.run.attempt).toBe(1)
    expect((await claim('r', { deadFence: resumed.claim.fence })).run.attempt).toBe(2)
  })

  test('a sweep says when the next approval expires', async () => {
    const { start, pause, store } = open()
    await pause(await start('r'), approval('a1', NOW + 10), approval('a2', NOW + 30), approval('a3', NOW + 20))
    const { nextAt } = await store.write({ kind: 'sweep', now: NOW + 10, eventsMs: 1e9, runsMs: 1e9 })
    expect(nextAt).toBe(NOW + 20)
  })

  test('an expired approval cannot be decided, and frees its run', async () => {
    const { start, pause, approve, store, idOf, named } = open()
    await pause(await start('r'), approval('a1', NOW + 10))
    expect(await codeOf(approve('r', 'a1', NOW + 10))).toBe('APPROVAL_EXPIRED')
    const { ready } = await store.write({ kind: 'sweep', now: NOW + 10, eventsMs: 1e9, runsMs: 1e9 })
    expect(named(ready)).toContain('r')
    expect(await store.read({ kind: 'approval', ...idOf('r'), approvalId: 'a1' })).toMatchObject({ status: 'expired' })
    expect(await codeOf(approve('r', 'a1', NOW + 11))).toBe('APPROVAL_EXPIRED')
  })
}

export function describeThreads(open: () => Scene): void {
  test('a thread is made with messages, once', async () => {
    const { store, threadOf, messages } = open()
    const create = () =>
      store.write({
        kind: 'createThread',
        ...threadOf('t'),
        messages: [message('a'), message('b')],
        metadata: { m: '1' },
        now: NOW,
      })
    const { thread } = await create()
    expect(thread).toEqual({
      ...threadOf('t'),
      status: 'idle',
      activeRunId: null,
      messageCount: 2,
      metadata: { m: '1' },
      createdAt: NOW,
      updatedAt: NOW,
    })
    expect(await messages('t')).toEqual([
      { number: 1, runId: null, message: message('a') },
      { number: 2, runId: null, message: message('b') },
    ])
    expect(await codeOf(create())).toBe('THREAD_EXISTS')
  })

  test('entries of the metadata of a thread are set and removed one by one', async () => {
    const { store, threadOf } = open()
    const metadata = { title: 'Old', color: 'red' }
    await store.write({ kind: 'createThread', ...threadOf('t'), messages: [], metadata, now: NOW })
    const change = (metadata: { [key: string]: string | null }) =>
      store.write({ kind: 'changeThread', ...threadOf('t'), metadata })
    expect((await change({ title: 'New', place: 'x' })).metadata).toEqual({ title: 'New', color: 'red', place: 'x' })
    await change({ color: null })
    const after = await store.read({ kind: 'thread', ...threadOf('t') })
    expect(after).toMatchObject({ metadata: { title: 'New', place: 'x' }, updatedAt: NOW })
    const many = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`n${n}`, '']))
    expect(await codeOf(change(many))).toBe('INVALID_REQUEST')
    expect((await change({})).metadata).toEqual({ title: 'New', place: 'x' })
  })

  test('a run sees the thread before it, and its own part after a crash', async () => {
    const { start, write, end, claim } = open()
    const first = await start('r', { on: 't' })
    await write(first, { messages: { from: 0, list: [message('a')] } })
    await end(first)
    const second = await start('s', { on: 't' })
    await write(second, { messages: { from: 0, list: [message('b')] } })
    const { work } = await claim('s', { deadFence: second.claim.fence })
    expect([work.history, work.messages]).toEqual([[message('a')], [message('b')]])
  })

  test('messages are appended, and replaced until the run has ended', async () => {
    const { start, write, messages, thread } = open()
    const run = await start('r', { on: 't' })
    await write(run, { messages: { from: 0, list: [message('a'), message('b')] } })
    await write(run, { messages: { from: 2, list: [message('c')] } })
    await write(run, { messages: { from: 1, list: [message('B')] } })
    expect((await messages('t')).map((one) => [one.number, one.message.content])).toEqual([
      [1, 'a'],
      [2, 'B'],
    ])
    expect((await thread('t')).messageCount).toBe(2)
  })

  test('a thread shows whether its run works or waits for somebody', async () => {
    const { start, pause, thread, cancel, idOf } = open()
    const run = await start('r', { on: 't' })
    expect(await thread('t')).toMatchObject({ status: 'busy', activeRunId: idOf('r').runId })
    await pause(run, approval())
    expect((await thread('t')).status).toBe('requires_action')
    await cancel('r')
    expect(await thread('t')).toMatchObject({ status: 'idle', activeRunId: null })
  })

  test('deleting a run keeps its messages; an active one stays', async () => {
    const { start, write, end, store, idOf, messages, run } = open()
    const claimed = await start('r', { on: 't' })
    await write(claimed, { messages: { from: 0, list: [message('a')] } })
    const remove = () => store.write({ kind: 'deleteRun', ...idOf('r') })
    expect(await codeOf(remove())).toBe('RUN_ACTIVE')
    await end(claimed)
    await remove()
    expect(await codeOf(run('r'))).toBe('NOT_FOUND')
    expect(await messages('t')).toHaveLength(1)
  })

  test('deleting a thread takes its runs; a busy one stays', async () => {
    const { start, end, store, threadOf, thread, run } = open()
    const claimed = await start('r', { on: 't' })
    const remove = () => store.write({ kind: 'deleteThread', ...threadOf('t') })
    expect(await codeOf(remove())).toBe('RUN_ACTIVE')
    await end(claimed)
    await remove()
    expect([await codeOf(thread('t')), await codeOf(run('r'))]).toEqual(['NOT_FOUND', 'NOT_FOUND'])
  })
}

export function describeSweep(open: () => Scene): void {
  const sweepAt = ({ store }: Scene, now: number, limit?: number) =>
    store.write({ kind: 'sweep', now, eventsMs: 100, runsMs: 1000, ...(limit === undefined ? {} : { limit }) })

  test('events go first, then the run; its messages stay', async () => {
    const scene = open()
    const { start, write, end, run, events, messages, store, idOf } = scene
    const claimed = await start('r', { on: 't' })
    await write(claimed, {
      messages: { from: 0, list: [message('a')] },
      items: [{ conversation: 'c0', n: 0, item: {} }],
    })
    await end(claimed)
    await sweepAt(scene, NOW + 99)
    expect(await events('r')).toHaveLength(2)
    await sweepAt(scene, NOW + 100)
    expect(await codeOf(events('r'))).toBe('EVENTS_EXPIRED')
    const seen = await store.read({ kind: 'events', ...idOf('r'), after: 2, limit: 10 })
    expect([seen.events, (await run('r')).status]).toEqual([[], 'completed'])
    const { plan, items, messages: own } = await store.read({ kind: 'work', ...idOf('r') })
    expect({ plan, items, own }).toEqual({ plan: {}, items: [], own: [message('a')] })
    await sweepAt(scene, NOW + 1000)
    expect(await codeOf(run('r'))).toBe('NOT_FOUND')
    expect(await messages('t')).toHaveLength(1)
  })

  test('a live run is never swept', async () => {
    const scene = open()
    await scene.start('r')
    await sweepAt(scene, NOW + 1e6)
    expect(await scene.events('r')).toHaveLength(1)
  })

  test('keys go when they have expired', async () => {
    const scene = open()
    const idempotency = { key: 'k', hash: 'h', expiresAt: NOW + 10 }
    await scene.admit('r', { idempotency })
    await sweepAt(scene, NOW + 10)
    expect(await scene.admit('s', { idempotency, now: NOW })).toMatchObject({ replayed: false })
  })

  test('one call removes a bounded part and says that there is more', async () => {
    const scene = open()
    for (const name of ['r', 's', 'u']) await scene.end(await scene.start(name))
    let calls = 1
    while ((await sweepAt(scene, NOW + 1000, 2)).more) calls++
    expect(calls).toBeGreaterThanOrEqual(3) // each run is two events
    for (const name of ['r', 's', 'u']) expect(await codeOf(scene.run(name))).toBe('NOT_FOUND')
  })
}
