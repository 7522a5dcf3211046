/** Who waits for news of runs, here and in other processes. */
import { randomUUID } from 'node:crypto'
import type { RunNews } from '../../runs/run-store.ts'
import type { EventChannel } from '../channel.ts'
import { type Changed, select } from '../sql/database.ts'
import type { RunRow } from '../sql/rows.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

/** How long changes are gathered for one hint, in milliseconds. */
const GATHER_MS = 5
/** How often the store is asked for changes that no hint has announced, in milliseconds. */
const POLL_MS = 1_000
/** Runs of one hint: PostgreSQL takes 8,000 bytes. */
const RUNS_PER_HINT = 150

interface HintsParts {
  pool: Pool
  /** Default: notifications are not heard, and the store is polled. */
  session: Session | undefined
  /** Carries events to other processes. Default: they read them from the store. */
  events: EventChannel | undefined
}
type What = 'events' | 'state'
interface Listener {
  what: What
  wake: (news?: RunNews) => void
}
/** A run that somebody waits for, and what was last seen of it. */
interface Listened {
  listeners: Set<Listener>
  /** Ends what comes over the channel; absent while nobody waits for events, or without a channel. */
  leaveChannel?: (() => void) | undefined
  lastEvent: number
  version: number
}
interface Hint {
  from: string
  /** Runs with more than new events, and those with new events alone. */
  state: string[]
  events: string[]
  /** Runs were put into the queue. */
  jobs: boolean
}

/**
 * A change is announced by a notification, which may be late or lost; so the store is also polled, once a second for all runs
 * together. With a channel, new events go there with what they say, and are announced here when no other process has taken them.
 */
export class Hints {
  readonly #from = randomUUID()
  readonly #channel: string
  readonly #pool: Pool
  readonly #events: EventChannel | undefined
  readonly #runs = new Map<string, Listened>()
  readonly #changed = new Map<string, boolean>()
  #jobs = false
  #sending: NodeJS.Timeout | undefined
  #polling: NodeJS.Timeout | undefined
  #onJobs = () => {}

  constructor({ pool, session, events }: HintsParts) {
    this.#pool = pool
    this.#events = events
    this.#channel = pool.schema
    session?.listen(
      pool.schema,
      (text) => this.#receive(text),
      () => this.#wakeAll(),
    )
  }

  /** Called when runs may be in the queue. */
  onJobs(take: () => void): void {
    this.#onJobs = take
  }

  announce(changed: Changed, news: ReadonlyMap<string, RunNews>): void {
    for (const [runId, state] of changed) {
      const added = news.get(runId)
      if (added !== undefined) this.#tell(runId, added)
      if (added === undefined || state) {
        this.#wake(runId, state)
        this.#announceChange(runId, state)
      }
      if (added !== undefined && this.#events !== undefined) void this.#carry(this.#events, runId, added)
    }
  }

  /** Gives events to other processes, and announces them where nobody takes them. Never rejects. */
  async #carry(events: EventChannel, runId: string, news: RunNews): Promise<void> {
    const takers = await events.send(runId, news).catch(() => 0) // the channel says that it is away
    if (takers === 0) this.#announceChange(runId, false)
  }

  #announceChange(runId: string, state: boolean): void {
    this.#changed.set(runId, state || this.#changed.get(runId) === true)
    this.#sendSoon()
  }

  announceJobs(): void {
    this.#jobs = true
    this.#onJobs()
    this.#sendSoon()
  }

  listen(runId: string, what: What, wake: Listener['wake']): () => void {
    const listener = { what, wake }
    const listened: Listened = this.#runs.get(runId) ?? { listeners: new Set(), lastEvent: -1, version: -1 }
    this.#runs.set(runId, listened)
    listened.listeners.add(listener)
    if (what === 'events') listened.leaveChannel ??= this.#events?.listen(runId, (news) => this.#tell(runId, news))
    this.#pollSoon()
    return () => {
      listened.listeners.delete(listener)
      if (listened.listeners.size > 0 || this.#runs.get(runId) !== listened) return
      listened.leaveChannel?.()
      this.#runs.delete(runId)
    }
  }

  /** News of a run, or of any, may have been missed. */
  miss(runId: string | undefined): void {
    if (runId === undefined) this.#wakeAll()
    else this.#wake(runId, false)
  }

  close(): void {
    clearTimeout(this.#sending)
    clearTimeout(this.#polling)
    this.#wakeAll()
  }

  /** Events of a run have come, which need not be asked for. */
  #tell(runId: string, news: RunNews): void {
    const listened = this.#runs.get(runId)
    if (listened === undefined) return
    listened.lastEvent = Math.max(listened.lastEvent, news.state.lastEventId)
    for (const { what, wake } of listened.listeners) if (what === 'events') wake(news)
  }

  #wake(runId: string, state: boolean): void {
    for (const { what, wake } of this.#runs.get(runId)?.listeners ?? []) if (state || what === 'events') wake()
  }

  #wakeAll(): void {
    for (const runId of this.#runs.keys()) this.#wake(runId, true)
    this.#onJobs()
  }

  #receive(text: string): void {
    const hint = readHint(text)
    if (hint === undefined || hint.from === this.#from) return
    const { state, events, jobs } = hint
    for (const runId of state) this.#wake(runId, true)
    for (const runId of events) this.#wake(runId, false)
    if (jobs) this.#onJobs()
  }

  #sendSoon(): void {
    this.#sending ??= setTimeout(() => {
      this.#sending = undefined
      for (const hint of this.#takeHints())
        void this.#pool.execute('SELECT pg_notify($1, $2)', [this.#channel, JSON.stringify(hint)]).catch(() => {}) // others poll
    }, GATHER_MS)
  }

  *#takeHints(): Generator<Hint> {
    const changed = [...this.#changed]
    const jobs = this.#jobs
    this.#changed.clear()
    this.#jobs = false
    for (let start = 0; start === 0 || start < changed.length; start += RUNS_PER_HINT) {
      const some = changed.slice(start, start + RUNS_PER_HINT)
      const idsOf = (state: boolean) => some.filter((one) => one[1] === state).map(([runId]) => runId)
      yield { from: this.#from, state: idsOf(true), events: idsOf(false), jobs: jobs && start === 0 }
    }
  }

  #pollSoon(): void {
    this.#polling ??= setTimeout(() => void this.#poll(), POLL_MS).unref()
  }

  async #poll(): Promise<void> {
    await this.#compare().catch(() => this.#wakeAll()) // the readers find out that the store is away
    this.#polling = undefined
    if (this.#runs.size > 0) this.#pollSoon()
  }

  async #compare(): Promise<void> {
    const runIds = [...this.#runs.keys()]
    const rows = await this.#pool.read((sql) =>
      select<Pick<RunRow, 'run_id' | 'last_event' | 'version'>>(
        sql,
        'SELECT run_id, last_event, version FROM runs WHERE run_id = ANY(?::text[])',
        toArray(runIds),
      ),
    )
    const found = new Map(rows.map((row) => [row.run_id, row]))
    for (const runId of runIds) {
      const listened = this.#runs.get(runId)
      const row = found.get(runId)
      if (listened === undefined) continue
      const state = row?.version !== listened.version
      if (state || row?.last_event !== listened.lastEvent) this.#wake(runId, state)
      listened.version = row?.version ?? -1
      listened.lastEvent = row?.last_event ?? -1
    }
  }
}

/** Undefined for a text that is not ours: everybody may send to a channel. */
function readHint(text: string): Hint | undefined {
  try {
    const hint: Hint = JSON.parse(text)
    return Array.isArray(hint.state) && Array.isArray(hint.events) ? hint : undefined
  } catch {
    return undefined
  }
}

/** A list as one value: PostgreSQL's text of an array. */
export const toArray = (texts: readonly string[]): string =>
  `{${texts.map((text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`
