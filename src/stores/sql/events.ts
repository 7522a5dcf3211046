/** The events of runs in the database: a row holds those that were written together. */
import type { StoredEvent } from '../../runs/run-store.ts'
import { type Sql, select, type Transaction } from './database.ts'
import type { RunRow } from './rows.ts'
import { update } from './runs.ts'

/** Stands between the events of a row: a character that JSON has no place for. */
const BETWEEN = '\u001e'
/** At most this many events are read at a time. */
export const EVENTS_PER_READ = 500
/** Most rows of one read. */
const ROWS_PER_READ = 50

/**
 * Adds events; those that are there already are left out, so a write may be repeated.
 * @param from number of the first. Default: the next one
 */
export async function addEvents(tx: Transaction, run: RunRow, events: readonly string[], from = run.last_event + 1) {
  if (from > run.last_event + 1)
    throw new RangeError(`Run ${run.run_id} has ${run.last_event} events, so the next one cannot have number ${from}.`)
  const fresh = events.slice(run.last_event + 1 - from)
  if (fresh.length === 0) return
  const last = run.last_event + fresh.length
  await tx.insert('events', [{ run: run.number, last, attempt: run.attempt, events: fresh.join(BETWEEN) }])
  await update(tx, run, { last_event: last })
}

/** Events after a number, at least one where there are any. */
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
  for (const { last, attempt, events } of rows) {
    if (found.length >= most) break
    const list = events.split(BETWEEN)
    const before = last - list.length
    const skip = Math.max(0, after - before)
    for (const [index, event] of list.slice(skip, skip + most - found.length).entries())
      found.push({ number: before + skip + index + 1, attempt, event })
  }
  return found
}
