/** What the rules of the store need of a database: statements in transactions, and a word when a run has changed. */
import type { Ready, RunNews, RunSnapshot, StoredEvent } from '../../runs/run-store.ts'

/** Owner -> long value -> what stands for it in a column. */
export type StoredTexts = ReadonlyMap<string, ReadonlyMap<unknown, string>>

export type Value = string | number | null
export type Row = { [column: string]: Value }

/**
 * Statements of one transaction, as a plain object of functions. A driver may answer at once or later. Statements are in the SQL that SQLite and PostgreSQL
 * share, with `?` for values; their number is small, so a driver keeps them prepared.
 */
export interface Sql {
  all(statement: string, ...values: Value[]): Row[] | Promise<Row[]>
  /** Inserts rows of the same columns. @param onConflict such as `ON CONFLICT DO NOTHING` */
  insert(table: string, rows: readonly Row[], onConflict?: string): void | Promise<void>
  /** Inserts single rows into several tables, with one statement where the database can. */
  insertEach(rows: readonly NewRow[]): Promise<void>
  /** Ends a SELECT whose rows nobody else may change meanwhile: ` FOR UPDATE`, or nothing where transactions take turns. */
  readonly lock: string
  /** An expression for the next number of a sequence, where the database has sequences: taken without a lock that others wait for. */
  readonly nextOf?: (sequence: Sequence) => string
}

export interface NewRow {
  table: string
  row: Row
}

export type Sequence = 'runs' | 'threads' | 'approvals' | 'webhooks'

export interface Database {
  /** Does work in a transaction, which is undone when the work throws. @throws STORE_UNAVAILABLE, STORE_IN_USE */
  write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>
  /** Does work that changes nothing and sees only what was committed. @throws STORE_UNAVAILABLE, STORE_IN_USE */
  read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result>
  /**
   * Wakes the listeners of these runs, in every process. A hint: it may come late or not at all.
   * @param freed whether runs have become claimable
   * @param news of those with new events; empty unless this database carries events
   */
  announce(changed: Changed, freed: boolean, news: ReadonlyMap<string, RunNews>): void
  /** True when the readers of runs are given the new events themselves, so that they need not ask for them. */
  readonly carriesEvents?: boolean
  /**
   * @param what `events`: any change of the run; `state`: those that are more than new events
   * @param wake called with what is new of the run, or with nothing when the database has to be asked
   * @returns what ends it
   */
  listen(runId: string, what: 'events' | 'state', wake: (news?: RunNews) => void): () => void
  /** Tells the processes that share the store, within the transaction, that runs have become claimable. */
  enqueue?(sql: Sql, freed: Freed): Promise<void>
  close(): Promise<void>
}

/** Run -> true where more has changed than its events. */
export type Changed = ReadonlyMap<string, boolean>

/** Claimable run -> the job that its row names; null for one that gets a new job. */
export type Freed = ReadonlyMap<string, string | null>

/** A transaction that changes runs. */
export interface Transaction extends Sql {
  /** Runs whose watchers have to be woken after the commit. */
  readonly changed: Map<string, boolean>
  /** Run -> its new events, and what will be its state; undefined where nobody is given them. */
  readonly added: Map<string, { state: () => RunSnapshot; events: StoredEvent[] }> | undefined
  /** Long values of the change, which are stored already. */
  readonly texts: StoredTexts | undefined
  /** Columns of those that the change has used. */
  readonly used: Set<string>
  /** Runs that are claimable, for the answer. */
  readonly ready: Set<string>
  /** Webhooks that are due. */
  readonly webhooks: Set<string>
  /** Those of them that this transaction has made claimable. */
  readonly freed: Map<string, string | null>
  /** True where runs are given to processes by jobs. */
  readonly hasJobs: boolean
}

/** What the caller of a transaction has to start. */
export const readyOf = ({ ready, webhooks }: Transaction): Ready => ({
  ready: [...ready],
  hasWebhooks: webhooks.size > 0,
})

/** The first row, or undefined. The caller names the columns it selected. */
export async function first<Columns extends object>(
  sql: Sql,
  statement: string,
  ...values: Value[]
): Promise<Columns | undefined> {
  return (await select<Columns>(sql, statement, ...values))[0]
}

/** All rows. */
export async function select<Columns extends object>(
  sql: Sql,
  statement: string,
  ...values: Value[]
): Promise<Columns[]> {
  return (await sql.all(statement, ...values)) as Columns[]
}

/**
 * The next number of a sequence: never given twice, and rising in the order in which they are asked for. Of transactions side by
 * side, the one that commits later may have the smaller number.
 */
export async function nextNumber(sql: Sql, sequence: Sequence): Promise<number> {
  const row =
    sql.nextOf === undefined
      ? await first<{ value: number }>(
          sql,
          'UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value',
          sequence,
        )
      : await first<{ value: number }>(sql, `SELECT ${sql.nextOf(sequence)} AS value`)
  return (row as { value: number }).value
}

/** A statement that inserts `count` rows, with `?` for their values. */
export function insertOf(table: string, columns: readonly string[], onConflict: string, count = 1): string {
  const holes = `(${columns.map(() => '?').join(', ')})`
  const list = Array.from({ length: count }, () => holes).join(', ')
  return `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${list} ${onConflict}`
}

/** JSON of a value that may be missing. */
export const encode = (value: unknown): string | null => (value == null ? null : JSON.stringify(value))
export const decode = <T>(text: string | null): T | null => (text === null ? null : (JSON.parse(text) as T))
