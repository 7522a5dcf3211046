/** What every store promises of messages to agents and of pauses. */
import { expect, test } from 'vitest'
import { AgencyError, agentNotInRun } from '../../base/errors.ts'
import type { ClaimedRun, Idempotency } from '../../runs/run-store.ts'
import type { FindBranch } from '../../runs/steering.ts'
import { approval, codeOf, NOW, readUntil, type Scene } from './scene.ts'

const BILLING = { conversation: 'c0', agent: 'Billing', callId: 'call_1' }
const LIMITS = { steers: 2, steerBytes: 20 }

export function describeSteering(open: () => Scene): void {
  const openSteering = () => {
    const scene = open()
    const { store, idOf, write } = scene
    let last = 0
    const findBranch = () => BILLING
    return {
      ...scene,
      steer: (name: string, text = 'Hi', more: { findBranch?: FindBranch; idempotency?: Idempotency } = {}) =>
        store.write({
          kind: 'steer',
          ...idOf(name),
          steerId: `s${++last}`,
          findBranch,
          text,
          now: NOW,
          limits: LIMITS,
          ...more,
        }),
      pause: (name: string, until = NOW + 1_000, branch: FindBranch = findBranch) =>
        store.write({ kind: 'pause', ...idOf(name), findBranch: branch, until, now: NOW }),
      go: (name: string, branch: FindBranch = findBranch) =>
        store.write({ kind: 'continue', ...idOf(name), findBranch: branch, now: NOW }),
      steers: (name: string) => store.read({ kind: 'steers', ...idOf(name) }),
      settle: (run: ClaimedRun, steerId: string, status: 'taken' | 'not_taken') =>
        write(run, {
          steers: [{ steerId, status, agent: 'Billing' }],
          items: [{ conversation: 'c0', n: 0, item: { text: steerId } }],
        }),
    }
  }

  test('a message is announced at once, or by the worker of the run', async () => {
    const { admit, steer, events, claim, write, idOf, store, steers } = openSteering()
    await admit('r')
    expect((await steer('r')).steer).toMatchObject({ ...BILLING, text: 'Hi', status: 'waiting', reason: null })
    const accepted = { kind: 'steer', ...BILLING, text: 'Hi', status: 'accepted' }
    expect(await events('r')).toEqual([{ kind: 'meta' }, { ...accepted, steerId: 's1' }])
    const claimed = await claim('r')
    expect(claimed.run.steers).toBe(1)
    const { run } = await steer('r')
    expect([run.steers, (await events('r')).length]).toEqual([2, 2])
    expect((await steers('r')).map(({ steerId, announced }) => [steerId, announced])).toEqual([
      ['s1', true],
      ['s2', false],
    ])
    const { state } = await write(claimed, { leave: { kind: 'release' } })
    expect(state.steers).toBe(2)
    expect(await events('r')).toContainEqual({ ...accepted, steerId: 's2' })
    const query = { kind: 'steers', ...idOf('r'), status: 'waiting' } as const
    expect((await store.read(query)).every(({ announced }) => announced)).toBe(true)
  })

  test('a message is taken together with its item, or not at all', async () => {
    const { start, steer, settle, steers, claim, tryClaim } = openSteering()
    const lost = await start('r')
    await steer('r')
    const taker = await claim('r', { deadFence: lost.claim.fence, worker: 'w2' })
    expect(await codeOf(settle(lost, 's1', 'taken'))).toBe('FENCED')
    expect(await steers('r')).toMatchObject([{ status: 'waiting', settledAt: null }])
    await settle(taker, 's1', 'taken')
    await settle(taker, 's1', 'not_taken') // without effect
    expect(await steers('r')).toMatchObject([{ status: 'taken', settledAt: NOW }])
    const next = await claim('r', { deadFence: taker.claim.fence })
    expect(next.work.items).toEqual([{ conversation: 'c0', n: 0, item: { text: 's1' } }])
    expect(await tryClaim('r')).toBeUndefined()
  })

  test('messages that wait when a run ends are not taken, and events say so', async () => {
    const { start, steer, settle, end, steers, events, cancel, admit } = openSteering()
    const claimed = await start('r')
    await steer('r')
    await steer('r')
    await settle(claimed, 's1', 'taken')
    const { notTaken, state } = await end(claimed)
    const dropped = { kind: 'steer', steerId: 's2', ...BILLING, status: 'not_taken', reason: 'run_ended' }
    expect(notTaken).toMatchObject([{ number: state.lastEventId - 1 }])
    expect((await events('r')).slice(-2)).toEqual([dropped, { kind: 'ended', status: 'completed' }])
    expect((await steers('r')).map(({ status, reason }) => [status, reason])).toEqual([
      ['taken', null],
      ['not_taken', 'run_ended'],
    ])
    expect(await codeOf(steer('r'))).toBe('RUN_ENDED')
    await admit('queued')
    const { steer: waiting } = await steer('queued')
    await cancel('queued')
    expect(await events('queued')).toContainEqual({ ...dropped, steerId: waiting.steerId })
  })

  test('messages that wait are bounded in number and bytes', async () => {
    const { start, steer, settle } = openSteering()
    const claimed = await start('r')
    expect(await codeOf(steer('r', 'ä'.repeat(11)))).toBe('STEER_LIMIT')
    const { steer: first } = await steer('r', 'x'.repeat(10))
    await steer('r', 'x'.repeat(10))
    expect(await codeOf(steer('r', ''))).toBe('STEER_LIMIT')
    await settle(claimed, first.steerId, 'taken')
    expect(await codeOf(steer('r', 'x'.repeat(11)))).toBe('STEER_LIMIT')
    await steer('r', 'with \u0000 NUL')
  })

  test('a key makes one message, and a refused one uses no key up', async () => {
    const { start, steer, steers, end } = openSteering()
    const claimed = await start('r')
    const idempotency = { key: 'k', hash: 'h', expiresAt: NOW + 1_000 }
    const refuse: FindBranch = () => {
      throw agentNotInRun('Nobody', [])
    }
    expect(await codeOf(steer('r', 'Hi', { idempotency, findBranch: refuse }))).toBe('AGENT_NOT_IN_RUN')
    const first = await steer('r', 'Hi', { idempotency })
    await end(claimed)
    const again = await steer('r', 'Hi', { idempotency })
    expect([again.replayed, again.steer.steerId]).toEqual([true, first.steer.steerId])
    expect(again.steer.status).toBe('not_taken')
    expect(await steers('r')).toHaveLength(1)
    const other = { ...idempotency, hash: 'other' }
    expect(await codeOf(steer('r', 'Hi', { idempotency: other }))).toBe('IDEMPOTENCY_MISMATCH')
  })

  test('a branch is found in what the worker has stored', async () => {
    const { start, write, steer } = openSteering()
    const claimed = await start('r')
    await write(claimed, {
      conversations: [{ ...BILLING, parent: null, caller: null, state: { agent: 'Billing' } }],
      calls: [{ conversation: 'c0', callId: 'call_2', state: 'done', output: 'x' }],
    })
    const found: unknown[] = []
    const findBranch: FindBranch = ({ recipient }, { conversations, calls }) => {
      found.push(recipient, conversations[0]?.state, calls)
      return BILLING
    }
    await steer('r', 'Hi', { findBranch })
    expect(found).toEqual(['CEO', { agent: 'Billing' }, [{ conversation: 'c0', callId: 'call_2', state: 'done' }]])
  })

  test('pauses are kept with the run, for its worker and the next one', async () => {
    const { start, pause, go, write, claim, run, store, idOf } = openSteering()
    const claimed = await start('r')
    const one = { ...BILLING, expiresAt: NOW + 1_000 }
    const heard = readUntil(
      store.watch({ ...idOf('r'), after: Number.POSITIVE_INFINITY, signal: AbortSignal.timeout(10_000) }),
      ({ state }) => state.pauses.length > 0,
    )
    expect((await pause('r')).run.pauses).toEqual([one])
    expect((await heard).at(-1)?.state.pauses).toEqual([one])
    expect((await pause('r', NOW + 2_000)).run.pauses).toEqual([{ ...one, expiresAt: NOW + 2_000 }])
    expect((await write(claimed, {})).state.pauses).toHaveLength(1)
    const next = await claim('r', { deadFence: claimed.claim.fence, worker: 'w2' })
    expect(next.run.pauses).toHaveLength(1)
    expect((await go('r')).run.pauses).toEqual([])
    expect((await run('r')).pauses).toEqual([])
  })

  test('a run that is paused as a whole goes on as a whole', async () => {
    const { start, pause, go, end } = openSteering()
    const claimed = await start('r')
    await pause('r', NOW) // over at once
    const { run } = await pause('r', NOW + 1_000, () => null)
    expect(run.pauses).toEqual([{ conversation: null, agent: null, callId: null, expiresAt: NOW + 1_000 }])
    await pause('r')
    expect(await codeOf(go('r'))).toBe('RUN_PAUSED')
    expect((await go('r', () => null)).run.pauses).toEqual([])
    await pause('r')
    expect((await end(claimed)).state.pauses).toEqual([])
    expect([await codeOf(pause('r')), await codeOf(go('r'))]).toEqual(['RUN_ENDED', 'RUN_ENDED'])
  })

  test('strangers find no run to steer or pause', async () => {
    const { start, store, strangers, idOf, run } = openSteering()
    await start('r')
    const { runId } = idOf('r')
    const findBranch = () => {
      throw new AgencyError('AGENT_NOT_IN_RUN', 404, 'Reached.')
    }
    for (const stranger of strangers) {
      const about = { ...stranger, runId, findBranch, now: NOW }
      const steer = store.write({ kind: 'steer', ...about, steerId: 'x', text: 'x', limits: LIMITS })
      expect(await codeOf(steer)).toBe('NOT_FOUND')
      expect(await codeOf(store.write({ kind: 'pause', ...about, until: NOW + 1_000 }))).toBe('NOT_FOUND')
      expect(await codeOf(store.write({ kind: 'continue', ...about }))).toBe('NOT_FOUND')
      expect(await codeOf(store.read({ kind: 'steers', ...stranger, runId }))).toBe('NOT_FOUND')
    }
    expect((await run('r')).steers).toBe(0)
  })

  test('messages to a run that waits for a person are kept until it goes on', async () => {
    const { start, write, steer, approve, claim, steers } = openSteering()
    await write(await start('r'), { approvals: [approval()], leave: { kind: 'pause' } })
    await steer('r')
    await approve('r')
    expect((await claim('r')).run.steers).toBe(1)
    expect(await steers('r')).toMatchObject([{ status: 'waiting', announced: true }])
  })
}
