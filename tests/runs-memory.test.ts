import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Agency, Agent, sqlite } from '../src/index.ts'
import { post, startWithHub } from './support/client.ts'
import { memoryInUse } from './support/memory.ts'
import { startStreams } from './support/upstream.ts'

async function startStored(deltas: number, limits: object = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'memory-'))
  const upstream = await startStreams(deltas, 0)
  onTestFinished(() => upstream.close())
  vi.stubEnv('OPENAI_BASE_URL', upstream.baseURL)
  vi.stubEnv('OPENAI_API_KEY', 'sk-test')
  const agency = new Agency(new Agent({ name: 'Worker', model: 'gpt-4.1' }))
  const runs = { store: sqlite(join(folder, 'runs.db')) }
  const { url, hub } = await startWithHub({ agencies: { solo: agency }, runs, limits })
  vi.unstubAllEnvs()
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return { url: `${url}/solo/runs`, hub }
}

test('2,000 stored runs leave nothing behind', { timeout: 120_000 }, async () => {
  const { url, hub } = await startStored(12)
  const many = async (count: number) => {
    let left = count
    const work = async () => {
      while (left-- > 0) {
        const text = await (await post(url, { message: 'Go', stream: true })).text()
        expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
      }
    }
    await Promise.all(Array.from({ length: 20 }, work))
  }
  await many(1_000) // what is kept of recent runs is full then
  const before = await memoryInUse()
  await many(2_000)
  await vi.waitFor(() => expect([hub.size, hub.budget.heldBytes]).toEqual([0, 0]))
  expect((await memoryInUse()) - before).toBeLessThan(2 * 2 ** 20)
})

test('a stored run ends when its unwritten events are more than it may hold', async () => {
  const { url, hub } = await startStored(4_000, { runBytes: 300_000, eventBatchMs: 60_000 })
  const { run_id } = (await (await post(url, { message: 'Go' })).json()) as { run_id: string }
  const record = (await (await fetch(`${url}/${run_id}?wait=15`)).json()) as object
  expect(record).toMatchObject({ status: 'failed', error: { code: 'MEMORY_LIMIT' } })
  await vi.waitFor(() => expect(hub.budget.heldBytes).toBe(0))
})
