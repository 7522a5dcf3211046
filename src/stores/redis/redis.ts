/** Events of runs over Redis. */
import type { Redis } from 'ioredis'
import { invalidOption, packageMissing } from '../../base/start-errors.ts'
import type { RunNews } from '../../runs/run-store.ts'
import type { ChannelWatch, EventChannel } from '../channel.ts'

/** How long Redis may take for a connection or a command, in milliseconds. */
const CONNECT_MS = 5_000
const COMMAND_MS = 1_000
/** A Redis that answers nothing for so long is left, and connected to anew: what is written to it is held in memory. */
const SILENT_MS = 3_000
const LAST_RETRY_MS = 2_000
/** Events beyond this size are read from the store. */
const MOST_CHARS = 262_144

const OUTAGE = 'Redis does not carry events of runs: readers get them from the database, up to a second later.'

/**
 * Carries new events of runs between processes over Redis, so that readers in another process have them sooner and ask the
 * database less: `postgres({ url, events: redis(process.env.REDIS_URL) })`. Nothing is kept in Redis: each run is a channel of
 * publish and subscribe. While Redis is away, the database carries events as without it. Needs the package `ioredis`.
 *
 * @param url `redis://host:6379`, or `rediss://user:password@host:6379` for TLS. Events hold what agents say, so others must not
 *   be able to read there
 * @throws INVALID_OPTION; PACKAGE_MISSING with the first use of the store
 */
export function redis(url: string): EventChannel {
  if (typeof url !== 'string' || !/^rediss?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw invalidOption('redis() takes an address such as redis://127.0.0.1:6379.')
  return new RedisChannel(url)
}

class RedisChannel implements EventChannel {
  readonly #url: string
  readonly #listeners = new Map<string, Set<(news: RunNews) => void>>()
  #watch: ChannelWatch | undefined
  #sender: Redis | undefined
  #receiver: Redis | undefined
  #isAway = false
  #closed = false

  constructor(url: string) {
    this.#url = url
  }

  async open(watch: ChannelWatch): Promise<void> {
    this.#watch = watch
    const { Redis } = await import('ioredis').catch((error) => {
      throw packageMissing('redis()', 'ioredis', error)
    })
    if (this.#closed) return
    this.#sender = this.#connect(new Redis(this.#url, OPTIONS), () => {})
    this.#receiver = this.#connect(new Redis(this.#url, { ...OPTIONS, autoResubscribe: false }), () => {
      for (const runId of this.#listeners.keys()) this.#subscribe(runId)
    })
    this.#receiver.on('message', (channel: string, text: string) => this.#take(channel, text))
  }

  async send(runId: string, { state, events }: RunNews): Promise<number> {
    const chars = events.reduce((sum, { event }) => sum + event.length, 0)
    if (this.#sender === undefined || chars > MOST_CHARS) return 0
    return this.#sender.publish(toChannel(runId), JSON.stringify({ state, events }))
  }

  listen(runId: string, take: (news: RunNews) => void): () => void {
    const listeners = this.#listeners.get(runId) ?? new Set()
    this.#listeners.set(runId, listeners)
    listeners.add(take)
    if (listeners.size === 1) this.#subscribe(runId)
    return () => {
      listeners.delete(take)
      if (listeners.size > 0 || this.#listeners.get(runId) !== listeners) return
      this.#listeners.delete(runId)
      this.#receiver?.unsubscribe(toChannel(runId)).catch(() => {}) // a lost connection is subscribed to nothing
    }
  }

  close(): void {
    this.#closed = true
    this.#sender?.disconnect()
    this.#receiver?.disconnect()
  }

  #connect(client: Redis, onReady: () => void): Redis {
    client.on('ready', () => {
      this.#isAway = false
      onReady()
    })
    client.on('error', (error: Error) => {
      if (!this.#isAway && !this.#closed) this.#watch?.onTrouble(OUTAGE, error)
      this.#isAway = true
    })
    client.connect().catch(() => {}) // tried again; the error event reports it
    return client
  }

  /** What came before the subscription holds is in the store. */
  #subscribe(runId: string): void {
    if (this.#receiver?.status !== 'ready') return
    this.#receiver.subscribe(toChannel(runId)).then(
      () => this.#watch?.onGap(runId),
      () => {}, // done again with the next connection
    )
  }

  #take(channel: string, text: string): void {
    const runId = channel.slice(PREFIX.length)
    const news = readNews(text)
    if (news === undefined) this.#watch?.onGap(runId)
    else for (const take of this.#listeners.get(runId) ?? []) take(news)
  }
}

const OPTIONS = {
  lazyConnect: true,
  enableOfflineQueue: false,
  connectTimeout: CONNECT_MS,
  commandTimeout: COMMAND_MS,
  socketTimeout: SILENT_MS,
  retryStrategy: (tries: number) => Math.min(50 * 2 ** tries, LAST_RETRY_MS),
}

const PREFIX = 'agency-swarm:run:'
const toChannel = (runId: string) => `${PREFIX}${runId}`

/** Undefined for a text that is not ours. */
function readNews(text: string): RunNews | undefined {
  try {
    const news: RunNews = JSON.parse(text)
    return Array.isArray(news.events) && Number.isSafeInteger(news.state.lastEventId) ? news : undefined
  } catch {
    return undefined
  }
}
