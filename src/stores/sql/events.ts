/** The events of runs in the database: a row holds those that were written together. */
import type { StoredEvent } from '../../runs/run-store.ts'
import { PIECE_CHARS } from '../../wire/json-write.ts'
import { type Sql, select, type Transaction } from './database.ts'
import { packEvents, unpackEvents } from './event-rows.ts'
import { getText, textToColumn, workOf } from './long-texts.ts'
import { type RunRow, toState } from './rows.ts'
import { update } from './runs.ts'

/** At most this many events are read at a time. */
export const EVENTS_PER_READ = 500
/** The largest number of rows of one read. */
const ROWS_PER_READ = 50
/** Characters after which a read ends. */
const CHARS_PER_READ = 1_048_576

/** Adds events that the store itself says. */
export async function addEvents(tx: Transaction, run: RunRow, events: readonly string[]): Promise<void> {
  if (events.length > 0) await update(tx, run, { last_event: await insertEvents(tx, run, events) })
}

/**
 * Inserts events, and gives the number of the last for the row of the run, which the caller changes. Those that are there already
 * are left out, so a write may be repeated.
 * @param from number of the first. Default: the next one
 */
export async function insertEvents(
  tx: Transaction,
  run: RunRow,
  events: readonly string[],
  from: number = run.last_event + 1,
): Promise<number> {
  const rows = await toEventRows(tx, run, events, from)
  for (const row of rows) await tx.insert('events', [row])
  return rows.at(-1)?.last ?? run.last_event
}

/** The rows of events, as `insertEvents` inserts them. */
export async function toEventRows(tx: Transaction, run: RunRow, events: readonly string[], from = run.last_event + 1) {
  if (from > run.last_event + 1)
    throw new RangeError(`Run ${run.run_id} has ${run.last_event} events, so the next one cannot have number ${from}.`)
  const fresh = from === run.last_event + 1 ? events : events.slice(run.last_event + 1 - from)
  const rows: { run: number; last: number; attempt: number; events: string }[] = []
  let last = run.last_event
  if (tx.added !== undefined && fresh.length > 0) noteEvents(tx.added, run, fresh)
  for (const list of fresh.length === 0 ? [] : groupEvents(fresh)) {
    last += list.length
    const events = await textToColumn(tx, workOf(run.run_id), packEvents(list))
    rows.push({ run: run.number, last, attempt: run.attempt, events })
  }
  return rows
}

function noteEvents(added: NonNullable<Transaction['added']>, run: RunRow, fresh: readonly string[]): void {
  const { last_event: last, attempt } = run
  const events = fresh.map((event, index) => ({ number: last + index + 1, attempt, event }))
  added.set(run.run_id, { state: () => toState(run), events: [...(added.get(run.run_id)?.events ?? []), ...events] })
}

/** Events that share a row: short ones. */
function* groupEvents(events: readonly string[]): Generator<readonly string[]> {
  let begin = 0
  let chars = 0
  for (let index = 0; index < events.length; index++) {
    const { length } = events[index] as string
    if (index > begin && chars + length > PIECE_CHARS) {
      yield events.slice(begin, index)
      begin = index
      chars = 0
    }
    chars += length
  }
  yield begin === 0 ? events : events.slice(begin)
}

/** Events after a number: at least one, if there is one. */
export async function readEvents(sql: Sql, run: number, after: number, limit: number): Promise<StoredEvent[]> {
  const rows = await select<{ last: number; attempt: number; events: string }>(
    sql,
    'SELECT last, attempt, events FROM events WHERE run = ? AND last > ? ORDER BY last LIMIT ?',
    run,
    after,
    Math.min(limit, ROWS_PER_READ),
  )
  const most = Math.min(limit, EVENTS_PER_READ)
  const found: StoredEvent[] = []
  let chars = 0
  for (const { last, attempt, events } of rows) {
    if (found.length >= most || chars > CHARS_PER_READ) break
    const list = unpackEvents(await getText(sql, events))
    const before = last - list.length
    const skip = Math.max(0, after - before)
    for (const [index, event] of list.slice(skip, skip + most - found.length).entries()) {
      found.push({ number: before + skip + index + 1, attempt, event })
      chars += event.length
    }
  }
  return found
}
