/** The store of runs in the memory of the process. */
import type { RunStore } from '../runs/run-store.ts'
import { createRunStore } from './sql/store.ts'
import type { Capacity } from './sql/sweep.ts'
import { IN_MEMORY, SqliteDatabase } from './sqlite/database.ts'

/**
 * Keeps runs in memory: everything is lost with the process. It is SQLite without a file, so its rules are those of
 * `sqlite()`. What it holds is bounded: the oldest are forgotten.
 *
 * @param capacity.endedRuns ended runs that are kept. @default 1000
 * @param capacity.endedMs how long they are kept after their end, in milliseconds. @default 600000
 * @param capacity.idleThreads threads without a live run that are kept. @default 1000
 */
export const memory = (capacity: Partial<Capacity> = {}): RunStore =>
  createRunStore(new SqliteDatabase(IN_MEMORY, { fsync: false }), {
    endedRuns: 1000,
    endedMs: 600_000,
    idleThreads: 1000,
    ...capacity,
  })
