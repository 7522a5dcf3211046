/** Connections to PostgreSQL, and transactions on them. */
import { setTimeout as delay } from 'node:timers/promises'
import type { PoolClient, Pool as PoolType } from 'pg'
import { AgencyError, causeOf, storeUnavailable } from '../../base/errors.ts'
import type { Sql } from '../sql/database.ts'
import type { PostgresSettings } from './options.ts'
import { loadPg } from './packages.ts'
import { Statements, statementsOf } from './statements.ts'

/** The server chose this transaction to undo, so that others go on: serialization_failure, deadlock_detected. */
const UNDONE = new Set(['40001', '40P01'])
/** How often a transaction is tried that the server has undone. */
const TRIES = 5
const RETRY_MS = 20
/** How long a transaction of a process that was paused keeps its locks, in milliseconds: others wait for them. */
const IDLE_MS = 5_000
/** How much longer than the server this process waits for a statement. */
const GRACE_MS = 1_000

export interface Result {
  // biome-ignore lint/suspicious/noExplicitAny: pg-boss knows the columns of its own statements
  rows: any[]
}

export class Pool {
  readonly #settings: PostgresSettings
  readonly #statements: Statements
  readonly #pool: PoolType

  private constructor(settings: PostgresSettings, pool: PoolType) {
    this.#settings = settings
    this.#statements = new Statements(settings.pooling === 'session')
    this.#pool = pool
  }

  get schema(): string {
    return this.#settings.schema
  }

  /** @throws PACKAGE_MISSING */
  static async open(settings: PostgresSettings): Promise<Pool> {
    const { Pool: PgPool } = await loadPg()
    const pool = new PgPool({
      ...connectionOptions(settings, settings.url),
      max: settings.poolSize,
      query_timeout: settings.statementTimeoutMs + GRACE_MS,
    })
    pool.on('error', () => {}) // of an idle connection, which the pool replaces
    pool.on('connect', (client) => {
      client.on('error', () => {}) // of one in use, whose statement fails, too
      // The first statement of the connection; the one that asked for it follows.
      if (settings.pooling === 'session') void client.query(setUp(settings)).catch(() => {})
    })
    return new Pool(settings, pool)
  }

  /** @throws STORE_UNAVAILABLE, and what the work throws, which is undone then */
  async transact<Answer>(work: (sql: Sql) => Promise<Answer>): Promise<Answer> {
    for (let tried = 1; ; tried++) {
      try {
        return await this.#withClient((client) => this.#transact(client, work))
      } catch (error) {
        if (tried >= TRIES || !UNDONE.has(codeOf(error))) throw error
        await delay(RETRY_MS * tried * Math.random())
      }
    }
  }

  async #transact<Answer>(client: PoolClient, work: (sql: Sql) => Promise<Answer>): Promise<Answer> {
    await query(client, this.#begin())
    try {
      const answer = await work(statementsOf(client, this.#statements, true))
      await query(client, 'COMMIT')
      return answer
    } catch (error) {
      await query(client, 'ROLLBACK')
      throw error
    }
  }

  /** Statements that change nothing and see what was committed before each. @throws STORE_UNAVAILABLE, and what the work throws */
  read<Answer>(work: (sql: Sql) => Promise<Answer>): Promise<Answer> {
    if (this.#settings.pooling === 'transaction') return this.transact((sql) => work({ ...sql, lock: '' }))
    return this.#withClient((client) => work(statementsOf(client, this.#statements, false)))
  }

  /** One statement with `$1` for values, or several without, in no transaction of ours. */
  async execute(text: string, values?: unknown[]): Promise<Result> {
    return this.#withClient((client) => query(client, text, values))
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  #begin(): string {
    return this.#settings.pooling === 'session' ? 'BEGIN' : `BEGIN; ${setUp(this.#settings, 'LOCAL ')}`
  }

  async #withClient<Answer>(work: (client: PoolClient) => Promise<Answer>): Promise<Answer> {
    const client = await this.#pool.connect().catch((error) => Promise.reject(storeUnavailable(error)))
    try {
      const answer = await work(client)
      client.release()
      return answer
    } catch (error) {
      // A connection that gave no answer of the server's may be in any state.
      const away = AgencyError.isInstance(error) && error.code === 'STORE_UNAVAILABLE'
      client.release(away && codeOf(error) === '')
      throw error
    }
  }
}

/** What every connection is opened with. */
export const connectionOptions = (settings: PostgresSettings, url: string) => ({
  connectionString: url,
  application_name: 'agency-swarm-js',
  connectionTimeoutMillis: settings.connectTimeoutMs,
  keepAlive: true,
  ...(settings.ssl === undefined ? {} : { ssl: settings.ssl }),
})

const setUp = ({ schema, statementTimeoutMs }: PostgresSettings, local = '') =>
  `SET ${local}search_path = ${schema}; SET ${local}statement_timeout = ${statementTimeoutMs};
    SET ${local}idle_in_transaction_session_timeout = ${IDLE_MS}`

async function query(client: PoolClient, text: string, values?: unknown[]): Promise<Result> {
  try {
    return await client.query(text, values)
  } catch (error) {
    throw storeUnavailable(error)
  }
}

/** The server's code of an error (SQLSTATE); empty where the server has said nothing. */
function codeOf(error: unknown): string {
  const { code } = (causeOf(error) ?? {}) as { code?: unknown }
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : ''
}
