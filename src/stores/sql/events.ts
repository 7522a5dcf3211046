/** The events of runs in the database: a row holds those that were written together. */
import type { StoredEvent } from '../../runs/run-store.ts'
import { PIECE_CHARS } from '../../wire/json-write.ts'
import { type Sql, select, type Transaction } from './database.ts'
import { getText, textToColumn, workOf } from './long-texts.ts'
import { type RunRow, toState } from './rows.ts'
import { update } from './runs.ts'

/** Stands between the events of a row: a character that JSON never contains. */
const BETWEEN = '\u001e'
/** At most this many events are read at a time. */
export const EVENTS_PER_READ = 500
/** The largest number of rows of one read. */
const ROWS_PER_READ = 50
/** Characters after which a read ends. */
const CHARS_PER_READ = 1_048_576

/**
 * Adds events; those that are already stored are skipped, so a write may be repeated.
 * @param from number of the first. Default: the next one
 * @param workedAt set when the worker of the run adds them
 */
export async function addEvents(
  tx: Transaction,
  run: RunRow,
  events: readonly string[],
  { from = run.last_event + 1, workedAt }: { from?: number; workedAt?: number } = {},
) {
  if (from > run.last_event + 1)
    throw new RangeError(`Run ${run.run_id} has ${run.last_event} events, so the next one cannot have number ${from}.`)
  const fresh = events.slice(run.last_event + 1 - from)
  if (fresh.length === 0) return
  let last = run.last_event
  if (tx.added !== undefined) noteEvents(tx.added, run, fresh)
  for (const list of groupEvents(fresh)) {
    last += list.length
    const events = await textToColumn(tx, workOf(run.run_id), list.join(BETWEEN))
    await tx.insert('events', [{ run: run.number, last, attempt: run.attempt, events }])
  }
  await update(tx, run, { last_event: last, ...(workedAt === undefined ? {} : { worked_at: workedAt }) })
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
  for (const [index, event] of events.entries()) {
    if (index > begin && chars + event.length > PIECE_CHARS) {
      yield events.slice(begin, index)
      begin = index
      chars = 0
    }
    chars += event.length
  }
  yield events.slice(begin)
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
    const list = (await getText(sql, events)).split(BETWEEN)
    const before = last - list.length
    const skip = Math.max(0, after - before)
    for (const [index, event] of list.slice(skip, skip + most - found.length).entries()) {
      found.push({ number: before + skip + index + 1, attempt, event })
      chars += event.length
    }
  }
  return found
}
