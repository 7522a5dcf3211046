import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { redis } from '../src/postgres.ts'
import { promise } from './promises.ts'
import { bundleCrashServer, type CrashServer } from './support/crash-process.ts'
import { hasPostgres } from './support/postgres.ts'
import { type Asked, createPostgresScene, post, read, settled, speak } from './support/postgres-scene.ts'
import { hasRedis, startRedis } from './support/redis.ts'

const model = ({ message }: Asked) => speak('word', message.includes('long') ? 400 : 40, 10)
const PIECES = Array.from({ length: 400 }, (_, index) => `word${index} `).join('')

/** One server works, and another one shows. */
describe.skipIf(!hasPostgres || !hasRedis)('events of runs over Redis', { timeout: 60_000 }, () => {
  let folder: string
  let carrier: Awaited<ReturnType<typeof startRedis>>
  let scene: Awaited<ReturnType<typeof createPostgresScene>>
  let front: CrashServer
  let worker: CrashServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'redis-'))
    carrier = await startRedis()
    const script = await bundleCrashServer(folder)
    scene = await createPostgresScene({ folder, script }, model, { REDIS: carrier.url })
    const started = await Promise.all([scene.start({ WORK: 'false' }), scene.start()])
    front = started[0]
    worker = started[1]
  }, 120_000)
  afterAll(async () => {
    await scene.close()
    await carrier.kill()
    rmSync(folder, { recursive: true, force: true })
  })

  const textOf = (frames: { frames: { data: string }[] }) => JSON.stringify(frames.frames.map(({ data }) => data))
  const told = (server: CrashServer) => server.text().match(/Redis does not carry events/g)?.length ?? 0

  /** A reader in the other process, once it is in the middle of the text. */
  async function readLong() {
    const run = await post(front, 'long')
    const reader = read(() => front, run)
    await vi.waitFor(() => expect(textOf(reader.fold)).toContain('word20 '), 20_000)
    return { run, reader }
  }

  test('reach readers in another process without a read of the database', async () => {
    promise('H15')
    const { run, reader } = await readLong()
    // Nothing more of the table of events is read while the text goes on.
    const scans = async () => {
      await scene.query('SELECT pg_stat_clear_snapshot()')
      const [row] = await scene.query(`SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'events'`)
      return Number(row?.idx_scan)
    }
    const before = await scans()
    const seen = reader.fold.seen.length
    await vi.waitFor(() => expect(reader.fold.seen.length).toBeGreaterThan(seen + 200), 20_000)
    await vi.waitFor(async () => expect(await scans()).toBeGreaterThanOrEqual(before))
    expect((await scans()) - before).toBeLessThan(20) // 200 events come in more than 100 batches
    await reader.done
    expect(await settled(front, run)).toMatchObject({ status: 'completed', response: PIECES })
  })

  test('a Redis that is killed and started again loses no event and no run', async () => {
    promise('H15')
    const { run, reader } = await readLong()
    await carrier.kill()
    const seen = reader.fold.seen.length
    await vi.waitFor(() => expect(reader.fold.seen.length).toBeGreaterThan(seen + 50), 20_000)
    await carrier.start()
    const fold = await reader.done
    expect(await settled(front, run)).toMatchObject({ status: 'completed', response: PIECES, attempt: 1 })
    expect(fold.texts().map(({ text, whole }) => [text, whole])).toEqual([[PIECES, PIECES]])
    expect([told(front), told(worker)]).toEqual([1, 1])
    const later = await post(front, 'short')
    expect((await read(() => front, later).done).ended).toBe(true)
  })

  test('a Redis that hangs holds up no run, and is left', async () => {
    promise('H15')
    const { run, reader } = await readLong()
    const before = [told(front), told(worker)]
    carrier.pause()
    const fold = await reader.done
    expect(await settled(front, run)).toMatchObject({ status: 'completed', response: PIECES, attempt: 1 })
    expect(fold.texts().map(({ text, whole }) => [text, whole])).toEqual([[PIECES, PIECES]])
    await vi.waitFor(() => expect(told(worker)).toBe((before[1] ?? 0) + 1), 20_000)
    carrier.wake()
    const later = await post(front, 'short')
    expect((await read(() => front, later).done).ended).toBe(true)
  })

  test('a server starts while Redis is away', async () => {
    promise('H15')
    await carrier.kill()
    const other = await scene.start({ WORK: 'false' })
    const run = await post(other, 'short')
    expect((await read(() => other, run).done).ended).toBe(true)
    await vi.waitFor(() => expect(told(other)).toBe(1), 20_000)
    await carrier.start()
  })
})

test('an address that is not one of Redis is refused', () => {
  expect(() => redis('http://127.0.0.1')).toThrow(/redis:\/\/127/)
})
