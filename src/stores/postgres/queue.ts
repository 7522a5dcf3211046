/** The queue of runs that may be claimed, kept by pg-boss in the same database. */
import type { JobAttempt, PgBoss } from 'pg-boss'
import type { Job, QueueWorker, RunQueue } from '../../runs/run-store.ts'
import { type Freed, type Sql, select } from '../sql/database.ts'
import { toJob } from '../sql/reads.ts'
import type { RunRow } from '../sql/rows.ts'
import { type Hints, toArray } from './hints.ts'
import type { PostgresSettings } from './options.ts'
import { loadBoss } from './packages.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'
import type { PostgresSql } from './statements.ts'
import { Workers } from './workers.ts'

export const QUEUE = 'runs'
/** Runs that took down every process that tried them. */
export const DEAD_LETTERS = 'runs_dead'

/** How often the queue is looked at without a hint, and the dead are looked for, in milliseconds. */
const LOOK_MS = 500
/** How often pg-boss looks for jobs whose worker is silent, in milliseconds. */
const SUPERVISE_MS = 1_000
/** How often this process says that it works on its runs, in milliseconds. */
const BEAT_MS = 3_000
/** The shortest silence that pg-boss takes for a death. */
const HEARTBEAT_SECONDS = 10
/** Attempts are counted by the runs themselves. */
const RETRY_LIMIT = 1_000
/** A job waits for as long as its run. */
const RETENTION_SECONDS = 365 * 24 * 3_600
/** The most that pg-boss takes, a little below a day. */
const MAX_EXPIRE_SECONDS = 24 * 3_600 - 1
/** Jobs of one look: another process may have more room for the rest. */
const JOBS_PER_LOOK = 20

interface RunJob extends JobAttempt {
  data: { run_id: string }
}

export class JobQueue implements RunQueue {
  readonly #pool: Pool
  readonly #boss: PgBoss
  readonly #hints: Hints
  readonly #workers: Workers
  readonly #active = new Map<string, JobAttempt>()
  /** Pinned runs that are worked on here. */
  readonly #pinned = new Set<string>()
  readonly #done = new Set<Promise<void>>()
  readonly #timers: NodeJS.Timeout[] = []
  #worker: QueueWorker | undefined
  #looking = false
  #again = false

  private constructor(boss: PgBoss, { pool, hints, workers }: { pool: Pool; hints: Hints; workers: Workers }) {
    this.#boss = boss
    this.#pool = pool
    this.#hints = hints
    this.#workers = workers
    hints.onJobs(() => this.wake())
  }

  /** @throws PACKAGE_MISSING, STORE_UNAVAILABLE */
  static async open(settings: PostgresSettings, parts: { pool: Pool; hints: Hints; session: Session | undefined }) {
    const Boss = await loadBoss()
    const { pool } = parts
    const boss = new Boss({
      db: { executeSql: (text, values) => pool.execute(text, values) },
      schema: settings.jobsSchema,
      createSchema: false,
      schedule: false,
      supervise: false,
      monitorIntervalSeconds: SUPERVISE_MS / 1_000,
      superviseIntervalSeconds: SUPERVISE_MS / 1_000,
      registerInstance: false,
      reindex: false,
      openTelemetry: { enabled: false },
    })
    boss.on('error', () => {}) // what fails is done again at the next look
    await boss.start()
    await boss.createQueue(DEAD_LETTERS, { retentionSeconds: RETENTION_SECONDS })
    await boss.createQueue(QUEUE, {
      retryLimit: RETRY_LIMIT,
      heartbeatSeconds: HEARTBEAT_SECONDS,
      expireInSeconds: MAX_EXPIRE_SECONDS,
      retentionSeconds: RETENTION_SECONDS,
      deadLetter: DEAD_LETTERS,
    })
    const workers = new Workers(pool, settings.sessionLock ? parts.session : undefined)
    return new JobQueue(boss, { ...parts, workers })
  }

  /** Puts runs into the queue, in the transaction that has made them claimable. Pinned runs are found by their process. */
  async enqueue(sql: Sql, freed: Freed): Promise<void> {
    const named = [...freed].flatMap(([run_id, job]) => (job === null ? [] : [{ run_id, job }]))
    const others = [...freed].flatMap(([run_id, job]) => (job === null ? [run_id] : []))
    const statement = `UPDATE runs SET job = gen_random_uuid()::text WHERE run_id = ANY(?::text[]) AND pin IS NULL RETURNING run_id, job`
    const changed =
      others.length === 0 ? [] : await select<{ run_id: string; job: string }>(sql, statement, toArray(others))
    await this.#send(sql, [...named, ...changed])
  }

  async #send(sql: Sql, rows: readonly { run_id: string; job: string }[]): Promise<void> {
    if (rows.length === 0) return
    const { executeGiven } = sql as PostgresSql
    const jobs = rows.map(({ run_id, job }) => ({ id: job, data: { run_id } }))
    await this.#boss.insert(QUEUE, jobs, { db: { executeSql: executeGiven } })
  }

  async serve(worker: QueueWorker): Promise<void> {
    await this.#workers.open(worker.name)
    const expireInSeconds = Math.min(MAX_EXPIRE_SECONDS, Math.ceil(worker.runMs / 1_000) + 60)
    await this.#boss.updateQueue(QUEUE, { expireInSeconds })
    this.#worker = worker
    this.#every(LOOK_MS, async () => {
      await this.#takeOver()
      this.wake()
    })
    this.#every(SUPERVISE_MS, () => this.#boss.supervise(QUEUE))
    this.#every(BEAT_MS, () => this.#beat())
    this.wake()
  }

  wake(): void {
    this.#again = true
    if (this.#looking) return
    this.#looking = true
    const looked = this.#lookAll().finally(() => {
      this.#looking = false
      this.#done.delete(looked)
    })
    this.#done.add(looked)
  }

  stop(): void {
    this.#worker = undefined
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    // The runs that leave now are still this process's own.
    if (this.#active.size > 0) this.#every(BEAT_MS, () => this.#beat())
  }

  async close(): Promise<void> {
    this.stop()
    while (this.#done.size > 0) await Promise.all(this.#done)
    for (const timer of this.#timers.splice(0)) clearInterval(timer)
    await this.#workers.close()
    await this.#boss.stop({ graceful: false, close: false }).catch(() => {})
  }

  /** Does work again and again, never twice at a time. What fails is done again the next time. */
  #every(ms: number, work: () => Promise<unknown>): void {
    let working = false
    const timer = setInterval(async () => {
      if (working) return
      working = true
      await work().catch(() => {})
      working = false
    }, ms)
    this.#timers.push(timer.unref())
  }

  async #beat(): Promise<void> {
    await this.#workers.beat()
    const jobs = [...this.#active.values()]
    if (jobs.length > 0) await this.#boss.touch(QUEUE, jobs)
  }

  /** Never rejects. */
  async #lookAll(): Promise<void> {
    while (this.#again && this.#worker !== undefined) {
      this.#again = false
      try {
        await this.#takePinned()
        await this.#takeJobs()
      } catch {
        return // the store is away; the next look is soon
      }
    }
  }

  async #takeJobs(): Promise<void> {
    for (;;) {
      const room = Math.min(this.#worker?.room() ?? 0, JOBS_PER_LOOK)
      if (room <= 0) return
      const jobs = (await this.#boss.fetch<RunJob['data']>(QUEUE, { batchSize: room })) as unknown as RunJob[]
      for (const { id, retryCount } of jobs) this.#active.set(id, { id, retryCount })
      const rows = jobs.length === 0 ? new Map() : await this.#rowsOf(jobs)
      for (const job of jobs) this.#track(this.#workOn(job, rows.get(job.data.run_id)))
      if (jobs.length < room) return
    }
  }

  /** The runs of jobs, by id. A failure gives the jobs back. */
  async #rowsOf(jobs: readonly RunJob[]): Promise<Map<string, RunRow>> {
    const ids = toArray(jobs.map(({ data }) => data.run_id))
    try {
      const rows = await this.#pool.read((sql) =>
        select<RunRow>(sql, 'SELECT * FROM runs WHERE run_id = ANY(?::text[])', ids),
      )
      return new Map(rows.map((row) => [row.run_id, row]))
    } catch (error) {
      for (const job of jobs) this.#track(this.#giveBack(job))
      throw error
    }
  }

  /** Never rejects. */
  async #workOn(job: RunJob, row: RunRow | undefined): Promise<void> {
    try {
      // A run that has left has had a new job since, where it goes on at all; a pinned one is not for the queue.
      if (row !== undefined && row.job === job.id && row.ended_at === null && row.pin === null) {
        await this.#give(toJob(row))
        if (row.worker !== null) await this.#bury(row)
      }
      await this.#boss.deleteJob(QUEUE, toAttempt(job))
      this.#active.delete(job.id)
      this.wake()
    } catch {
      await this.#giveBack(job)
    }
  }

  /** For others, or for later. Where that fails, too, the heartbeat ends and tells the same. */
  async #giveBack(job: RunJob): Promise<void> {
    this.#active.delete(job.id)
    await this.#boss.fail(QUEUE, toAttempt(job)).catch(() => {})
  }

  async #give(job: Job): Promise<void> {
    if (this.#worker === undefined) throw new Error('This process takes no more runs.')
    await this.#worker.work(job)
  }

  /** A run that has taken down too many processes is kept among the dead letters. */
  async #bury({ run_id }: RunRow): Promise<void> {
    const { rows } = await this.#pool.execute(
      `SELECT 1 FROM ${this.#pool.schema}.runs WHERE run_id = $1 AND error LIKE '{"code":"CRASH_LOOP"%'`,
      [run_id],
    )
    if (rows.length > 0) await this.#boss.send(DEAD_LETTERS, { run_id })
  }

  /** Runs that only this process can continue, and those that no process can continue: the process that takes one of these ends it. */
  async #takePinned(): Promise<void> {
    const worker = this.#worker
    if (worker === undefined) return
    for (const row of await this.#workers.pinnedRuns(worker.name)) {
      if (this.#pinned.has(row.run_id)) continue
      this.#pinned.add(row.run_id)
      const work = this.#give(toJob(row)).catch(() => {}) // found again at the next look
      this.#track(work.finally(() => this.#pinned.delete(row.run_id)))
    }
  }

  /** Gives the runs of processes whose lock is gone a new job, which others take at once. */
  async #takeOver(): Promise<void> {
    for (const name of await this.#workers.findDead()) {
      await this.#pool.transact(async (sql) => {
        if (!(await this.#workers.remove(sql, name))) return
        const rows = await select<{ run_id: string; job: string }>(
          sql,
          `UPDATE runs SET job = gen_random_uuid()::text
            WHERE worker = ? AND pin IS NULL AND ended_at IS NULL RETURNING run_id, job`,
          name,
        )
        await this.#send(sql, rows)
      })
      this.#hints.announceJobs()
    }
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#done.delete(tracked))
    this.#done.add(tracked)
  }
}

const toAttempt = ({ id, retryCount }: RunJob): JobAttempt => ({ id, retryCount })
