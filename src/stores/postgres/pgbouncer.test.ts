import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { hasPgBouncer, startPgBouncer } from '../../../tests/support/pgbouncer.ts'
import { createDatabase, hasPostgres } from '../../../tests/support/postgres.ts'
import type { QueueWorker, RunStore } from '../../runs/run-store.ts'
import { createScene, readUntil } from '../contract/scene.ts'
import { describeRunStore } from '../contract.testsuite.ts'
import type { PostgresOptions } from './options.ts'
import { postgres } from './postgres.ts'

describe.skipIf(!hasPostgres || !hasPgBouncer)('behind PgBouncer', { timeout: 60_000 }, () => {
  let database: Awaited<ReturnType<typeof createDatabase>>
  let poolers: { session: string; transaction: string }
  const stops: (() => Promise<void>)[] = []
  beforeAll(async () => {
    database = await createDatabase()
    const start = async (mode: 'session' | 'transaction', poolSize: number) => {
      const { url, stop } = await startPgBouncer(database.url, mode, poolSize)
      stops.push(stop)
      return url
    }
    poolers = { session: await start('session', 60), transaction: await start('transaction', 6) }
  }, 60_000)
  afterAll(async () => {
    for (const stop of stops) await stop()
    await database.drop()
  })

  function open(options: PostgresOptions): RunStore {
    const store = postgres({ poolSize: 4, ...options })
    onTestFinished(() => store.close())
    return store
  }
  /** The ways that the documentation names. */
  const ways = {
    'session mode': () => ({ url: poolers.session, sessionLock: true }),
    'transaction mode': () => ({ url: poolers.transaction, pooling: 'transaction' }),
    'transaction mode, with an address past it': () => ({
      url: poolers.transaction,
      pooling: 'transaction',
      sessionUrl: database.url,
      sessionLock: true,
    }),
  } satisfies { [way: string]: () => PostgresOptions }
  const names = Object.keys(ways) as (keyof typeof ways)[]

  describeRunStore('PostgreSQL behind PgBouncer in transaction mode', () =>
    postgres({ ...ways['transaction mode'](), poolSize: 4 }),
  )

  test.each(names)('%s: another process sees each change', async (way) => {
    const [one, other] = [createScene(open(ways[way]())), open(ways[way]())]
    const run = await one.start('r')
    const watching = other.watch({ ...one.idOf('r'), after: 1, signal: AbortSignal.timeout(20_000) })
    const reading = readUntil(watching, ({ events }) => events.some(({ number }) => number === 3))
    await one.write(run, { events: { first: 2, list: ['{"a":1}', '{"b":2}'] } })
    expect((await reading).flatMap(({ events }) => events.map(({ number }) => number))).toEqual([2, 3])
  })

  test.each(names)('%s: each run is given to one of two workers', async (way) => {
    const schema = `workers_${names.indexOf(way)}`
    const stores = [open({ ...ways[way](), schema }), open({ ...ways[way](), schema })]
    const { admit } = createScene(stores[0] as RunStore)
    const taken: string[] = []
    for (const [index, store] of stores.entries()) {
      const work: QueueWorker['work'] = async ({ runId }) => void taken.push(runId)
      await store.queue?.serve({ name: `${way}-${index}`, runMs: 60_000, room: () => 5, work })
    }
    await Promise.all(Array.from({ length: 30 }, (_, n) => admit(`${way}-${n}`)))
    await expect.poll(() => new Set(taken).size, { timeout: 30_000 }).toBe(30)
    expect(taken).toHaveLength(30)
  })

  test('the session of each way is found out by trying', async () => {
    const sessionOf = async (options: PostgresOptions) => (await postgres(options).diagnose?.())?.session
    expect(await sessionOf({ url: database.url })).toBe('kept')
    expect(await sessionOf(ways['session mode']())).toBe('kept')
    expect(await sessionOf(ways['transaction mode']())).toBe('none')
    expect(await sessionOf(ways['transaction mode, with an address past it']())).toBe('kept')
    expect(await sessionOf({ url: poolers.transaction })).toBe('changes')
  })
})
