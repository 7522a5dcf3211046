import { beforeEach, expect, test, vi } from 'vitest'
import { ModelTimeout } from '../base/model-errors.ts'
import { EventWatch, inTime } from './timeouts.ts'

beforeEach(() => {
  vi.useFakeTimers()
  return () => void vi.useRealTimers()
})

function startWatch(gone = 0) {
  const silences: string[] = []
  const began = performance.now() - gone
  const watch = new EventWatch({ began, firstMs: 1_000, idleMs: 100 }, (error) => silences.push(error.message))
  return { watch, silences }
}

test('timeouts start at the request, then at the last event', () => {
  const { silences } = startWatch(400)
  vi.advanceTimersByTime(599)
  expect(silences).toEqual([])
  vi.advanceTimersByTime(1)
  expect(silences).toEqual(['The model sent no event within 1000 ms.'])
  const later = startWatch()
  for (let event = 0; event < 5; event++) {
    later.watch.hear()
    later.watch.wait()
    vi.advanceTimersByTime(90)
    later.watch.wait() // bytes came, but no event
  }
  expect(later.silences).toEqual([])
  vi.advanceTimersByTime(10)
  expect(later.silences).toEqual(['The model sent no event within 100 ms.'])
})

test('the time in which nobody asks for more is not counted', () => {
  const { watch, silences } = startWatch()
  for (let event = 0; event < 3; event++) {
    watch.hear()
    vi.advanceTimersByTime(60_000)
    watch.wait()
    vi.advanceTimersByTime(99)
  }
  expect(silences).toEqual([])
  vi.advanceTimersByTime(1)
  expect(silences).toHaveLength(1)
})

test('an attempt follows its signal, and its timeout has its own error', async () => {
  const hang = (signal: AbortSignal) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  const abort = new AbortController()
  const left = expect(inTime(1_000, abort.signal, hang)).rejects.toThrow('left')
  abort.abort(new Error('left'))
  await left
  const late = expect(inTime(1_000, new AbortController().signal, hang)).rejects.toMatchObject({
    code: 'MODEL_FAILED',
    cause: expect.any(ModelTimeout),
  })
  await vi.advanceTimersByTimeAsync(1_000)
  await late
  expect(vi.getTimerCount()).toBe(0)
})
