import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { promise } from './promises.ts'
import { bundleCrashServer, type CrashServer } from './support/crash-process.ts'
import { hasPostgres } from './support/postgres.ts'
import { call, createPostgresScene, post, settled, speak } from './support/postgres-scene.ts'

const LIMIT = 10

/** What two processes have in common because they have one store. */
describe.skipIf(!hasPostgres)('two processes on one PostgreSQL', { timeout: 60_000 }, () => {
  let folder: string
  let scene: Awaited<ReturnType<typeof createPostgresScene>>
  let servers: CrashServer[]
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shared-'))
    const script = await bundleCrashServer(folder)
    const costly = {
      ...speak('end', 1),
      usage: { input_tokens: 100_000, output_tokens: 10_000, total_tokens: 110_000 },
    }
    scene = await createPostgresScene({ folder, script }, () => costly, {
      SERVE: JSON.stringify({ enableLogging: true, logsDir: join(folder, 'logs') }),
      BUDGETS: JSON.stringify({ budgets: { owner: 0.4 } }),
    })
    servers = await Promise.all([scene.start(), scene.start({ WORK: 'false' })])
  }, 120_000)
  afterAll(async () => {
    await scene.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const server = (index: number) => servers[index] as CrashServer

  test('a request log is read from the other, with the same logsDir', async () => {
    const id = { 'x-agency-log-id': 'log-1' }
    expect((await call(`${server(0).url}/team/get_response`, { message: 'hello' }, id)).status).toBe(200)
    await vi.waitFor(async () => {
      const { status, body } = await call(`${server(1).url}/get_logs`, { log_id: 'log-1' })
      expect([status, body.length > 0]).toEqual([200, true])
    }, 10_000)
  })

  test('a rate limit counts the requests of both', async () => {
    promise('A15')
    const SERVE = JSON.stringify({ rateLimit: { requests: LIMIT, windowMs: 600_000 } })
    const limited = await Promise.all([scene.start({ SERVE, WORK: 'false' }), scene.start({ SERVE, WORK: 'false' })])
    const statuses: number[] = []
    for (let n = 0; n < LIMIT + 4; n++) {
      statuses.push((await fetch(`${limited[n % 2]?.url}/healthz`)).status)
      const rows = () => scene.query('SELECT count FROM agency_swarm.counts')
      await vi.waitFor(async () => expect(await rows()).toEqual([{ count: String(n + 1) }]), 10_000)
    }
    // Each process knows of the other's requests what was written when it last wrote its own: one here.
    expect([LIMIT, LIMIT + 1]).toContain(statuses.filter((status) => status === 200).length)
    expect(statuses.slice(LIMIT + 1)).toEqual([429, 429, 429])
  })

  test('a budget that one has spent is spent for the other', async () => {
    promise('A15')
    const first = await post(server(0), 'spend')
    expect(await settled(server(1), first)).toMatchObject({ status: 'completed' })
    await server(0).kill()
    await scene.start() // works in its place
    const second = await post(server(1), 'spend')
    expect(await settled(server(1), second)).toMatchObject({
      status: 'incomplete',
      incomplete_details: { reason: 'max_cost' },
    })
  })
})
