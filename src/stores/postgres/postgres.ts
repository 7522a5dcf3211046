/** The store of runs in PostgreSQL. */
import type { RunStore } from '../../runs/run-store.ts'
import { createRunStore } from '../sql/store.ts'
import { PostgresDatabase } from './database.ts'
import { diagnose } from './diagnose.ts'
import { type PostgresOptions, readOptions } from './options.ts'

/**
 * Keeps runs in PostgreSQL 13 or newer, for any number of processes on any number of machines: each sees every run, and the runs
 * of a process that died are taken over by the others. Needs the packages `pg` and `pg-boss`. Connects at the first use, and
 * makes its schemas then.
 *
 * @param options the address of the database, or an object that has it as `url`
 * @throws INVALID_OPTION; from the methods of the store STORE_UNAVAILABLE, PACKAGE_MISSING
 */
export function postgres(options: string | PostgresOptions): RunStore {
  const settings = readOptions(options)
  const database = new PostgresDatabase(settings)
  const { queue, processes, readers, counts } = database
  return {
    ...createRunStore(database),
    shared: true,
    queue,
    processes,
    readers,
    counts,
    onTrouble: (tell) => database.onTrouble(tell),
    diagnose: () => diagnose(settings),
  }
}
