/** The first events of an attempt that takes a run over from one that was lost or has handed it on. */
import { findVoidFrames, type LoggedFrame } from '../loop/journal.ts'
import type { ClaimedRun, RunStore } from '../run-store.ts'
import { createDecoder, type DecodedEvent } from './events.ts'
import { readCoverage, toCoverageRow } from './journal.ts'
import type { StoredLog } from './log.ts'

/** Events that are read at a time. */
const PAGE = 500
/** The scope of events that are final as soon as they are stored. */
const ALWAYS = ''

/** Says which events of the attempt before are void, and emits anew those after them that are final. */
export async function announceAttempt(store: RunStore, log: StoredLog, { claim, run, work }: ClaimedRun) {
  const { final, covered } = readCoverage(work)
  const events = await readEvents(store, run, final)
  const frames: LoggedFrame[] = events.map(({ number, scope }) => ({ number, scope: scope ?? ALWAYS }))
  const known = new Map([...Object.entries(covered), [ALWAYS, run.lastEventId] as const])
  const { voidAfter, again } = findVoidFrames(frames, known)
  log.append([
    { kind: 'attempt', attempt: claim.attempt, voidAfter: frames.length === 0 ? run.lastEventId : voidAfter },
  ])
  const repeated = new Set(again)
  // An earlier attempt's own announcement is not news: this one's holds for both.
  const isRepeated = ({ number, event }: DecodedEvent) => repeated.has(number) && event.kind !== 'attempt'
  log.append(events.filter(isRepeated).map(({ event }) => event))
  const row = toCoverageRow(work, log)
  await log.write(row === undefined ? {} : { conversations: [row] })
}

/** All events after a number. */
async function readEvents(store: RunStore, run: ClaimedRun['run'], after: number): Promise<DecodedEvent[]> {
  const { agency, owner, runId, lastEventId } = run
  const decode = createDecoder()
  const all: DecodedEvent[] = []
  for (let last = after; last < lastEventId; ) {
    const { events } = await store.read({ kind: 'events', agency, owner, runId, after: last, limit: PAGE })
    if (events.length === 0) break
    all.push(...(await decode(events)))
    last = all.at(-1)?.number ?? last
  }
  return all
}
