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
    next.catch(() => {}) // the reader has left
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

export interface EventsUntilPause {
  /** The events of the run from its first one. Ends with the run, when it waits for people, and with the signal. */
  readonly events: AsyncIterable<readonly NumberedEvent[]>
  /** Why the events have ended; undefined when this server lets go of the run, or the reader has left. */
  end(): 'ended' | 'paused' | undefined
  /** The number of the last event. */
  last(): number
}

/** The events of a stored run for a reader that does not wait for people: no further than its first pause. */
export function readUntilPause(runs: StoredRuns, id: RunId, reader: AbortSignal): EventsUntilPause {
  let end: ReturnType<EventsUntilPause['end']>
  let last = 0
  async function* read(): AsyncGenerator<readonly NumberedEvent[]> {
    for await (const batch of followWithPauses(runs, id, 0, reader)) {
      if (batch === 'paused') {
        end = 'paused'
        return
      }
      last = batch.at(-1)?.number ?? last
      yield batch
      if (batch.at(-1)?.event.kind === 'closed') end = 'ended'
    }
  }
  return { events: read(), end: () => end, last: () => last }
}
