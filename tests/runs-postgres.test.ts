import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { Agency, Agent, buildApp } from '../src/index.ts'
import { postgres } from '../src/postgres.ts'
import { bundleCrashServer, type CrashServer } from './support/crash-process.ts'
import { hasPostgres } from './support/postgres.ts'
import {
  type Asked,
  call,
  createPostgresScene,
  type PostedRun,
  post,
  read,
  settled,
  speak,
  use,
} from './support/postgres-scene.ts'
import type { RunFrame } from './support/run-reader.ts'
import type { Turn } from './support/upstream.ts'

const says = (text: string) => (frame: RunFrame) => frame.data.includes(text)

/** What the message names decides: `note-x` calls a tool with an effect, `endless` speaks until it is stopped. */
function model({ message, outputs, times }: Asked): Turn {
  const [, id = ''] = /-(\w+)/.exec(message) ?? []
  if (message.includes('pay') && outputs === 0) return { calls: [use('pay', `pay-${id}`)] }
  if (message.includes('note') && outputs < 2) return { calls: [use('note', `${id}-${outputs}`)] }
  if (message.includes('slow') && outputs < 3) return { calls: [use('slow', `${id}-${outputs}`)] }
  if (message.includes('endless') && times === 0) return speak('half', 20_000, 10)
  return speak('end', 3)
}
const END = 'end0 end1 end2 '

/** One server shows, two work. Tests follow each other on them; the last ones pause, stop and kill a worker. */
describe.skipIf(!hasPostgres)('several processes on one PostgreSQL', { timeout: 60_000 }, () => {
  let folder: string
  let scene: Awaited<ReturnType<typeof createPostgresScene>>
  let front: CrashServer
  let workers: CrashServer[]
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'postgres-'))
    const script = await bundleCrashServer(folder)
    scene = await createPostgresScene({ folder, script }, model, {
      SESSION_LOCK: 'true',
      AGENCY_STORE_KEY: 'a'.repeat(64),
      LIMITS: JSON.stringify({ threadQueue: 50 }),
      PAUSE_MS: '30',
    })
    const started = await Promise.all([scene.start({ WORK: 'false' }), scene.start(), scene.start()])
    front = started[0]
    workers = started.slice(1)
  }, 120_000)
  afterAll(async () => {
    await scene.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** Posts a run, and waits until it is in the middle of its text or its first tool. */
  async function startOn(message: string, isThere: (frame: RunFrame) => boolean) {
    const run = await post(front, message)
    const worker = await scene.workerOf(run)
    const reader = read(() => front, run)
    await vi.waitFor(() => expect(reader.fold.seen.some(isThere)).toBe(true), 20_000)
    return { run, worker, reader }
  }

  test('runs of one thread work one after the other, in the order of admission', async () => {
    const servers = [front, ...workers]
    const posted = await Promise.all(
      Array.from({ length: 21 }, (_, n) => post(servers[n % 3] as CrashServer, `note-o${n}`, { thread_id: 't' })),
    )
    for (const run of posted) expect(await settled(front, run)).toMatchObject({ status: 'completed', response: END })
    const rows = await scene.query(`SELECT run_id FROM agency_swarm.runs WHERE thread_id = 't' ORDER BY number`)
    const numbers = rows.map(({ run_id }) => posted.findIndex(({ runId }) => runId === run_id))
    expect(scene.effects()).toEqual(numbers.flatMap((n) => [`o${n}-0`, `o${n}-1`]))
    const owners = (await scene.query('SELECT run_id FROM agency_swarm.messages ORDER BY number')).map(
      (row) => row.run_id,
    )
    expect(owners.filter((id, index) => id !== owners[index - 1])).toEqual(rows.map(({ run_id }) => run_id))
    const [activity] = await scene.query('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')
    expect(Number(activity?.deadlocks)).toBe(0)
  })

  test('a thousand requests with one key, over all processes, make one run', async () => {
    const servers = [front, ...workers]
    const ids = new Set<string>()
    const statuses = new Set<number>()
    const send = async (n: number) => {
      const url = `${servers[n % 3]?.url}/team/runs`
      const { status, body } = await call(url, { message: 'note-key' }, { 'idempotency-key': 'one' })
      statuses.add(status)
      ids.add(body.run_id)
    }
    for (let n = 0; n < 1_000; n += 100) await Promise.all(Array.from({ length: 100 }, (_, k) => send(n + k)))
    expect([ids.size, [...statuses]]).toEqual([1, [202]])
    const [runId = ''] = ids
    await settled(front, { runId, path: `/team/runs/${runId}` })
    expect(scene.effects().filter((id) => id.startsWith('key'))).toEqual(['key-0', 'key-1'])
  })

  test('a run is stopped from another process, and its model with it', async () => {
    const { run, reader } = await startOn('endless-c', says('half3'))
    const { status, body } = await call(`${front.url}${run.path}/cancel`, {})
    expect([status, body.status, body.settled]).toEqual([200, 'cancelled', true])
    await reader.done
    await vi.waitFor(() => expect(scene.upstream.open()).toBe(0))
  })

  test('a decision in another process lets a paused run go on', async () => {
    const run = await post(front, 'pay-d')
    const paused = await settled(front, run)
    expect(paused.status).toBe('requires_action')
    const { approval_id } = paused.required_action.approvals[0]
    await call(`${front.url}${run.path}/approvals/${approval_id}`, { decision: 'approve' })
    await vi.waitFor(async () => expect((await settled(front, run)).status).toBe('completed'), 20_000)
    expect(scene.effects().filter((id) => id.startsWith('pay'))).toEqual(['pay-d'])
  })

  test('keys of a request travel sealed to the process that works', async () => {
    const run = await post(front, 'note-s', { client_config: { api_key: 'sk-of-the-caller' } })
    expect(await settled(front, run)).toMatchObject({ status: 'completed', recoverable: true })
    expect(scene.upstream.seen.some(({ headers }) => headers.authorization === 'Bearer sk-of-the-caller')).toBe(true)
    const rows = await scene.query(`SELECT count(*)::int AS n FROM agency_swarm.plans WHERE plan LIKE '%sk-of-the%'`)
    expect(rows).toEqual([{ n: 0 }])
  })

  test('without a key to seal them, a process that only shows refuses keys', async () => {
    const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }), { name: 'team' })
    const app = await buildApp({ agencies: { team: agency }, runs: { store: postgres(scene.url), work: false } })
    const payload = { message: 'Hello', client_config: { api_key: 'sk-of-the-caller' } }
    const answer = await app.inject({ method: 'POST', url: '/team/runs', payload })
    expect([answer.statusCode, answer.json().detail[0].loc]).toEqual([422, ['body', 'client_config']])
    await app.close()
  })

  test('a worker that sleeps beyond its lease writes nothing when it wakes', async () => {
    const { run, worker, reader } = await startOn('endless-p', says('half3'))
    worker.child.kill('SIGSTOP')
    const record = await settled(front, run)
    expect(record).toMatchObject({ status: 'completed', attempt: 2, response: END })
    await reader.done
    const rows = `SELECT last, events.attempt FROM agency_swarm.events JOIN agency_swarm.runs ON run = number
      WHERE run_id = '${run.runId}' ORDER BY last`
    const before = await scene.query(rows)
    worker.child.kill('SIGCONT')
    await vi.waitFor(() => expect(scene.upstream.open()).toBe(0), 20_000)
    expect(await scene.query(rows)).toEqual(before)
    expect(await settled(front, run)).toEqual(record)
  })

  test('a stop hands runs over at their turn boundary, and nothing is repeated', async () => {
    const { run, worker, reader } = await startOn('slow-h', says('tool_called'))
    worker.child.kill('SIGTERM')
    await reader.done
    expect(await settled(front, run)).toMatchObject({ status: 'completed', attempt: 2, response: END })
    expect(scene.effects().filter((id) => id.startsWith('h-'))).toEqual(['h-0', 'h-1', 'h-2'])
    workers = workers.filter((one) => one !== worker)
  })

  test('runs of a killed worker are taken over: none lost, no call doubled', async () => {
    workers.push(await scene.start())
    const runs: PostedRun[] = []
    for (let n = 0; n < 8; n++) runs.push(await post(front, `note-k${n}`))
    const last = await startOn('endless-k', says('half3'))
    const began = performance.now()
    await last.worker.kill()
    await last.reader.done
    const tookMs = performance.now() - began
    expect(await settled(front, last.run)).toMatchObject({ status: 'completed', attempt: 2, response: END })
    // The lock that is gone tells the others, long before a heartbeat is missed.
    expect(tookMs).toBeLessThan(9_000)
    for (const run of runs) expect(await settled(front, run)).toMatchObject({ status: 'completed' })
    const effects = scene.effects().filter((id) => id.startsWith('k'))
    expect(new Set(effects).size).toBe(effects.length)
  })
})
