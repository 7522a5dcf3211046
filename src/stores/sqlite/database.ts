/** A database in one SQLite file, or in memory, over node:sqlite. It serves one process, whose transactions take turns. */
import { closeSync, openSync } from 'node:fs'
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { AgencyError, storeInUse, storeUnavailable } from '../../base/errors.ts'
import type { Database, Row, Sql, Value } from '../sql/database.ts'
import { migrate } from '../sql/migrations.ts'

/** Name of a database that lives and ends with the process. */
export const IN_MEMORY = ':memory:'

export interface SqliteOptions {
  /** Waits for the disk at each commit. */
  fsync: boolean
}

/** Opens the file at the first use; a failure is not kept, so the next use tries again. */
export class SqliteDatabase implements Database {
  readonly #path: string
  readonly #options: SqliteOptions
  readonly #listeners = new Map<string, Set<() => void>>()
  #connection: { db: DatabaseSync; sql: Sql } | undefined
  #closed = false
  /** The end of the transaction that was asked for last. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(path: string, options: SqliteOptions) {
    this.#path = path
    this.#options = options
  }

  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#inTurn(async () => {
      const { db, sql } = await this.#open()
      return transact(db, () => work(sql))
    })
  }

  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    return this.#inTurn(async () => work((await this.#open()).sql))
  }

  announce(runIds: Iterable<string>): void {
    for (const runId of runIds) for (const wake of this.#listeners.get(runId) ?? []) wake()
  }

  listen(runId: string, wake: () => void): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set()
    this.#listeners.set(runId, listeners.add(wake))
    return () => {
      listeners.delete(wake)
      if (listeners.size === 0) this.#listeners.delete(runId)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#inTurn(async () => {
      const { db } = this.#connection ?? {}
      this.#connection = undefined
      if (db !== undefined) attempt(() => db.close()) // the last connection's end writes the log into the file
    })
    this.announce([...this.#listeners.keys()])
  }

  /** Does work when what was asked for before is done: nobody sees half a transaction. */
  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => {})
    return done
  }

  async #open() {
    if (this.#closed) throw storeUnavailable(new Error('The store is closed.'))
    this.#connection ??= await this.#connect()
    return this.#connection
  }

  async #connect() {
    const db = this.#openFile()
    const sql = statementsOf(db)
    try {
      await migrate({ write: (work) => transact(db, () => work(sql)) })
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
        db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL')
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

async function transact<Result>(db: DatabaseSync, work: () => Promise<Result>): Promise<Result> {
  attempt(() => db.exec('BEGIN IMMEDIATE'))
  try {
    const result = await work()
    attempt(() => db.exec('COMMIT'))
    return result
  } catch (error) {
    if (db.isTransaction) attempt(() => db.exec('ROLLBACK')) // some failures have ended it already
    throw error
  }
}

function statementsOf(db: DatabaseSync): Sql {
  const prepared = new Map<string, StatementSync>()
  const prepare = (text: string) => {
    const known = prepared.get(text) ?? db.prepare(text)
    prepared.set(text, known)
    return known
  }
  return {
    all: (text: string, ...values: Value[]) => attempt(() => prepare(text).all(...values) as Row[]),
    insert(table, [row, ...rows], onConflict = '') {
      if (row === undefined) return
      const columns = Object.keys(row)
      const holes = columns.map(() => '?').join(', ')
      const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${holes}) ${onConflict}`
      attempt(() => {
        const statement = prepare(text)
        for (const values of [row, ...rows]) statement.run(...Object.values(values))
      })
    },
    lock: '',
  }
}
