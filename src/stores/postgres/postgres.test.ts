import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { administer, createDatabase, hasPostgres } from '../../../tests/support/postgres.ts'
import { AgencyError } from '../../base/errors.ts'
import type { Job, QueueWorker, RunStore } from '../../runs/run-store.ts'
import { codeOf, createScene, errorOf, readUntil } from '../contract/scene.ts'
import { describeRunStore } from '../contract.testsuite.ts'
import type { PostgresOptions } from './options.ts'
import { postgres } from './postgres.ts'

describe.skipIf(!hasPostgres)('with a server', () => {
  let database: Awaited<ReturnType<typeof createDatabase>>
  beforeAll(async () => {
    database = await createDatabase()
  })
  afterAll(() => database.drop())

  /** Another process's store on the same database. */
  function open(options: Partial<PostgresOptions> = {}): RunStore {
    const store = postgres({ url: database.url, ...options })
    onTestFinished(() => store.close())
    return store
  }

  /** Takes jobs of a store; `take` decides what becomes of each. */
  async function serve(store: RunStore, name: string, take: (job: Job) => Promise<void>) {
    const worker: QueueWorker = { name, runMs: 60_000, room: () => 5, work: take }
    await store.queue?.serve(worker)
  }

  describeRunStore('PostgreSQL', () => postgres(database.url))

  test('fifty runs at once, in two processes, never pass a common bound', async () => {
    const scenes = [createScene(open()), createScene(open())]
    const bound = { scope: 'all', limitUsd: 1 }
    const asked = Array.from({ length: 50 }, async (_, n) => {
      const { start, store } = scenes[n % 2] as (typeof scenes)[0]
      const { claim } = await start(`r${n}`)
      const { granted } = await store.write({
        kind: 'reserve',
        claim,
        reservation: `${claim.runId}`,
        usd: 0.1,
        bounds: [bound],
      })
      return granted
    })
    expect((await Promise.all(asked)).filter(Boolean)).toHaveLength(10)
  })

  test('texts with NUL are stored, and ids with it are found', async () => {
    const { admit, idOf, mine, store } = createScene(open())
    await admit('r', { alias: 'a\0b', plan: { message: 'nul \0 here' } })
    expect(await store.read({ kind: 'run', ...mine, alias: 'a\0b' })).toMatchObject(idOf('r'))
    expect((await store.read({ kind: 'work', ...idOf('r') })).plan).toEqual({ message: 'nul \0 here' })
  })

  test('another process sees each change, without a session by polling', async () => {
    const { start, write, end, idOf, store } = createScene(open())
    const run = await start('r')
    const others = [open(), open({ pooling: 'transaction' })]
    const signal = new AbortController().signal
    const watched = others.map((other) =>
      readUntil(other.watch({ ...idOf('r'), after: 0, signal }), ({ state }) => state.status === 'completed'),
    )
    await write(run, { events: { first: 2, list: ['{"a":1}'] } })
    await vi.waitFor(async () => expect((await store.read({ kind: 'run', ...idOf('r') })).lastEventId).toBe(2))
    await end(run)
    for (const news of await Promise.all(watched))
      expect(news.flatMap(({ events }) => events.map(({ number }) => number))).toEqual([1, 2, 3])
  })

  test('a run is given to one worker, and again when that gave it back', { timeout: 30_000 }, async () => {
    const { admit, idOf, tryClaim, store } = createScene(open({ schema: 'queue_test' }))
    const given: string[] = []
    const ended = Promise.withResolvers<void>()
    const take = (name: string) => async (job: Job) => {
      given.push(`${name} ${job.runId === idOf('r').runId} ${job.status}`)
      if (given.length === 1) throw new AgencyError('OVERLOADED', 503, 'Busy.')
      const claimed = await tryClaim('r', { worker: name })
      expect(claimed?.run.attempt).toBe(1)
      ended.resolve()
    }
    const other = open({ schema: 'queue_test' })
    await Promise.all([serve(store, 'a', take('a')), serve(other, 'b', take('b'))])
    await admit('r')
    await ended.promise
    expect(given).toHaveLength(2)
    for (const one of given) expect(one).toMatch(/^[ab] true queued$/)
  })

  test('a pinned run goes to its process, or to anybody when that is gone', { timeout: 30_000 }, async () => {
    const first = open({ schema: 'pin_test' })
    const { admit, idOf } = createScene(first)
    const given: string[] = []
    const take =
      (name: string) =>
      async ({ runId, pin }: Job) => {
        if (runId === idOf('r').runId) given.push(`${name} ${pin}`)
        await new Promise((resolve) => setTimeout(resolve, 1_000)) // it stays where it is
      }
    const other = open({ schema: 'pin_test' })
    await Promise.all([serve(first, 'a', take('a')), serve(other, 'b', take('b'))])
    await admit('r', { pin: 'a', recoverable: false })
    await vi.waitFor(() => expect(given).toEqual(['a a']), 5_000)
    await first.close()
    await vi.waitFor(() => expect(given).toContain('b a'), 10_000)
  })

  test('connections that the server closes are replaced', async () => {
    const { admit, run } = createScene(open())
    await admit('r')
    await administer(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${database.url.split('/').at(-1)}'`,
    )
    await vi.waitFor(async () => expect((await run('r')).status).toBe('queued'), 5_000)
  })

  test('a schema of a newer version is refused', async () => {
    const store = open({ schema: 'newer' })
    await store.read({ kind: 'jobs', limit: 1 })
    const name = new URL(database.url).pathname.slice(1)
    await administer('UPDATE newer.schema_version SET version = 999', name)
    const error = await errorOf(open({ schema: 'newer' }).read({ kind: 'jobs', limit: 1 }))
    expect([error.code, String((error.cause as Error).message)]).toEqual([
      'STORE_UNAVAILABLE',
      expect.stringContaining('Update the package'),
    ])
  })
})

test('a missing server is STORE_UNAVAILABLE, and tried again at the next call', async () => {
  const store = postgres('postgres://nobody@127.0.0.1:1/none')
  for (let n = 0; n < 2; n++) expect(await codeOf(store.read({ kind: 'jobs', limit: 1 }))).toBe('STORE_UNAVAILABLE')
  await store.close()
})

test.each([
  [undefined, 'address'],
  ['mysql://host/db', 'url'],
  [{ url: 'postgres://h/d', schema: 'A b' }, 'schema'],
  [{ url: 'postgres://h/d', poolSize: 1 }, 'poolSize'],
  [{ url: 'postgres://h/d', pool: 3 }, 'poolSize'],
  [{ url: 'postgres://h/d', pooling: 'statement' }, 'pooling'],
  [{ url: 'postgres://h/d', pooling: 'transaction', sessionLock: true }, 'sessionUrl'],
])('options %j are refused', (options, named) => {
  const make = () => postgres(options as never)
  expect(make).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(named) }))
})
