/** Counts of requests for all processes on a database. */
import { setTimeout as delay } from 'node:timers/promises'
import type { SharedCounts } from '../../runs/run-store.ts'
import type { Sql } from '../sql/database.ts'
import { toArray } from './hints.ts'
import type { Pool } from './pool.ts'
import { NOW_MS } from './workers.ts'

/** Most keys that a process remembers; beyond it the one that was counted longest ago is read again. */
const MOST_KEYS = 10_000
const KEYS_PER_WRITE = 1_000
/** How long counts of known keys are gathered for one statement, in milliseconds. */
const GATHER_MS = 50
/** How long a request waits for what other processes have counted, in milliseconds; then it is counted here alone. */
const WAIT_MS = 250
/** How often a process removes windows that are over, in milliseconds. */
const CLEAN_MS = 60_000

/** A crash of the database may empty it: callers then begin a new window. */
export const createCounts = (sql: Sql, schema: string) =>
  sql.all(
    `CREATE UNLOGGED TABLE IF NOT EXISTS ${schema}.counts (key TEXT PRIMARY KEY, count BIGINT NOT NULL, ends_at BIGINT NOT NULL)`,
  )

interface Window {
  /** Of all processes, at the last answer of the database. */
  known: number
  /** Of this process since then, and those of them that are being written. */
  own: number
  sent: number
  endsAt: number
}

/**
 * The first count of a window asks the database; later ones are counted here at once and written in batches, so that they cost no
 * request its time. What other processes have counted meanwhile is known a batch later.
 */
export class Counts implements SharedCounts {
  readonly #pool: () => Promise<Pool>
  /** In the order of their last count. */
  readonly #windows = new Map<string, Window>()
  readonly #changed = new Set<string>()
  #writing: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #cleanAt = 0

  constructor(pool: () => Promise<Pool>) {
    this.#pool = pool
  }

  async count(key: string, windowMs: number): Promise<{ count: number; leftMs: number }> {
    const now = Date.now()
    const known = this.#windows.get(key)
    const isNew = known === undefined || known.endsAt <= now
    const window = isNew ? { known: 0, own: 0, sent: 0, endsAt: now + windowMs } : known
    window.own++
    this.#windows.delete(key)
    this.#windows.set(key, window)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > MOST_KEYS) this.#windows.delete(oldest as string)
    this.#changed.add(key)
    if (isNew) await Promise.race([this.#write(), delay(WAIT_MS, undefined, { ref: false })])
    else this.#writeSoon()
    return { count: window.known + window.own, leftMs: Math.max(0, window.endsAt - Date.now()) }
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** Resolves when all that was counted before is written. Never rejects. */
  async #write(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#changed.size === 0) return
    this.#writing = this.#store()
    await this.#writing
    this.#writing = undefined
    if (this.#changed.size > 0) this.#writeSoon()
  }

  #writeSoon(): void {
    this.#timer ??= setTimeout(() => void this.#write(), GATHER_MS).unref()
  }

  async #store(): Promise<void> {
    const now = Date.now()
    const batch = [...this.#changed].slice(0, KEYS_PER_WRITE).flatMap((key) => {
      this.#changed.delete(key)
      const window = this.#windows.get(key)
      return window === undefined || window.endsAt <= now ? [] : [{ key, window }]
    })
    for (const { window } of batch) window.sent = window.own
    try {
      const left = new Map((await this.#add(batch, now)).map((row) => [row.key, row]))
      for (const { key, window } of batch) {
        const row = left.get(key)
        window.known = Number(row?.count ?? window.sent)
        window.endsAt = Date.now() + Number(row?.left_ms ?? 0)
      }
    } catch {
      for (const { window } of batch) window.known += window.sent // counted here alone while the database is away
    }
    for (const { window } of batch) window.own -= window.sent
    if (this.#cleanAt <= now) await this.#clean(now).catch(() => {}) // tried again a minute later
  }

  /** In the order of their keys, so that no two processes wait for each other. */
  async #add(batch: readonly { key: string; window: Window }[], now: number) {
    const pool = await this.#pool()
    const rows = batch.toSorted((one, other) => (one.key < other.key ? -1 : 1))
    const list = (values: readonly (string | number)[]) => toArray(values.map(String))
    const { rows: answers } = await pool.execute(
      `INSERT INTO ${pool.schema}.counts AS known
        SELECT key, added, ${NOW_MS} + left_ms FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS t (key, added, left_ms)
        ON CONFLICT (key) DO UPDATE SET
          count = CASE WHEN known.ends_at <= ${NOW_MS} THEN 0 ELSE known.count END + excluded.count,
          ends_at = CASE WHEN known.ends_at <= ${NOW_MS} THEN excluded.ends_at ELSE known.ends_at END
        RETURNING key, count, ends_at - ${NOW_MS} AS left_ms`,
      [
        list(rows.map(({ key }) => key)),
        list(rows.map(({ window }) => window.sent)),
        list(rows.map(({ window }) => window.endsAt - now)),
      ],
    )
    return answers as { key: string; count: string; left_ms: string }[]
  }

  async #clean(now: number): Promise<void> {
    this.#cleanAt = now + CLEAN_MS
    const pool = await this.#pool()
    await pool.execute(`DELETE FROM ${pool.schema}.counts WHERE ends_at < ${NOW_MS}`)
  }
}
