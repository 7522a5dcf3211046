/** The events of a stored run as a chat page reads them: without void ones, and no further than a pause. */
import type { RunId, RunRecord } from '../runs/run-store.ts'
import type { NumberedEvent } from '../runs/stored/events.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import { type EventsUntilPause, readUntilPause } from './pauses.ts'

export interface ChatEvents extends Omit<EventsUntilPause, 'end'> {
  /** Why the events have ended. `void`: what the page has shown did not happen. */
  end(): 'ended' | 'paused' | 'void' | undefined
}

export function readChatEvents(runs: StoredRuns, id: RunId, reader: AbortSignal): ChatEvents {
  const source = readUntilPause(runs, id, reader)
  let isVoided = false
  async function* read(): AsyncGenerator<readonly NumberedEvent[]> {
    const record = await runs.store.read({ kind: 'run', ...id })
    const isVoid = await findVoid(runs, record)
    for await (const batch of source.events) {
      const events = isVoid === undefined ? batch : batch.filter(({ number }) => !isVoid(number))
      // The page reads the run anew.
      isVoided = events.some(({ number, event }) => event.kind === 'attempt' && number > record.lastEventId)
      if (isVoided) return
      yield events
    }
  }
  return { events: read(), end: () => (isVoided ? 'void' : source.end()), last: source.last }
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
