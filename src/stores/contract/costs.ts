/** What every store promises of costs and of sealed values. */
import { expect, test } from 'vitest'
import { ownerScope, runScope } from '../../runs/run-store.ts'
import { codeOf, type Scene } from './scene.ts'

export function describeSecrets(open: () => Scene): void {
  test('a secret is replaced in one step, taken once, and gone when its time is over', async () => {
    const { store, mine } = open()
    const name = `access:${mine.agency}`
    const swap = (
      sealed: string | null,
      { expiresAt = null, now = 10 }: { expiresAt?: number | null; now?: number } = {},
    ) => store.write({ kind: 'swapSecret', name, sealed, expiresAt, now })
    const read = (now: number) => store.read({ kind: 'secret', name, now })
    expect([await read(1), await swap('a'), await swap('b'), await read(1)]).toEqual([null, null, 'a', 'b'])
    const taken = await Promise.all([swap(null), swap(null)])
    expect(taken.filter((one) => one !== null)).toEqual(['b'])
    await swap('c', { expiresAt: 20 })
    expect([await read(19), await read(20)]).toEqual(['c', null])
    expect(await swap('d', { now: 20, expiresAt: 30 })).toBe(null)
    await store.write({ kind: 'sweep', now: 30, eventsMs: 1_000_000, runsMs: 1_000_000 })
    expect(await read(1)).toBe(null)
  })
}

export function describeCosts(open: () => Scene): void {
  test('reservations of several runs share a bound', async () => {
    const { start, store, mine } = open()
    const runs = [await start('r'), await start('s')]
    const bounds = [{ scope: ownerScope(mine), limitUsd: 1 }]
    const reserve = ({ claim }: (typeof runs)[number], reservation: string) =>
      store.write({ kind: 'reserve', claim, reservation: `${mine.agency}-${reservation}`, usd: 0.6, bounds })
    const answers = await Promise.all(runs.map((run, index) => reserve(run, String(index))))
    expect(answers.filter(({ granted }) => granted)).toHaveLength(1)
    expect(answers.find(({ granted }) => !granted)).toMatchObject({
      full: { limitUsd: 1, reservedUsd: 0.6, spentUsd: 0 },
    })
  })

  test('settling replaces the reservation by the cost, once', async () => {
    const { start, store, idOf } = open()
    const { claim } = await start('r')
    const scope = runScope(idOf('r').runId)
    const bounds = [{ scope, limitUsd: 1 }]
    const reservation = `${claim.runId}-1`
    const reserve = () => store.write({ kind: 'reserve', claim, reservation, usd: 1, bounds })
    expect([await reserve(), await reserve()]).toEqual([{ granted: true }, { granted: true }])
    for (const usd of [0.25, 7]) await store.write({ kind: 'settle', reservation, usd })
    expect(await store.read({ kind: 'costs', scopes: [scope] })).toEqual([{ scope, spentUsd: 0.25, reservedUsd: 0 }])
  })

  test('one full bound refuses, and reserves nothing at the others', async () => {
    const { start, store, mine, idOf } = open()
    const { claim } = await start('r')
    const scopes = [ownerScope(mine), runScope(idOf('r').runId)]
    const bounds = scopes.map((scope, index) => ({ scope, limitUsd: index === 0 ? 5 : 0.5 }))
    const answer = await store.write({ kind: 'reserve', claim, reservation: claim.runId, usd: 1, bounds })
    expect(answer).toMatchObject({ granted: false, full: { scope: scopes[1] } })
    const costs = await store.read({ kind: 'costs', scopes })
    expect(costs.map(({ reservedUsd }) => reservedUsd)).toEqual([0, 0])
  })

  test('what a dead attempt has reserved counts as spent', async () => {
    const { start, store, claim, idOf, end } = open()
    const dead = await start('r')
    const scope = runScope(idOf('r').runId)
    const reserve = (run: typeof dead) =>
      store.write({
        kind: 'reserve',
        claim: run.claim,
        reservation: `${idOf('r').runId}-${run.claim.fence}`,
        usd: 0.4,
        bounds: [{ scope, limitUsd: 1 }],
      })
    const spent = async () => (await store.read({ kind: 'costs', scopes: [scope] }))[0]
    await reserve(dead)
    const taken = await claim('r', { deadFence: dead.claim.fence })
    expect(await spent()).toEqual({ scope, spentUsd: 0.4, reservedUsd: 0 })
    expect(await codeOf(reserve(dead))).toBe('FENCED')
    await reserve(taken)
    await end(taken)
    expect(await spent()).toEqual({ scope, spentUsd: 0.8, reservedUsd: 0 })
    expect(await codeOf(reserve(taken))).toBe('FENCED')
    await store.write({ kind: 'deleteRun', ...idOf('r') })
    expect(await spent()).toEqual({ scope, spentUsd: 0, reservedUsd: 0 })
  })
}
