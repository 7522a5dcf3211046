import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Agency, Agent, tool } from '../src/index.ts'
import { promise } from './promises.ts'
import { final, post, readFrames, startWithHub } from './support/client.ts'
import { memoryInUse } from './support/memory.ts'
import { startStreams } from './support/upstream.ts'

/** A repeatable stream of numbers between 0 and 1. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

test('2,000 streamed runs with cancels and drops leave nothing behind', async () => {
  promise('B4', 'B5', 'B7')
  const upstream = await startStreams(12, 1)
  onTestFinished(() => upstream.close())
  const slow = tool({ name: 'echo_tool', execute: () => sleep(5, 'done') })
  const worker = new Agent({ name: 'Worker', model: 'gpt-4.1', tools: [slow] })
  const agency = new Agency(worker, { name: 'solo' })
  const before = process.env.OPENAI_API_KEY
  process.env.OPENAI_BASE_URL = upstream.baseURL
  process.env.OPENAI_API_KEY = 'sk-test'
  const { url, hub } = await startWithHub({ agencies: { solo: agency } })
  process.env.OPENAI_BASE_URL = ''
  process.env.OPENAI_API_KEY = before ?? ''
  const random = numbers(7)
  const ends = { finished: 0, cancelled: 0, dropped: 0 }

  const one = async () => {
    const fate = random()
    const until = Math.floor(random() * 20)
    const mode = random() < 0.5 ? 'immediate' : 'after_turn'
    const leave = new AbortController()
    const frames = []
    try {
      for await (const frame of readFrames(`${url}/solo/get_response_stream`, { message: 'Go' }, leave.signal)) {
        frames.push(frame)
        if (frames.length !== until) continue
        if (fate < 0.35) leave.abort()
        else if (fate < 0.7)
          await post(`${url}/solo/cancel_response_stream`, { run_id: frames[0]?.data.run_id, cancel_mode: mode })
      }
    } catch {
      ends.dropped++
      return
    }
    if (final(frames)?.cancelled === true) ends.cancelled++
    else ends.finished++
    expect(frames.at(-1)?.event).toBe('end')
  }
  const many = async (count: number) => {
    let left = count
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        while (left-- > 0) await one()
      }),
    )
    await expect.poll(() => [hub.size, upstream.open()], { timeout: 5000 }).toEqual([0, 0])
  }
  await many(1000)
  const half = await memoryInUse()
  await many(1000)
  expect(ends.finished).toBeGreaterThan(300)
  expect(ends.cancelled).toBeGreaterThan(200)
  expect(ends.dropped).toBeGreaterThan(200)
  expect((await memoryInUse()) - half).toBeLessThan(2 * 1024 * 1024)
}, 60_000)
