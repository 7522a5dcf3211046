/** The events of a stored run with its pauses: the moments when it waits for people and does nothing else. */
import type { RunId } from '../runs/run-store.ts'
import type { NumberedEvent } from '../runs/stored/events.ts'
import type { StoredRuns } from '../runs/stored/service.ts'

/** How long one wait for a pause takes at most, in milliseconds; it is repeated. */
const WAIT_MS = 600_000

/** The events after a number, and `paused` after the last event before each pause. Ends as `follow` does. */
export async function* followWithPauses(
  runs: StoredRuns,
  id: RunId,
  after: number,
  signal: AbortSignal,
): AsyncGenerator<readonly NumberedEvent[] | 'paused'> {
  const done = new AbortController()
  const until = AbortSignal.any([signal, done.signal])
  const events = runs.follow(id, after, until)[Symbol.asyncIterator]()
  let next = events.next()
  let last = after
  /** Asked for only once an approval is waited for. */
  let pause: Promise<{ pausedAt: number }> | undefined
  let pausedAt = Number.NaN
  try {
    for (;;) {
      const got = await (pause === undefined ? next : Promise.race([next, pause]))
      if ('pausedAt' in got) {
        ;({ pausedAt } = got)
        pause = undefined
      } else {
        if (got.done === true) return
        last = got.value.at(-1)?.number ?? last
        yield got.value
        if (got.value.some(({ event }) => event.kind === 'requires_action')) pause ??= findPause(runs, id, until)
        next = events.next()
      }
      if (last !== pausedAt) continue // not read yet, or over
      pausedAt = Number.NaN
      yield 'paused'
    }
  } finally {
    done.abort()
    next.catch(() => {}) // whoever left does not care
    void events.return?.().catch(() => {})
  }
}

/** Resolves with the last event before the next pause; never when the run ends before it. */
async function findPause(runs: StoredRuns, id: RunId, signal: AbortSignal): Promise<{ pausedAt: number }> {
  try {
    for (;;) {
      const { status, endedAt, lastEventId } = await runs.wait(id, WAIT_MS, signal)
      if (signal.aborted || endedAt !== null) break
      if (status === 'requires_action') return { pausedAt: lastEventId }
    }
  } catch {
    // The store is away: the events say so.
  }
  return new Promise(() => {})
}
