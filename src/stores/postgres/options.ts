/** The options of a store in PostgreSQL: names, defaults and bounds. */
import type { ConnectionOptions } from 'node:tls'
import { refuseUnknown } from '../../base/options.ts'
import { invalidOption } from '../../base/start-errors.ts'
import type { EventChannel } from '../channel.ts'

/** Options of `postgres()`. All but `url` are optional. */
export interface PostgresOptions {
  /** Address of the database: `postgres://user:password@host:5432/name`. */
  url: string
  /** Schema of the tables; made when it is missing. The queue is kept in a schema of the same name with `_jobs`. @default 'agency_swarm' */
  schema?: string | undefined
  /** Connections of this process at most, beside the one that listens. @default 10 */
  poolSize?: number | undefined
  /**
   * TLS: `true` checks the server's certificate with the certificates of the system; an object is that of `node:tls`, such as
   * `{ ca }`. @default what `sslmode` in the URL says
   */
  ssl?: boolean | ConnectionOptions | undefined
  /** How long a statement may take, in milliseconds; then it is cancelled and the call fails. @default 10000 */
  statementTimeoutMs?: number | undefined
  /** How long to wait for a connection, in milliseconds. @default 10000 */
  connectTimeoutMs?: number | undefined
  /**
   * How the address hands out connections. `session`: a connection is ours until we close it, as PostgreSQL itself does.
   * `transaction`: it may be another one for each transaction, as with PgBouncer's `pool_mode = transaction`: statements
   * are not prepared, and what needs a session (hints and `sessionLock`) goes to `sessionUrl`. @default 'session'
   */
  pooling?: 'session' | 'transaction' | undefined
  /**
   * Address for the one connection of each process that needs a session of its own. Without one, a store with
   * `pooling: 'transaction'` sees changes of other processes by polling once a second. @default `url`, with `pooling: 'session'`
   */
  sessionUrl?: string | undefined
  /**
   * Holds a lock in a session of its own as this process's sign of life: the runs of a process that died are taken over after
   * about a second, and not when their heartbeat is missed (10 to 12 seconds). @default false
   */
  sessionLock?: boolean | undefined
  /**
   * Carries new events between processes beside the database: `redis(url)`. Readers in another process then have them sooner, and
   * the database answers fewer questions. @default the database alone
   */
  events?: EventChannel | undefined
}

/** Options with their defaults. */
export interface PostgresSettings {
  url: string
  schema: string
  /** Schema of pg-boss. */
  jobsSchema: string
  poolSize: number
  ssl: boolean | ConnectionOptions | undefined
  statementTimeoutMs: number
  connectTimeoutMs: number
  pooling: 'session' | 'transaction'
  /** Undefined: no connection has a session of its own. */
  sessionUrl: string | undefined
  sessionLock: boolean
  events: EventChannel | undefined
}

const NAMES = {
  url: true,
  schema: true,
  poolSize: true,
  ssl: true,
  statementTimeoutMs: true,
  connectTimeoutMs: true,
  pooling: true,
  sessionUrl: true,
  sessionLock: true,
  events: true,
} satisfies Record<keyof Required<PostgresOptions>, true>

/** @throws INVALID_OPTION */
export function readOptions(given: string | PostgresOptions): PostgresSettings {
  const options = typeof given === 'string' ? { url: given } : given
  if (typeof options !== 'object' || options === null)
    throw invalidOption('postgres() takes the address of a database, or an object of options.')
  refuseUnknown('postgres()', options, new Set(Object.keys(NAMES)))
  const { pooling = 'session', schema = 'agency_swarm', sessionLock = false } = options
  const url = readUrl('url', options.url)
  if (!/^[a-z_][a-z0-9_]{0,57}$/.test(schema))
    throw invalidOption('postgres(): schema has to be 1 to 58 lower-case letters, digits and underscores.')
  if (pooling !== 'session' && pooling !== 'transaction')
    throw invalidOption('postgres(): pooling has to be "session" or "transaction".')
  const direct = pooling === 'session' ? url : undefined
  const sessionUrl = options.sessionUrl === undefined ? direct : readUrl('sessionUrl', options.sessionUrl)
  if (sessionLock && sessionUrl === undefined)
    throw invalidOption(
      'postgres(): sessionLock with pooling: "transaction" needs sessionUrl, an address past the pooler.',
    )
  if (options.events !== undefined && typeof options.events?.listen !== 'function')
    throw invalidOption('postgres(): events has to be what redis(url) gives.')
  return {
    url,
    schema,
    jobsSchema: `${schema}_jobs`,
    poolSize: readCount('poolSize', options.poolSize ?? 10, 2),
    ssl: options.ssl,
    statementTimeoutMs: readCount('statementTimeoutMs', options.statementTimeoutMs ?? 10_000, 1),
    connectTimeoutMs: readCount('connectTimeoutMs', options.connectTimeoutMs ?? 10_000, 1),
    pooling,
    sessionUrl,
    sessionLock,
    events: options.events,
  }
}

function readUrl(name: string, url: unknown): string {
  if (typeof url === 'string' && /^postgres(ql)?:\/\//.test(url)) return url
  throw invalidOption(`postgres(): ${name} has to be an address such as postgres://user:password@host:5432/name.`)
}

function readCount(name: string, value: unknown, least: number): number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= 2 ** 31 - 1)
    return value as number
  throw invalidOption(`postgres(): ${name} has to be a whole number of at least ${least}.`)
}
