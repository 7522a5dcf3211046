import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { promise } from './promises.ts'
import { bundleCrashServer, type CrashServer } from './support/crash-process.ts'
import { hasPostgres } from './support/postgres.ts'
import { type Asked, call, createPostgresScene, type PostedRun, speak } from './support/postgres-scene.ts'
import { followRun, RunFold } from './support/run-reader.ts'

const model = ({ message }: Asked) => speak('word', message.includes('endless') ? 20_000 : 3, 10)

/** Two servers that serve and work, as behind a load balancer. */
describe.skipIf(!hasPostgres)('readers of runs that end without one', { timeout: 60_000 }, () => {
  let folder: string
  let scene: Awaited<ReturnType<typeof createPostgresScene>>
  let servers: CrashServer[]
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'readers-'))
    const script = await bundleCrashServer(folder)
    scene = await createPostgresScene({ folder, script }, model, {
      LIMITS: JSON.stringify({ readerReturnMs: 600_000 }),
    })
    servers = await Promise.all([scene.start(), scene.start()])
  }, 120_000)
  afterAll(async () => {
    await scene.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const server = (index: number) => servers[index] as CrashServer

  /** Starts a run whose answer is its stream, and reads its first frame. */
  async function start(graceMs: number) {
    const leave = new AbortController()
    const answer = await fetch(`${server(0).url}/team/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        message: 'endless',
        stream: true,
        on_disconnect: 'cancel',
        disconnect_grace_ms: graceMs,
      }),
      signal: leave.signal,
    })
    const path = answer.headers.get('location') ?? ''
    const run = { path, runId: path.split('/').at(-1) ?? '' }
    await answer.body?.getReader().read()
    return { run, leave: () => leave.abort() }
  }
  /** Reads the run from a server until it leaves. */
  async function readAt(index: number, { path }: PostedRun) {
    const leave = new AbortController()
    const fold = new RunFold()
    const done = followRun({ url: () => `${server(index).url}${path}`, fold, signal: leave.signal })
    await vi.waitFor(() => expect(fold.last).toBeGreaterThan(0), 20_000)
    return async () => {
      leave.abort()
      await done
    }
  }
  const statusOf = async ({ path }: PostedRun) => (await call(`${server(0).url}${path}`)).body.status
  const rowsOf = ({ runId }: PostedRun) =>
    scene.query(`SELECT present FROM agency_swarm.readers WHERE run_id = '${runId}'`)
  const expectCancelled = (run: PostedRun) =>
    vi.waitFor(async () => expect(await statusOf(run)).toBe('cancelled'), 30_000)

  test('a reader that comes back to another process keeps the run alive', async () => {
    promise('H10')
    const { run, leave } = await start(1_000)
    leave()
    await vi.waitFor(async () => expect(await rowsOf(run)).toEqual([{ present: false }]), 20_000)
    const leaveAgain = await readAt(1, run)
    await sleep(2_000) // beyond the time that the first process waits
    expect(await statusOf(run)).toBe('in_progress')
    await leaveAgain()
    await expectCancelled(run)
  })

  test('of readers in two processes, the last one that leaves ends the run', async () => {
    promise('H10')
    const { run, leave } = await start(0)
    const leaveOther = await readAt(1, run)
    await vi.waitFor(async () => expect(await rowsOf(run)).toHaveLength(2), 20_000)
    leave()
    await vi.waitFor(async () => expect(await rowsOf(run)).toContainEqual({ present: false }), 20_000)
    await sleep(500)
    expect(await statusOf(run)).toBe('in_progress')
    await leaveOther()
    await expectCancelled(run)
  })

  test('readers that leave two processes in one moment end the run', async () => {
    promise('H10')
    const { run, leave } = await start(300)
    const leaveOther = await readAt(1, run)
    await vi.waitFor(async () => expect(await rowsOf(run)).toHaveLength(2), 20_000)
    leave()
    await leaveOther()
    await expectCancelled(run)
  })

  test('a run whose readers are gone with their process is ended by another', async () => {
    promise('H10')
    const returnAtOnce = { WORK: 'false', LIMITS: JSON.stringify({ readerReturnMs: 1 }) }
    await scene.start(returnAtOnce) // looks for unread runs
    servers.push(await scene.start(returnAtOnce))
    const { run, leave } = await start(0)
    const leaveOther = await readAt(2, run)
    await vi.waitFor(async () => expect(await rowsOf(run)).toHaveLength(2), 20_000)
    leave()
    await server(2).kill()
    await leaveOther()
    // As after the lease of the dead process.
    await scene.query(`UPDATE agency_swarm.readers SET until = 0 WHERE run_id = '${run.runId}'`)
    await expectCancelled(run)
  })
})
