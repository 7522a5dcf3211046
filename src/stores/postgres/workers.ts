/** The processes that work on the runs of a store, and which of them are dead. */
import { type Sql, select } from '../sql/database.ts'
import type { RunRow } from '../sql/rows.ts'
import type { Pool } from './pool.ts'
import { HAS_LOCK, type Session } from './session.ts'

/** A process that has been silent for this long is dead. */
const SILENCE_MS = 12_000
/** The clock of the database, in milliseconds. */
export const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

export class Workers {
  readonly #pool: Pool
  /** Set where this process shows that it lives by a lock. */
  readonly #session: Session | undefined
  #name: string | undefined
  /** Processes whose lock was gone at the last look. */
  #suspects = new Set<string>()

  constructor(pool: Pool, session: Session | undefined) {
    this.#pool = pool
    this.#session = session
  }

  async open(name: string): Promise<void> {
    this.#name = name
    await this.#session?.hold(name)
    await this.beat()
  }

  /** Says that this process lives. */
  async beat(): Promise<void> {
    const name = this.#name
    if (name === undefined) return
    // Without its session this process shows its heartbeat alone.
    const locks = this.#session?.holds ? 1 : 0
    await this.#pool.transact(async (sql) => {
      await sql.all(
        `INSERT INTO workers (name, seen_at, locks) VALUES (?, ${NOW_MS}, ?)
          ON CONFLICT (name) DO UPDATE SET seen_at = excluded.seen_at, locks = excluded.locks`,
        name,
        locks,
      )
      await sql.all(`DELETE FROM workers WHERE seen_at < ${NOW_MS} - ?::bigint`, 10 * SILENCE_MS)
    })
  }

  async close(): Promise<void> {
    const name = this.#name
    this.#name = undefined
    if (name !== undefined)
      await this.#pool
        .transact(async (sql) => void (await sql.all('DELETE FROM workers WHERE name = ?', name)))
        .catch(() => {}) // its missing heartbeat means the same
  }

  /** Pinned runs that this process can take: its own, and those whose process is dead. */
  pinnedRuns(name: string): Promise<RunRow[]> {
    return this.#pool.read((sql) =>
      select<RunRow>(
        sql,
        `SELECT * FROM runs WHERE ended_at IS NULL AND pin IS NOT NULL AND place IS NULL
          AND status IN ('queued', 'in_progress')
          AND CASE WHEN pin = ? THEN worker IS NULL ELSE NOT EXISTS (
            SELECT 1 FROM workers WHERE name = pin AND seen_at > ${NOW_MS} - ?::bigint
          ) END ORDER BY number LIMIT 20`,
        name,
        SILENCE_MS,
      ),
    )
  }

  /** Processes whose lock was gone twice in a row: one that lost its connection has taken it again by then. */
  async findDead(): Promise<string[]> {
    const rows = await this.#pool.read((sql) =>
      select<{ name: string }>(sql, `SELECT name FROM workers WHERE locks = 1 AND NOT ${HAS_LOCK}`),
    )
    const names = rows.map(({ name }) => name)
    const dead = names.filter((name) => this.#suspects.has(name))
    this.#suspects = new Set(names)
    return dead
  }

  /** Forgets a dead process; false when another process did, or it lives after all. */
  async remove(sql: Sql, name: string): Promise<boolean> {
    const removed = await sql.all(`DELETE FROM workers WHERE name = ? AND NOT ${HAS_LOCK} RETURNING name`, name)
    return removed.length > 0
  }
}
