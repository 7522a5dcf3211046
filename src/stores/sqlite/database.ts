/** A database in one SQLite file, or in memory, over node:sqlite. It serves one process, whose transactions take turns. */
import { closeSync, openSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import { Pace } from '../../base/async.ts'
import { AgencyError, storeInUse, storeUnavailable } from '../../base/errors.ts'
import { type Changed, type Database, insertOf, type Row, type Sql, type Value } from '../sql/database.ts'
import { migrate } from '../sql/migrations.ts'

/** Name of a database that lives and ends with the process. */
export const IN_MEMORY = ':memory:'

export interface SqliteOptions {
  /** Waits for the disk at each commit. */
  fsync: boolean
}

/** Work that waits for its turn. */
interface Job {
  work(sql: Sql): Promise<unknown>
  resolve(result: unknown): void
  reject(error: unknown): void
}

interface Listener {
  what: 'events' | 'state'
  wake: () => void
}

/** Opens the file at the first use; a failure is not kept, so the next use tries again. */
export class SqliteDatabase implements Database {
  readonly #path: string
  readonly #options: SqliteOptions
  readonly #listeners = new Map<string, Set<Listener>>()
  #connection: { db: DatabaseSync; sql: Sql } | undefined
  readonly #pace = new Pace()
  #closed = false
  #writes: Job[] = []
  #reads: Job[] = []
  /** Set while jobs wait or are done. */
  #working: Promise<void> | undefined

  constructor(path: string, options: SqliteOptions) {
    this.#path = path
    this.#options = options
  }

  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#enqueue(this.#writes, work)
  }

  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#enqueue(this.#reads, work)
  }

  #enqueue<Result>(queue: Job[], work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    if (this.#closed) reject(storeUnavailable(new Error('The store is closed.')))
    else queue.push({ work, resolve: resolve as (result: unknown) => void, reject })
    this.#working ??= this.#workOff()
    return promise
  }

  /** Writes in the order in which they were asked for, and reads between them: nobody sees half a transaction. */
  async #workOff(): Promise<void> {
    await setImmediate() // what is asked for in one round of the event loop is committed together
    this.#pace.begin()
    while (this.#writes.length + this.#reads.length > 0) {
      const [writes, reads] = [this.#writes.splice(0), this.#reads.splice(0)]
      if (writes.length > 0) await this.#commit(writes)
      for (const job of reads)
        await this.#open()
          .then(({ sql }) => job.work(sql))
          .then(job.resolve, job.reject)
    }
    this.#working = undefined
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    try {
      const { db, sql } = await this.#open()
      for (const settle of await transact(db, sql, jobs)) settle()
    } catch (error) {
      for (const { reject } of jobs) reject(error)
    }
  }

  announce(changed: Changed): void {
    for (const [runId, state] of changed)
      for (const { what, wake } of this.#listeners.get(runId) ?? []) if (state || what === 'events') wake()
  }

  listen(runId: string, what: Listener['what'], wake: () => void): () => void {
    const listener = { what, wake }
    const listeners = this.#listeners.get(runId) ?? new Set()
    this.#listeners.set(runId, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) this.#listeners.delete(runId)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#working
    const { db } = this.#connection ?? {}
    this.#connection = undefined
    if (db !== undefined) attempt(() => db.close()) // the last connection's end writes the log into the file
    this.announce(new Map([...this.#listeners.keys()].map((runId) => [runId, true])))
  }

  async #open() {
    this.#connection ??= await this.#connect()
    return this.#connection
  }

  async #connect() {
    const db = this.#openFile()
    const sql = statementsOf(db, this.#pace)
    try {
      await migrate({ write: (work) => transactAlone(db, sql, work) })
    } catch (error) {
      db.close()
      throw error instanceof AgencyError ? error : storeUnavailable(error)
    }
    return { db, sql }
  }

  #openFile(): DatabaseSync {
    try {
      // Only the owner may read what callers wrote; SQLite gives its log the same mode.
      if (this.#path !== IN_MEMORY) closeSync(openSync(this.#path, 'a', 0o600))
      // Loaded with the first store, so that programs without runs do not pay for it.
      const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
      const db = new DatabaseSync(this.#path)
      try {
        // The lock is taken by the first transaction and kept until the process ends, however it ends.
        db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA temp_store = MEMORY')
        db.exec(`PRAGMA synchronous = ${this.#options.fsync ? 'FULL' : 'NORMAL'}; BEGIN EXCLUSIVE; COMMIT`)
      } catch (error) {
        db.close()
        throw error
      }
      return db
    } catch (error) {
      throw isLocked(error) ? storeInUse(this.#path, error) : storeUnavailable(error)
    }
  }
}

/** SQLITE_BUSY and SQLITE_LOCKED, with their extended codes. */
const isLocked = (error: unknown) => [5, 6].includes(((error as { errcode?: number }).errcode ?? 0) & 0xff)

/** @throws STORE_UNAVAILABLE */
function attempt<Result>(work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    throw storeUnavailable(error)
  }
}

/**
 * Does all work in one transaction; work that fails is undone alone. Gives what settles each job.
 * @throws STORE_UNAVAILABLE when nothing could be committed
 */
async function transact(db: DatabaseSync, sql: Sql, jobs: readonly Job[]): Promise<(() => void)[]> {
  const settled: (() => void)[] = []
  const several = jobs.length > 1
  await sql.all('BEGIN IMMEDIATE')
  try {
    for (const { work, resolve, reject } of jobs) {
      if (several) await sql.all('SAVEPOINT job')
      try {
        const result = await work(sql)
        settled.push(() => resolve(result))
      } catch (error) {
        if (!db.isTransaction) throw storeUnavailable(error) // the database has undone everything
        if (!several) throw error
        await sql.all('ROLLBACK TO job')
        settled.push(() => reject(error))
      }
      if (several) await sql.all('RELEASE job')
    }
    await sql.all('COMMIT')
    return settled
  } catch (error) {
    if (db.isTransaction) await sql.all('ROLLBACK') // some failures have ended it already
    throw error
  }
}

async function transactAlone<Result>(db: DatabaseSync, sql: Sql, work: (sql: Sql) => Promise<Result>): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>()
  const job: Job = { work, resolve: resolve as (result: unknown) => void, reject }
  for (const settle of await transact(db, sql, [job])) settle()
  return promise
}

/** @param pace between statements, others get a turn */
function statementsOf(db: DatabaseSync, pace: Pace): Sql {
  const prepared = new Map<string, StatementSync>()
  const prepare = (text: string) => {
    // A key of this type is SQLite's own: such a table needs no second tree for it.
    const known = prepared.get(text) ?? db.prepare(text.replace('BIGINT PRIMARY KEY', 'INTEGER PRIMARY KEY'))
    prepared.set(text, known)
    return known
  }
  const insert: Sql['insert'] = async (table, rows, onConflict = '') => {
    const [first] = rows
    if (first === undefined) return
    const statement = attempt(() => prepare(insertOf(table, Object.keys(first), onConflict)))
    for (const row of rows) {
      attempt(() => statement.run(...Object.values(row)))
      const next = pace.step()
      if (next !== undefined) await next
    }
  }
  return {
    all(text: string, ...values: Value[]) {
      const rows = attempt(() => prepare(text).all(...values) as Row[])
      const next = pace.step()
      return next === undefined ? rows : next.then(() => rows)
    },
    insert,
    async insertEach(rows) {
      for (const { table, row } of rows) await insert(table, [row])
    },
    lock: '',
  }
}
