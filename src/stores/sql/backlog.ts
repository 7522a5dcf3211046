/** How many runs wait, which is bounded. */
import { runBacklogFull, scheduledRunsFull } from '../../base/errors.ts'
import type { NewRun } from '../../runs/run-store.ts'
import { first, type Sql } from './database.ts'

/** How long a count serves, in milliseconds: other processes admit runs, too. */
const COUNT_MS = 1_000

/** What an admission has to know of the store. */
interface Found {
  /** The run itself, admitted by an earlier call. */
  known: string | null
  /** Of the new run, where the database has sequences. */
  number: number | null
}

interface Count {
  runs: number
  /** On the clock of `performance.now()`. */
  at: number
}

/**
 * Counting the runs that wait takes the longer the more there are. Below half of the bound the last count, with what was admitted
 * here since then, serves for a moment.
 */
export class Backlog {
  /** Of queued runs, and of scheduled ones. */
  readonly #counts: [Count, Count] = [newCount(), newCount()]

  /**
   * Checks that one more run may wait.
   * @throws OVERLOADED, unless the run is known
   */
  async check(sql: Sql, { runId, limits }: NewRun, scheduled: boolean): Promise<Found> {
    const count = this.#counts[scheduled ? 1 : 0]
    const limit = scheduled ? limits.scheduledRuns : limits.queuedRuns
    const serves = performance.now() - count.at < COUNT_MS && count.runs < limit / 2
    const counting = serves ? '' : `, (SELECT count(*) FROM runs WHERE status = 'queued' AND scheduled = ?) AS waiting`
    const statement = `SELECT (SELECT run_id FROM runs WHERE run_id = ?) AS known, ${sql.nextOf?.('runs') ?? 'NULL'} AS number${counting}`
    const values = serves ? [runId] : [runId, scheduled ? 1 : 0]
    const { waiting, ...found } = (await first<Found & { waiting?: number }>(sql, statement, ...values)) as Found & {
      waiting?: number
    }
    if (waiting !== undefined) Object.assign(count, { runs: waiting, at: performance.now() })
    if (found.known !== null) return found
    if (count.runs >= limit) throw scheduled ? scheduledRunsFull(limit) : runBacklogFull(limit)
    count.runs++
    return found
  }
}

const newCount = (): Count => ({ runs: 0, at: Number.NEGATIVE_INFINITY })
