/** Who reads runs, in all processes on a database: rows that say until when a run counts as read. */
import { randomUUID } from 'node:crypto'
import type { ReadersWatch, RunId, SharedReaders } from '../../runs/run-store.ts'
import { type Sql, select } from '../sql/database.ts'
import { toArray } from './hints.ts'
import type { Pool } from './pool.ts'
import { NOW_MS } from './workers.ts'

/** How often a process says again which runs are read in it, in milliseconds. */
const BEAT_MS = 10_000
/** How long that counts: a process that says nothing for so long is dead. */
const LEASE_MS = 30_000
/** Rows are removed after this time: no run waits longer for a reader. */
const KEPT_MS = 3_600_000
/** Unread runs of one look. */
const RUNS_PER_LOOK = 100

/** The tables that a crash of the database may empty: each process soon says again who reads in it. */
export const createReaders = (sql: Sql, schema: string) =>
  sql.all(
    `CREATE UNLOGGED TABLE IF NOT EXISTS ${schema}.readers (
      run_id TEXT NOT NULL, process TEXT NOT NULL, until BIGINT NOT NULL, present BOOLEAN NOT NULL,
      PRIMARY KEY (run_id, process))`,
  )

/** What is to be written of a run: for how long it counts as read, and whether somebody is there. */
interface Change {
  ms: number
  present: boolean
}

/** Written in batches: what comes while a write is under way is written with the next one. */
export class Readers implements SharedReaders {
  readonly #process = randomUUID()
  readonly #pool: () => Promise<Pool>
  readonly #present = new Set<string>()
  /** Null: the rows of this process are removed. */
  readonly #changed = new Map<string, Change | null>()
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(pool: () => Promise<Pool>) {
    this.#pool = pool
  }

  join(runId: string): void {
    this.#present.add(runId)
    this.#write(runId, { ms: LEASE_MS, present: true })
  }

  leave(runId: string, ms: number | null): void {
    this.#present.delete(runId)
    this.#write(runId, ms === null ? null : { ms, present: false })
  }

  async isAlone(runId: string): Promise<boolean> {
    await this.#writing
    const [row] = await this.#read(
      // Of several processes whose readers have left, the one that waits longest decides.
      `SELECT EXISTS (SELECT 1 FROM readers AS other WHERE run_id = ? AND process <> ? AND until > ${NOW_MS}
        AND (present OR coalesce((until, process) >
          (SELECT until, process FROM readers WHERE run_id = other.run_id AND process = ?), true)))::int::bigint AS found`,
      [runId, this.#process, this.#process],
    )
    return row?.found === 0
  }

  async isLeft(runId: string): Promise<boolean> {
    await this.#writing
    const [row] = await this.#read(
      `SELECT coalesce(bool_and(NOT present), false)::int::bigint AS found FROM readers WHERE run_id = ? AND until > ${NOW_MS}`,
      [runId],
    )
    return row?.found === 1
  }

  open({ returnMs, onUnread }: ReadersWatch): void {
    let working = false
    let waitsUntil = 0
    this.#timer ??= setInterval(async () => {
      if (working) return
      working = true
      for (const runId of this.#present) this.#changed.set(runId, { ms: LEASE_MS, present: true })
      await this.#flush()
      const unread = await this.#findUnread(returnMs).catch(() => {
        // The database is away, and no process can say who reads in it: each gets the time to say so afterwards.
        waitsUntil = Date.now() + 2 * BEAT_MS
        return []
      })
      if (Date.now() >= waitsUntil) for (const id of unread) onUnread(id)
      working = false
    }, BEAT_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  /** Runs that were read, and are not any more: the process that had the readers has died, or could not reach the store. */
  async #findUnread(returnMs: number): Promise<RunId[]> {
    const rows = await this.#read<{ agency: string; owner: string; run_id: string }>(
      `SELECT agency, owner, run_id FROM runs WHERE ended_at IS NULL AND unread_ms IS NOT NULL
        AND (SELECT max(until) FROM readers WHERE readers.run_id = runs.run_id)
          < ${NOW_MS} - greatest(unread_ms, ?::bigint) LIMIT ${RUNS_PER_LOOK}`,
      [returnMs],
    )
    return rows.map(({ run_id: runId, agency, owner }) => ({ agency, owner, runId }))
  }

  #write(runId: string, change: Change | null): void {
    this.#changed.set(runId, change)
    this.#writing ??= this.#flush().finally(() => {
      this.#writing = undefined
    })
  }

  /** Never rejects: what could not be written is said again, or its row runs out. */
  async #flush(): Promise<void> {
    while (this.#changed.size > 0) {
      const changed = [...this.#changed]
      this.#changed.clear()
      await this.#store(changed).catch(() => {})
    }
  }

  async #store(changed: readonly (readonly [string, Change | null])[]): Promise<void> {
    const pool = await this.#pool()
    const kept = changed.filter((entry): entry is [string, Change] => entry[1] !== null)
    const gone = changed.filter(([, change]) => change === null).map(([runId]) => runId)
    const list = (pick: (change: Change) => unknown) => toArray(kept.map(([, change]) => String(pick(change))))
    if (kept.length > 0)
      await pool.execute(
        `INSERT INTO ${pool.schema}.readers
          SELECT run_id, $1, ${NOW_MS} + ms, present FROM unnest($2::text[], $3::bigint[], $4::boolean[]) AS t (run_id, ms, present)
          ON CONFLICT (run_id, process) DO UPDATE SET until = excluded.until, present = excluded.present`,
        [this.#process, toArray(kept.map(([runId]) => runId)), list(({ ms }) => ms), list(({ present }) => present)],
      )
    if (gone.length > 0)
      await pool.execute(
        `DELETE FROM ${pool.schema}.readers WHERE (process = $1 AND run_id = ANY($2::text[])) OR until < ${NOW_MS} - ${KEPT_MS}`,
        [this.#process, toArray(gone)],
      )
  }

  async #read<Columns extends object = { found: number }>(
    statement: string,
    values: readonly (string | number)[],
  ): Promise<Columns[]> {
    const pool = await this.#pool()
    return pool.read((sql) => select<Columns>(sql, statement, ...values))
  }
}
