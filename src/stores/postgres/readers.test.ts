import { expect, onTestFinished, test, vi } from 'vitest'
import type { Pool } from './pool.ts'
import { Readers } from './readers.ts'

test('after an outage, other processes have time to say who reads in them', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  let isAway = false
  const pool = {
    schema: 'agency_swarm',
    read: async () => {
      if (isAway) throw new Error('away')
      return [{ agency: 'solo', owner: 'everybody', run_id: 'r' }]
    },
  }
  const readers = new Readers(async () => pool as unknown as Pool)
  onTestFinished(() => readers.close())
  const onUnread = vi.fn()
  readers.open({ returnMs: 0, onUnread })
  const looks = async (count: number) => vi.advanceTimersByTimeAsync(count * 10_000)
  await looks(1)
  expect(onUnread.mock.calls).toEqual([[{ agency: 'solo', owner: 'everybody', runId: 'r' }]])
  isAway = true
  await looks(3)
  isAway = false
  await looks(1)
  expect(onUnread).toHaveBeenCalledTimes(1)
  await looks(1)
  expect(onUnread).toHaveBeenCalledTimes(2)
})
