/** The log of one attempt of a stored run: numbers its events, writes them in batches, and hands them to live readers. */
import type { Charges } from '../../base/budget.ts'
import { LONG_CHARS } from '../../wire/json-write.ts'
import type { RunEvent } from '../events.ts'
import type { Feed } from '../feed.ts'
import type { Claim, RunChange, RunSnapshot, RunStore, Written } from '../run-store.ts'
import { joinChanges, type LogChange } from './changes.ts'
import { Coverage, type CoverageState } from './coverage.ts'
import { createEncoder, encodeInTurns, isMinor, type LoggedEvent, type NumberedEvent } from './events.ts'
import { RecentEvents } from './recent-events.ts'
import { whileAway } from './while-away.ts'

export interface StoredLogOptions {
  store: RunStore
  claim: Claim
  now: () => number
  /** Number of the newest event that is stored. */
  lastEventId: number
  /** The newest of the stored events, as far as they are known. Default: none. */
  known?: readonly NumberedEvent[]
  /** Bytes of the events that the run has stored so far. */
  storedBytes: number
  limits: {
    /** How long events are gathered for one write, in milliseconds. */
    eventBatchMs: number
    /** Bytes of events that are not stored yet; beyond it the run waits. */
    slowReaderBytes: number
    /** Bytes of the events of one run; beyond them pieces of texts are not stored. */
    runEventBytes: number
    /** How long a write is repeated while the store is away, in milliseconds. */
    storeMs: number
  }
  /** Charged for events in memory. */
  budget: Charges
  /** Gets the error of a refused charge. The event is stored all the same. */
  onFull: (error: unknown) => void
  /** Called once when a write has failed for good, or the run belongs to another claim: nothing more is written. */
  onLost: (error: unknown) => void
  /** Called with the state of the run after each write: others may have asked something of it. */
  onState: (state: RunSnapshot) => void
  /** Called when events are stored, with the milliseconds since the first of them was made. */
  onStored?: (lagMs: number) => void
  /** Writes that fail are not repeated once it aborts. */
  closing: AbortSignal
}

/** What is stored beside the events, with the next write. */
export interface Companion {
  readonly waits: boolean
  take(): RunChange['trace']
}

/** What is stored with the provider's own JSON of an event, about. */
const ENVELOPE_CHARS = 160

/** The JSON of an event that waits. */
interface EventText {
  readonly scope: string | undefined
  /** Undefined for an event that is serialized with its write: a long one, and one that brings the provider's own text. */
  readonly json: string | undefined
  /** Of its JSON, about. */
  readonly size: number
}

/**
 * Nobody sees an event before it is stored. Writes follow each other: each takes all events that wait when it begins, so what
 * was emitted before a change is stored with it or before it.
 */
export class StoredLog implements Feed {
  readonly #options: StoredLogOptions
  readonly #encode = createEncoder()
  readonly #coverage: Coverage
  readonly #recent: RecentEvents
  /** Events that no write has taken yet. */
  #waiting: NumberedEvent[] = []
  #texts: EventText[] = []
  /** When the first of them was made, on the clock of `performance.now()`. */
  #waitingSince = 0
  /** The newest number that was given out. */
  #last: number
  #bytes: number
  #truncated: boolean
  #writes: Promise<unknown> = Promise.resolve()
  /** Writes that were asked for and have not ended. */
  #pending = 0
  #lost: { error: unknown } | undefined
  #timer: NodeJS.Timeout | undefined
  #trace: Companion | undefined
  /** A change that waits for the next write. */
  #noted: LogChange | undefined
  #sealed = false

  constructor(options: StoredLogOptions) {
    const { lastEventId, known = [], storedBytes, limits, budget, onFull } = options
    this.#options = options
    this.#last = lastEventId
    this.#bytes = storedBytes
    this.#truncated = storedBytes > limits.runEventBytes
    this.#coverage = new Coverage(lastEventId)
    this.#recent = new RecentEvents({ stored: lastEventId, known, budget, onFull })
  }

  /** Why nothing is written any more. */
  get lost(): { error: unknown } | undefined {
    return this.#lost
  }

  /** Bytes of all events of the run, those that wait among them. */
  get bytes(): number {
    return this.#bytes
  }

  append(events: readonly (RunEvent | LoggedEvent)[], bytes = 0, scope?: string): void {
    if (this.#lost !== undefined || this.#sealed) return
    for (const event of events) this.#add(event, scope, bytes / events.length)
    this.#writeSoon()
  }

  /** @param bytes of its JSON, about; 0 for a short event */
  #add(event: LoggedEvent, scope: string | undefined, bytes: number): void {
    if (this.#truncated && isMinor(event)) return
    const text = textOf(event)
    const json = text === undefined && bytes < LONG_CHARS ? this.#encode(event, scope) : undefined
    const size = json?.length ?? (text === undefined ? Math.ceil(bytes) : text.length + ENVELOPE_CHARS)
    this.#last++
    if (this.#waiting.length === 0) this.#waitingSince = performance.now()
    this.#waiting.push({ number: this.#last, event })
    this.#texts.push({ scope, json, size })
    this.#bytes += size
    this.#recent.expect(size)
    this.#coverage.add(this.#last, scope)
    if (this.#truncated || this.#bytes <= this.#options.limits.runEventBytes) return
    this.#truncated = true
    this.#add({ kind: 'truncated' }, undefined, 0)
  }

  /** Stores the records of a trace with its writes. */
  carry(trace: Companion): void {
    this.#trace = trace
  }

  /** Records of the trace wait. */
  noteTrace(): void {
    if (this.#lost === undefined && !this.#sealed) this.#writeSoon()
  }

  /** Stores a change with the next write, or with the events that wait. The end of the run makes it needless. */
  note(change: LogChange): void {
    if (this.#lost !== undefined || this.#sealed) return
    this.#noted = joinChanges(this.#noted, change)
    this.#writeSoon()
  }

  get #waits(): boolean {
    return this.#waiting.length > 0 || this.#noted !== undefined || this.#trace?.waits === true
  }

  /** Begins a write for what waits, unless one that will take it is on its way. */
  #writeSoon(): void {
    if (!this.#waits || this.#pending > 0) return
    const { eventBatchMs } = this.#options.limits
    // All runs write at the same moments, so that the store can commit them together.
    const wait = eventBatchMs - (performance.now() % eventBatchMs)
    this.#timer ??= setTimeout(() => void this.write({}).catch(() => {}), wait)
  }

  /** The events of a scope so far are final. */
  cover(scope: string): void {
    this.#coverage.cover(scope)
  }

  readCoverage(): CoverageState {
    return this.#coverage.read()
  }

  /**
   * Stores the events that wait together with a change.
   * @throws FENCED, STORE_UNAVAILABLE; from then on every write throws the same
   */
  write(change: LogChange): Promise<Written> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#pending++
    const joined = this.#joinNoted(change)
    const work = this.#writes
      .then(() => this.#store(joined))
      .finally(() => {
        this.#pending--
        this.#writeSoon()
      })
    this.#writes = work.catch(() => {})
    return work
  }

  /** A change after the one that was noted before it. */
  #joinNoted(change: LogChange): LogChange {
    const joined = joinChanges(this.#noted, change)
    this.#noted = undefined
    return joined
  }

  /** @param given what was noted since then is stored, too */
  async #store(given: LogChange): Promise<Written> {
    const noted = this.#noted
    this.#noted = undefined
    const change = joinChanges(given, noted)
    const events = this.#waiting
    const texts = this.#texts
    const since = this.#waitingSince
    this.#waiting = []
    this.#texts = []
    const first = this.#last - events.length + 1
    const list: string[] = []
    for (let index = 0; index < events.length; index++) {
      const { scope, json } = texts[index] as EventText
      const { event } = events[index] as NumberedEvent
      if (json !== undefined) list.push(json)
      else list.push(textOf(event) === undefined ? await encodeInTurns(event, scope) : this.#encode(event, scope))
    }
    const trace = this.#trace?.take()
    const written = await this.#commit({
      ...change,
      ...(list.length === 0 ? {} : { events: { first, list } }),
      ...(trace === undefined ? {} : { trace }),
    })
    for (const { number, event } of written.notTaken ?? []) events.push({ number, event: JSON.parse(event) })
    if (change.leave?.kind === 'end') events.push({ number: written.state.lastEventId, event: { kind: 'closed' } }) // the store's own
    if (list.length > 0) this.#options.onStored?.(performance.now() - since)
    this.#recent.add(
      events,
      texts.map(({ size }) => size),
    )
    this.#options.onState(written.state)
    return written
  }

  async #commit(change: Omit<RunChange, 'claim' | 'now'>): Promise<Written> {
    const { store, claim, now, limits, closing } = this.#options
    const write = () => store.write({ kind: 'run', claim, now: now(), ...change })
    try {
      return await whileAway(write, { storeMs: limits.storeMs, closing, lost: () => this.#lost })
    } catch (error) {
      this.lose(error)
      throw error
    }
  }

  /** Nothing is written any more: the run belongs to another claim, or the store is away for good. */
  lose(error: unknown): void {
    if (this.#lost !== undefined) return
    this.#lost = { error }
    this.#waiting = []
    this.#texts = []
    this.#noted = undefined
    this.#recent.close()
    this.#options.onLost(error)
  }

  room(signal: AbortSignal): Promise<void> | undefined {
    return this.#isFull() && !signal.aborted ? this.#makeRoom(signal) : undefined
  }

  #isFull(): boolean {
    return this.#lost === undefined && this.#recent.expectedBytes > this.#options.limits.slowReaderBytes
  }

  async #makeRoom(signal: AbortSignal): Promise<void> {
    while (this.#isFull() && !signal.aborted) await this.write({}).catch(() => {}) // the next change throws it
  }

  /** No event of this attempt follows. */
  seal(): void {
    clearTimeout(this.#timer)
    this.#sealed = true
    this.#recent.close()
  }

  /**
   * The stored events after a number that are in memory; undefined when the first of them is not, and when this attempt adds
   * no more to those that are known.
   */
  after(number: number): readonly NumberedEvent[] | undefined {
    return this.#recent.after(number)
  }

  /** Resolves when more is stored, or the attempt has ended. */
  next(signal: AbortSignal): Promise<void> {
    return this.#recent.next(signal)
  }
}

/** The provider's own JSON of an event. */
const textOf = (event: LoggedEvent): string | undefined => (event.kind === 'model' ? event.text : undefined)
