/** The one connection of a process that has a session of its own: notifications, and the lock that shows that it lives. */
import type { Client as ClientType } from 'pg'
import type { PostgresSettings } from './options.ts'
import { loadPg } from './packages.ts'
import { connectionOptions } from './pool.ts'

const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 2_000
/** How often the connection is checked, in milliseconds; one that does not answer in that time is replaced. */
const CHECK_MS = 5_000

interface Channel {
  name: string
  receive(text: string): void
  /** Called whenever notifications may have been missed. */
  onGap?: (() => void) | undefined
}

/** Connects again, for ever, until it is closed. */
export class Session {
  readonly #settings: PostgresSettings
  readonly #url: string
  #client: ClientType | undefined
  readonly #channels: Channel[] = []
  #lock: string | undefined
  #held = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(settings: PostgresSettings, url: string) {
    this.#settings = settings
    this.#url = url
  }

  /** True while the lock is held. */
  get holds(): boolean {
    return this.#client !== undefined && this.#held
  }

  listen(name: string, receive: (text: string) => void, onGap?: () => void): void {
    this.#channels.push({ name, receive, onGap })
  }

  /**
   * Holds a lock for a name from now on, as long as the process lives.
   * @throws the database's error when it cannot be taken now
   */
  async hold(name: string): Promise<void> {
    this.#lock = name
    if (this.#client !== undefined) await this.#takeLock(this.#client)
  }

  /** A session that broke may hold it for a while yet: the next check tries again. */
  async #takeLock(client: ClientType): Promise<void> {
    if (this.#lock === undefined || this.#held) return
    const { rows } = await client.query('SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS held', [this.#lock])
    this.#held = rows[0]?.held === true
  }

  /** Never rejects: without a connection the store polls. */
  async open(): Promise<void> {
    await this.#connect(FIRST_RETRY_MS)
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    const client = this.#client
    this.#client = undefined
    await client?.end().catch(() => {})
  }

  async #connect(retryMs: number): Promise<void> {
    const { Client } = await loadPg()
    const client = new Client({ ...connectionOptions(this.#settings, this.#url), query_timeout: CHECK_MS })
    const onLost = () => {
      if (this.#client !== client) return
      this.#client = undefined
      this.#held = false
      this.#retry(FIRST_RETRY_MS)
    }
    client.on('error', onLost)
    client.on('end', onLost)
    client.on('notification', ({ channel, payload }) => {
      for (const { name, receive } of this.#channels) if (name === channel) receive(payload ?? '')
    })
    try {
      await client.connect()
      await this.#takeLock(client)
      for (const { name } of this.#channels) await client.query(`LISTEN ${name}`)
      if (this.#closed) throw new Error('The store is closed.')
      this.#client = client
      this.#check(client, onLost)
      for (const { onGap } of this.#channels) onGap?.()
    } catch {
      void client.end().catch(() => {})
      this.#retry(Math.min(2 * retryMs, LAST_RETRY_MS))
    }
  }

  #retry(ms: number): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#timer = setTimeout(() => void this.#connect(ms), ms).unref()
  }

  /** Notices a connection that broke without a word. */
  #check(client: ClientType, onLost: () => void): void {
    this.#timer = setTimeout(async () => {
      try {
        await client.query('SELECT 1')
        await this.#takeLock(client)
        if (this.#client === client) this.#check(client, onLost)
      } catch {
        onLost()
        void client.end().catch(() => {})
      }
    }, CHECK_MS).unref()
  }
}

/** Whether the session that holds the lock of a name is there; for the column `name`. */
export const HAS_LOCK = `EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND classid = ((hashtextextended(name, 0) >> 32) & 4294967295)::oid
  AND objid = (hashtextextended(name, 0) & 4294967295)::oid)`
