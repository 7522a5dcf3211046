/** The events of a stored run for a reader that does not wait for people: no further than a pause. */
import type { RunId } from '../runs/run-store.ts'
import type { NumberedEvent } from '../runs/stored/events.ts'
import type { StoredRuns } from '../runs/stored/service.ts'

export interface EventsUntilPause {
  /** The events of the run from its first one. Ends with the run, when it waits for people, and with the signal. */
  readonly events: AsyncIterable<readonly NumberedEvent[]>
  /** Why the events have ended; undefined when this server lets go of the run, or the reader has left. */
  end(): 'ended' | 'paused' | undefined
  /** The number of the last event. */
  last(): number
}

/** How long one wait for a pause takes at most, in milliseconds; it is repeated. */
const WAIT_MS = 600_000

export function readUntilPause(runs: StoredRuns, id: RunId, reader: AbortSignal): EventsUntilPause {
  const done = new AbortController()
  const signal = AbortSignal.any([reader, done.signal])
  let end: ReturnType<EventsUntilPause['end']>
  let last = 0
  let pausedAt = Number.POSITIVE_INFINITY
  let watching = false

  const stopAtPause = () => {
    if (last < pausedAt) return
    end ??= 'paused'
    done.abort()
  }
  /** Notes where the run pauses; the state is asked for only once an approval is waited for. */
  const watchPause = async () => {
    watching = true
    try {
      for (;;) {
        const record = await runs.wait(id, WAIT_MS, signal)
        if (signal.aborted || record.endedAt !== null) return
        if (record.status !== 'requires_action') continue
        pausedAt = record.lastEventId
        return stopAtPause()
      }
    } catch {
      // The store is away: the events say so.
    }
  }

  async function* read(): AsyncGenerator<readonly NumberedEvent[]> {
    for await (const batch of runs.follow(id, 0, signal)) {
      last = batch.at(-1)?.number ?? last
      yield batch
      if (batch.at(-1)?.event.kind === 'closed') end = 'ended'
      if (!watching && batch.some(({ event }) => event.kind === 'requires_action')) void watchPause()
      stopAtPause()
    }
  }
  return { events: read(), end: () => end, last: () => last }
}
