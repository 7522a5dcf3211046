/** What stores promise of runs that start later, of schedules and of webhooks. */
import { expect, test } from 'vitest'
import type { ClaimedWebhook, WebhookTarget } from '../../runs/webhooks/records.ts'
import { approval, codeOf, NOW, type Scene } from './scene.ts'

const sweepAt = ({ store }: Scene, now: number) =>
  store.write({ kind: 'sweep', now, eventsMs: 1e9, runsMs: 1e9, limit: 1000 })

export function describeLaterStarts(open: () => Scene): void {
  test('a run cannot be claimed before its time, and is claimable then', async () => {
    const scene = open()
    const { run, ready } = await scene.admit('r', { startAt: NOW + 50 })
    expect(run).toMatchObject({ status: 'queued', startAt: NOW + 50, queuePosition: null, lastEventId: 1 })
    expect([scene.named(ready), await scene.tryClaim('r')]).toEqual([[], undefined])
    const early = await sweepAt(scene, NOW + 49)
    expect([scene.named(early.ready), Number(early.nextAt) <= NOW + 50]).toEqual([[], true])
    const jobs = async () => (await scene.store.read({ kind: 'jobs', limit: 1000 })).data.map(({ runId }) => runId)
    expect(await jobs()).not.toContain(scene.idOf('r').runId)
    expect(scene.named((await sweepAt(scene, NOW + 50)).ready)).toContain('r')
    expect(await jobs()).toContain(scene.idOf('r').runId)
    expect((await scene.claim('r')).run).toMatchObject({ status: 'in_progress', attempt: 1 })
  })

  test('a start that has passed is one at once', async () => {
    const { admit, named } = open()
    const { run, ready } = await admit('r', { startAt: NOW })
    expect([run.startAt, named(ready)]).toEqual([NOW, ['r']])
  })

  test('its place in the thread is taken when it is due', async () => {
    const scene = open()
    await scene.admit('later', { on: 't', startAt: NOW + 10 })
    expect(await scene.thread('t')).toMatchObject({ status: 'idle', activeRunId: null })
    const first = await scene.start('first', { on: 't', strategy: 'reject' })
    await scene.admit('second', { on: 't' })
    expect(scene.named((await sweepAt(scene, NOW + 10)).ready)).not.toContain('later')
    await scene.admit('last', { on: 't' })
    const places = async () =>
      Promise.all(['first', 'second', 'later', 'last'].map(async (name) => (await scene.run(name)).queuePosition))
    expect(await places()).toEqual([null, 1, 2, 3])
    expect(await scene.events('later')).toEqual([{ kind: 'meta' }, { kind: 'queued', position: 2 }])
    expect(scene.named((await scene.end(first)).ready)).toEqual(['second'])
    expect(scene.named((await scene.end(await scene.claim('second'))).ready)).toEqual(['later'])
    expect(await places()).toEqual([null, null, null, 1])
  })

  test('a cancel ends it before its time, and a thread with it is kept', async () => {
    const scene = open()
    await scene.admit('r', { on: 't', startAt: NOW + 10 })
    expect(await codeOf(scene.store.write({ kind: 'deleteThread', ...scene.threadOf('t') }))).toBe('RUN_ACTIVE')
    expect((await scene.cancel('r')).run).toMatchObject({ status: 'cancelled', startedAt: null })
    expect(scene.named((await sweepAt(scene, NOW + 10)).ready)).not.toContain('r')
    await scene.store.write({ kind: 'deleteThread', ...scene.threadOf('t') })
  })

  test('the number of runs that start later has its own bound', async () => {
    const { admit } = open()
    const limits = { threadQueue: 20, queuedRuns: 10_000, scheduledRuns: 0 }
    expect(await codeOf(admit('r', { startAt: NOW + 10, limits }))).toBe('OVERLOADED')
    expect((await admit('s', { limits })).run.status).toBe('queued')
  })
}

export function describeSchedules(open: () => Scene): void {
  test('a schedule comes as far as the due time of its newest run', async () => {
    const { store, mine, admit } = open()
    const look = (since: number, doneUntil?: number) =>
      store.write({ kind: 'schedule', ...mine, name: 'daily', since, ...(doneUntil && { doneUntil }) })
    expect(await look(NOW)).toEqual({ doneUntil: NOW })
    const schedule = { name: 'daily', dueAt: NOW + 10 }
    const idempotency = { key: 'schedule daily', hash: '', expiresAt: NOW + 1000 }
    const runs = await Promise.all(['a', 'b'].map((name) => admit(name, { schedule, idempotency })))
    expect(runs.map(({ replayed }) => replayed).sort()).toEqual([false, true])
    expect(await look(NOW + 99)).toEqual({ doneUntil: NOW + 10 })
    expect(await look(NOW, NOW + 5)).toEqual({ doneUntil: NOW + 10 })
    expect(await look(NOW, NOW + 20)).toEqual({ doneUntil: NOW + 20 })
  })
}

const target = (rest: Partial<WebhookTarget> = {}): WebhookTarget => ({
  url: 'https://hooks.example.com/runs?key=1',
  events: null,
  from: 'request',
  sealed: null,
  ...rest,
})

export function describeWebhooks(open: () => Scene): void {
  const claimAll = async ({ store, mine }: Scene, now = NOW): Promise<ClaimedWebhook[]> => {
    const { claimed } = await store.write({ kind: 'claimWebhooks', now, leaseMs: 100, limit: 1000 })
    return claimed.filter(({ agency }) => agency === mine.agency)
  }

  test('the end of a run and a pause are queued for webhooks that ask for them', async () => {
    const scene = open()
    const webhooks = [target(), target({ url: 'https://b.example.com', events: ['run.completed'], from: 'server' })]
    const run = await scene.start('r', { webhooks, metadata: { channel: 'web' } })
    expect(await scene.pause(run, approval())).toMatchObject({ hasWebhooks: true })
    const [paused] = await claimAll(scene)
    expect(paused).toMatchObject({ event: 'run.requires_action', attempts: 1, target: webhooks[0], status: 'waiting' })
    await scene.approve('r')
    expect(await scene.end(await scene.claim('r'))).toMatchObject({ hasWebhooks: true })
    const ended = await claimAll(scene)
    expect(ended.map(({ event, url }) => [event, url])).toEqual(webhooks.map(({ url }) => ['run.completed', url]))
    expect(new Set([...ended, paused].map((webhook) => webhook?.webhookId)).size).toBe(3)
    expect(JSON.parse(paused?.payload ?? '')).toMatchObject({
      type: 'run.requires_action',
      timestamp: new Date(NOW).toISOString(),
      data: { status: 'requires_action', ended_at: null, approvals: [{ approval_id: 'a1', tool: 'refund' }] },
    })
    expect(JSON.parse(ended[0]?.payload ?? '')).toEqual({
      type: 'run.completed',
      timestamp: new Date(NOW).toISOString(),
      data: {
        run_id: scene.idOf('r').runId,
        agency: scene.mine.agency,
        thread_id: null,
        status: 'completed',
        created_at: new Date(NOW).toISOString(),
        started_at: new Date(NOW).toISOString(),
        ended_at: new Date(NOW).toISOString(),
        error: null,
        metadata: { channel: 'web' },
        approvals: [],
      },
    })
  })

  test('a cancel without a worker is queued, a run without webhooks is not', async () => {
    const scene = open()
    await scene.admit('r', { webhooks: [target()] })
    expect(await scene.cancel('r')).toMatchObject({ hasWebhooks: true })
    expect((await claimAll(scene)).map(({ event }) => event)).toEqual(['run.cancelled'])
    expect(await scene.end(await scene.start('s'))).toMatchObject({ hasWebhooks: false })
  })

  test('one attempt at a time; one that died is made again after its lease', async () => {
    const scene = open()
    await scene.end(await scene.start('r', { webhooks: [target()] }))
    const claims = await Promise.all([claimAll(scene), claimAll(scene)])
    expect(claims.flat()).toHaveLength(1)
    expect(await claimAll(scene, NOW + 99)).toEqual([])
    const [again] = await claimAll(scene, NOW + 100)
    expect(again).toMatchObject({
      webhookId: claims.flat()[0]?.webhookId,
      payload: claims.flat()[0]?.payload,
      attempts: 2,
    })
  })

  test('an attempt is settled once: retried, delivered or dead, then redriven', async () => {
    const scene = open()
    const { store, mine } = scene
    await scene.end(await scene.start('r', { webhooks: [target()] }))
    const settle = (webhookId: string, attempt: number, outcome: Parameters<typeof write>[0]) =>
      write(outcome, webhookId, attempt)
    const write = (
      outcome: { kind: 'delivered' } | { kind: 'retry'; at: number; error: string } | { kind: 'dead'; error: string },
      webhookId: string,
      attempt: number,
    ) => store.write({ kind: 'settleWebhook', webhookId, attempt, now: NOW + 1, outcome })
    const list = async (status: 'waiting' | 'delivered' | 'dead') =>
      (await store.read({ kind: 'webhooks', ...mine, limit: 10, status })).data
    const [{ webhookId }] = (await claimAll(scene)) as [ClaimedWebhook]
    await settle(webhookId, 1, { kind: 'retry', at: NOW + 50, error: 'HTTP 500' })
    expect(await list('waiting')).toMatchObject([{ webhookId, attempts: 1, nextAt: NOW + 50, error: 'HTTP 500' }])
    await claimAll(scene, NOW + 50)
    await settle(webhookId, 1, { kind: 'delivered' }) // late: attempt 2 has begun
    await settle(webhookId, 2, { kind: 'dead', error: 'HTTP 410' })
    expect(await list('dead')).toMatchObject([{ webhookId, nextAt: null, error: 'HTTP 410', endedAt: NOW + 1 }])
    for (const stranger of scene.strangers) {
      const redrive = store.write({ kind: 'redriveWebhook', ...stranger, webhookId, now: NOW })
      expect(await codeOf(redrive)).toBe('NOT_FOUND')
      expect((await store.read({ kind: 'webhooks', ...stranger, limit: 10 })).data).toEqual([])
    }
    const redriven = await store.write({ kind: 'redriveWebhook', ...mine, webhookId, now: NOW + 60 })
    expect(redriven).toMatchObject({ status: 'waiting', attempts: 0, nextAt: NOW + 60, error: null })
    await claimAll(scene, NOW + 60)
    await settle(webhookId, 1, { kind: 'delivered' })
    expect(await list('delivered')).toMatchObject([{ webhookId, error: null, endedAt: NOW + 1 }])
    await store.write({ kind: 'deleteRun', ...scene.idOf('r') })
    expect(await list('delivered')).toEqual([])
  })
}

export function describeStats(open: () => Scene): void {
  test('live runs and webhooks that are not delivered are counted', async () => {
    const scene = open()
    const read = () => scene.store.read({ kind: 'stats' })
    const before = await read()
    await scene.admit('queued', { now: 5 })
    await scene.admit('later', { startAt: NOW + 1e9 })
    await scene.start('working')
    await scene.pause(await scene.start('paused'), approval())
    await scene.end(await scene.start('ended', { webhooks: [target()] }))
    const after = await read()
    const names = ['queued', 'scheduled', 'inProgress', 'requiresAction', 'webhooksWaiting', 'webhooksDead'] as const
    expect(names.map((name) => after[name] - before[name])).toEqual([1, 1, 1, 1, 1, 0])
    expect([after.oldestQueuedAt, after.oldestWebhookAt]).toEqual([5, expect.any(Number)])
  })
}
