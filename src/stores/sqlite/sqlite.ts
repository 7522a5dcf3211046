/** The store of runs in one SQLite file. */
import type { RunStore } from '../../runs/run-store.ts'
import { createRunStore } from '../sql/store.ts'
import { SqliteDatabase, type SqliteOptions } from './database.ts'

/**
 * Keeps runs in a file, for one process: a second one is refused, and the system frees the file when the process ends, also
 * after `kill -9`. The file is made at the first use, readable by its owner alone; its folder has to exist.
 *
 * @param path of the file, such as `./agency.db`
 * @param options.fsync waits for the disk at each commit, so that a power failure loses nothing either; it blocks the process
 *   for the time of a disk flush. Without it a crash of the process loses nothing, and a power failure at most the last
 *   moments, never the file. @default false
 * @throws STORE_IN_USE, STORE_UNAVAILABLE from the methods of the store
 */
export const sqlite = (path: string, options: Partial<SqliteOptions> = {}): RunStore =>
  createRunStore(new SqliteDatabase(path, { fsync: options.fsync ?? false }))
