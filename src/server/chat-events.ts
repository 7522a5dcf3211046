/** The events of a stored run as a chat page reads them: without void ones, and no further than a pause. */
import type { RunId, RunRecord } from '../runs/run-store.ts'
import type { NumberedEvent } from '../runs/stored/events.ts'
import type { StoredRuns } from '../runs/stored/service.ts'

export interface ChatEvents {
  /** The events of the run from its first one. Ends with the run, when it waits for people, and with the signal. */
  readonly events: AsyncIterable<readonly NumberedEvent[]>
  /** Why the events have ended. */
  end(): 'ended' | 'paused' | 'void' | undefined
  /** The number of the last event. */
  last(): number
}

/** How long one wait for a pause takes at most, in milliseconds; it is repeated. */
const WAIT_MS = 600_000

export function readChatEvents(runs: StoredRuns, id: RunId, reader: AbortSignal): ChatEvents {
  const done = new AbortController()
  const signal = AbortSignal.any([reader, done.signal])
  let end: ReturnType<ChatEvents['end']>
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
    const record = await runs.store.read({ kind: 'run', ...id })
    const isVoid = await findVoid(runs, record)
    for await (const batch of runs.follow(id, 0, signal)) {
      last = batch.at(-1)?.number ?? last
      const events = isVoid === undefined ? batch : batch.filter(({ number }) => !isVoid(number))
      // What the page has shown did not happen: it reads the run anew.
      if (events.some(({ number, event }) => event.kind === 'attempt' && number > record.lastEventId)) {
        end = 'void'
        return
      }
      yield events
      if (batch.at(-1)?.event.kind === 'closed') end = 'ended'
      if (!watching && batch.some(({ event }) => event.kind === 'requires_action')) void watchPause()
      stopAtPause()
    }
  }
  return { events: read(), end: () => end, last: () => last }
}

/** Which of the events so far are void: those of attempts that died. Undefined when none is. */
async function findVoid(
  runs: StoredRuns,
  { agency, owner, runId, attempt, lastEventId }: RunRecord,
): Promise<((number: number) => boolean) | undefined> {
  if (attempt <= 1) return undefined
  const ranges: { after: number; before: number }[] = []
  for await (const batch of runs.replay({ agency, owner, runId }, lastEventId))
    for (const { number, event } of batch)
      if (event.kind === 'attempt') ranges.push({ after: event.voidAfter, before: number })
  return (number) => ranges.some(({ after, before }) => number > after && number < before)
}
