/** Messages to agents in several processes: accepted by one, taken by another, over crashes. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { promise } from './promises.ts'
import { bundleCrashServer, type CrashServer } from './support/crash-process.ts'
import { hasPostgres } from './support/postgres.ts'
import {
  type Asked,
  call,
  createPostgresScene,
  type PostedRun,
  post,
  settled,
  speak,
  use,
} from './support/postgres-scene.ts'
import type { Turn } from './support/upstream.ts'

/** The last message decides: `endless` speaks until its process dies, `slow-x` calls three tools. */
function model({ message, outputs, times }: Asked): Turn {
  if (message.includes('endless') && times === 0) return speak('half', 20_000, 10)
  if (message.includes('slow') && outputs < 3)
    return { calls: [use('slow', `${/-(\w+)/.exec(message)?.[1]}-${outputs}`)] }
  return speak('end', 3)
}

describe.skipIf(!hasPostgres)('messages to agents over PostgreSQL', { timeout: 60_000 }, () => {
  let folder: string
  let scene: Awaited<ReturnType<typeof createPostgresScene>>
  let front: CrashServer
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'steering-'))
    const script = await bundleCrashServer(folder)
    scene = await createPostgresScene({ folder, script }, model, { SESSION_LOCK: 'true', PAUSE_MS: '300' })
    const started = await Promise.all([scene.start({ WORK: 'false' }), scene.start(), scene.start()])
    front = started[0] as CrashServer
  }, 120_000)
  afterAll(async () => {
    await scene.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const steer = async ({ path }: PostedRun, text: string) => {
    const { status, body } = await call(`${front.url}${path}/steer`, { agent: 'CEO', text })
    expect([status, body.status]).toEqual([202, 'accepted'])
  }
  const stateOf = async ({ path }: PostedRun) => (await call(`${front.url}${path}`)).body
  const timesSaid = (run: { new_messages: { role?: string; content?: unknown }[] }, text: string) =>
    run.new_messages.filter(({ role, content }) => role === 'user' && content === text).length

  test('a message that one process accepts is taken in another', async () => {
    promise('K1')
    const run = await post(front, 'slow-a')
    await vi.waitFor(() => expect(scene.effects()).toContain('a-0'), 20_000)
    await steer(run, 'Be brief')
    const record = await settled(front, run)
    expect([record.status, timesSaid(record, 'Be brief')]).toEqual(['completed', 1])
    expect(record.steers).toMatchObject([{ status: 'taken' }])
  })

  test('a message outlives the process that did not come to take it', async () => {
    promise('K1')
    const run = await post(front, 'endless-b')
    const worker = await scene.workerOf(run)
    await vi.waitFor(async () => expect((await stateOf(run)).last_event_id).toBeGreaterThan(3), 20_000)
    await steer(run, 'slow-t')
    await worker.kill()
    const replacement = scene.start()
    const record = await settled(front, run)
    expect(record).toMatchObject({ status: 'completed', attempt: 2, steers: [{ status: 'taken' }] })
    expect(timesSaid(record, 'slow-t')).toBe(1)
    expect(scene.effects().filter((id) => id.startsWith('t-'))).toEqual(['t-0', 't-1', 't-2'])
    await replacement
  })

  test('a message that was taken is not taken again after a crash', async () => {
    promise('K1')
    const run = await post(front, 'slow-c')
    await vi.waitFor(() => expect(scene.effects()).toContain('c-0'), 20_000)
    await steer(run, 'slow-d')
    await vi.waitFor(async () => expect((await stateOf(run)).steers).toMatchObject([{ status: 'taken' }]), 20_000)
    const worker = await scene.workerOf(run)
    await worker.kill()
    const replacement = scene.start()
    const record = await settled(front, run)
    expect(record).toMatchObject({ status: 'completed', attempt: 2, steers: [{ status: 'taken' }] })
    expect(timesSaid(record, 'slow-d')).toBe(1)
    await replacement
  })

  test('a pause of one process holds the run of another, also after a crash', async () => {
    promise('K2')
    const run = await post(front, 'slow-e')
    await vi.waitFor(() => expect(scene.effects()).toContain('e-0'), 20_000)
    await call(`${front.url}${run.path}/pause`, {})
    const worker = await scene.workerOf(run)
    await worker.kill()
    const replacement = scene.start()
    const paused = async () => {
      const answer = await fetch(`${front.url}${run.path}/events`, { signal: AbortSignal.timeout(2_000) })
      let text = ''
      const decoder = new TextDecoder()
      try {
        for await (const chunk of answer.body ?? []) text += decoder.decode(chunk, { stream: true })
      } catch {
        // The run is paused: its stream goes on until the time is over.
      }
      return text.slice(text.indexOf('event: attempt'))
    }
    await vi.waitFor(async () => expect(await paused()).toContain('"state":"paused"'), {
      timeout: 30_000,
      interval: 100,
    })
    expect(await stateOf(run)).toMatchObject({ status: 'in_progress', attempt: 2, paused: [{ agent: null }] })
    await call(`${front.url}${run.path}/continue`, {})
    expect(await settled(front, run)).toMatchObject({ status: 'completed' })
    await replacement
  })
})
