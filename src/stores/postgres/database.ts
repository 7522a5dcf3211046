/** A database in PostgreSQL, which several processes use at the same time. */
import { once } from '../../base/async.ts'
import { AgencyError, storeUnavailable } from '../../base/errors.ts'
import type { Answerer, Processes, QueueWorker, ReportTrouble, RunNews, RunQueue } from '../../runs/run-store.ts'
import type { EventChannel } from '../channel.ts'
import type { Changed, Database, Freed, Sequence, Sql } from '../sql/database.ts'
import { migrate } from '../sql/migrations.ts'
import { Counts, createCounts } from './counts.ts'
import { Hints } from './hints.ts'
import type { PostgresSettings } from './options.ts'
import { Pool } from './pool.ts'
import { Questions } from './questions.ts'
import { JobQueue } from './queue.ts'
import { createReaders, Readers } from './readers.ts'
import { Session } from './session.ts'

interface Parts {
  pool: Pool
  session: Session | undefined
  hints: Hints
  queue: JobQueue
  questions: Questions
  events: EventChannel | undefined
}

/** Connects at the first use; a failure is not kept, so the next use tries again. */
export class PostgresDatabase implements Database {
  readonly #open: (() => Promise<Parts>) & { made(): boolean }
  #parts: Parts | undefined
  #closing: Promise<void> | undefined
  #answerer: Answerer | undefined
  #report: ReportTrouble = () => {}
  readonly carriesEvents: boolean

  constructor(settings: PostgresSettings) {
    this.carriesEvents = settings.events !== undefined
    this.#open = once(async () => {
      const parts = await openParts(settings, (message, error) => this.#report(message, error))
      if (this.#answerer !== undefined) parts.questions.onAsked(this.#answerer)
      this.#parts = parts
      return parts
    })
  }

  async write<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const { pool } = await this.#use()
    return pool.transact(work)
  }

  async read<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const { pool } = await this.#use()
    return pool.read(work)
  }

  announce(changed: Changed, freed: boolean, news: ReadonlyMap<string, RunNews>): void {
    if (this.#closing !== undefined) return
    this.#parts?.hints.announce(changed, news)
    if (freed) this.#parts?.hints.announceJobs()
  }

  listen(runId: string, what: 'events' | 'state', wake: (news?: RunNews) => void): () => void {
    const { hints } = this.#parts ?? {}
    if (hints !== undefined) return hints.listen(runId, what, wake)
    // Nothing was read yet, so the readers are woken when the store is open.
    let stop = () => {}
    let stopped = false
    void this.#use().then(
      (parts) => {
        if (stopped) return
        stop = parts.hints.listen(runId, what, wake)
        wake()
      },
      () => wake(),
    )
    return () => {
      stopped = true
      stop()
    }
  }

  async enqueue(sql: Sql, freed: Freed): Promise<void> {
    const { queue } = await this.#use()
    await queue.enqueue(sql, freed)
  }

  readonly queue: RunQueue = {
    serve: async (worker: QueueWorker) => (await this.#use()).queue.serve(worker),
    wake: () => this.#parts?.queue.wake(),
    stop: () => this.#parts?.queue.stop(),
  }

  readonly processes: Processes = {
    ask: async (question, ms) => (await this.#use()).questions.ask(question, ms),
    onAsked: (answerer) => {
      this.#answerer = answerer
      this.#parts?.questions.onAsked(answerer)
    },
  }

  /** Says what the store goes on without. */
  onTrouble(report: ReportTrouble): void {
    this.#report = report
  }

  readonly readers = new Readers(async () => (await this.#use()).pool)
  readonly counts = new Counts(async () => (await this.#use()).pool)

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.readers.close()
    this.counts.close()
    const parts = this.#open.made() ? await this.#open().catch(() => undefined) : undefined
    if (parts === undefined) return
    const { pool, session, hints, queue, events } = parts
    await queue.close()
    hints.close()
    events?.close()
    await session?.close()
    await pool.close()
  }

  async #use(): Promise<Parts> {
    if (this.#closing !== undefined) throw storeUnavailable(new Error('The store is closed.'))
    return this.#open()
  }
}

/** @throws STORE_UNAVAILABLE, PACKAGE_MISSING */
async function openParts(settings: PostgresSettings, onTrouble: ReportTrouble): Promise<Parts> {
  const pool = await Pool.open(settings)
  const session = settings.sessionUrl === undefined ? undefined : new Session(settings, settings.sessionUrl)
  try {
    await takeTurn(pool, (sql) => createSchemas(sql, settings))
    await migrate({ write: (work) => takeTurn(pool, work) })
    const { events } = settings
    const hints = new Hints({ pool, session, events })
    await events?.open({ onGap: (runId) => hints.miss(runId), onTrouble })
    const questions = new Questions(pool, session)
    await session?.open()
    const queue = await takeTurn(pool, () => JobQueue.open(settings, { pool, session, hints }))
    return { pool, session, hints, queue, questions, events }
  } catch (error) {
    await session?.close()
    await pool.close()
    throw AgencyError.isInstance(error) ? error : storeUnavailable(error)
  }
}

/** How long a process waits at its start for others that start, in milliseconds. */
const START_MS = 60_000

/** Processes that start together take turns: each finds whole tables. */
function takeTurn<Answer>(pool: Pool, work: (sql: Sql) => Promise<Answer>): Promise<Answer> {
  return pool.transact(async (sql) => {
    for (const timeout of ['statement_timeout', 'idle_in_transaction_session_timeout'])
      await sql.all(`SET LOCAL ${timeout} = ${START_MS}`)
    await sql.all('SELECT pg_advisory_xact_lock(hashtextextended(?, 1))', pool.schema)
    return work(sql)
  })
}

async function createSchemas(sql: Sql, { schema, jobsSchema }: PostgresSettings): Promise<void> {
  for (const name of [schema, jobsSchema]) await sql.all(`CREATE SCHEMA IF NOT EXISTS ${name}`)
  const sequences: readonly Sequence[] = ['runs', 'threads', 'approvals', 'webhooks']
  for (const name of sequences) await sql.all(`CREATE SEQUENCE IF NOT EXISTS ${schema}.${name}_number`)
  await createReaders(sql, schema)
  await createCounts(sql, schema)
}
