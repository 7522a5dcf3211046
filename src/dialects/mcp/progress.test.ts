import { expect, onTestFinished, test, vi } from 'vitest'
import { type ProgressParams, startProgress } from './progress.ts'

test('a silent call says every five seconds that it goes on', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const sent: ProgressParams[] = []
  const progress = startProgress(async (params) => void sent.push(params))
  progress.report('Ann is working')
  await vi.advanceTimersByTimeAsync(10_000)
  await progress.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(sent).toEqual([1, 2, 3].map((count) => ({ progress: count, message: 'Ann is working' })))
})

test('a host that reads slowly gets the newest message, none after stop', async () => {
  const sent: string[] = []
  let release = () => {}
  const progress = startProgress(({ message }) => {
    sent.push(message)
    return new Promise((resolve) => {
      release = resolve
    })
  })
  for (const message of ['one', 'two', 'three']) progress.report(message)
  release()
  await vi.waitFor(() => expect(sent).toEqual(['one', 'three']))
  progress.report('late')
  const stopped = progress.stop()
  release()
  await stopped
  expect(sent).toEqual(['one', 'three'])
})
