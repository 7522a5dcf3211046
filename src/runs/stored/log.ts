/** The log of one attempt of a stored run: numbers its events, writes them in batches, and hands them to live readers. */
import type { RunEvent } from '../events.ts'
import type { Batch, Feed } from '../feed.ts'
import type { Claim, RunChange, RunStore, Written } from '../run-store.ts'
import { Coverage, type CoverageState } from './coverage.ts'

import { createEncoder, isMinor, type LoggedEvent, type NumberedEvent } from './events.ts'

import { whileAway } from './while-away.ts'

export interface StoredLogOptions {
  store: RunStore
  claim: Claim
  now: () => number
  /** Number of the newest event that is stored. */
  lastEventId: number
  /** Bytes of the events that are stored. */
  storedBytes?: number
  limits: {
    /** How long events are gathered for one write, in milliseconds. */
    eventBatchMs: number
    /** Bytes of events that may wait to be written; then the run waits. */
    slowReaderBytes: number
    /** Bytes of the events of one run; beyond them pieces of texts are not stored. */
    runEventBytes: number
    /** How long writes are repeated while the store is away, in milliseconds. */
    storeMs: number
  }
  /** Called once when a write has failed for good, or the run belongs to another claim: nothing more is written. */
  onLost: (error: unknown) => void
}

/** What a write takes beside the claim, the time and the events. */
export type LogChange = Omit<RunChange, 'claim' | 'now' | 'events'>

/** Bytes of newest events that are kept for readers of this process. */
const TAIL_BYTES = 256 * 1024

/**
 * Nobody sees an event before it is stored. Writes follow each other: each takes the events that wait, so that what was emitted
 * before a change is stored with it or before it.
 */
export class StoredLog implements Feed {
  readonly #options: StoredLogOptions
  readonly #encode = createEncoder()
  readonly #coverage: Coverage
  /** Events that wait for their write. */
  #waiting: NumberedEvent[] = []
  #json: string[] = []
  #waitingBytes = 0
  /** The newest number that was given out, and the newest that is stored. */
  #last: number
  #stored: number
  #storedBytes: number
  #truncated = false
  /** Ends with its error once writing has failed for good. */
  #writes: Promise<unknown> = Promise.resolve()
  #lost: { error: unknown } | undefined
  #timer: NodeJS.Timeout | undefined
  /** Newest stored events, for readers of this process. */
  readonly #tail: NumberedEvent[] = []
  readonly #tailBytes: number[] = []
  #tailTotal = 0
  #changed: PromiseWithResolvers<void> | undefined
  #sealed = false

  constructor(options: StoredLogOptions) {
    this.#options = options
    this.#last = options.lastEventId
    this.#stored = options.lastEventId
    this.#storedBytes = options.storedBytes ?? 0
    this.#coverage = new Coverage(options.lastEventId)
  }

  /** Number of the newest event that is stored. */
  get stored(): number {
    return this.#stored
  }

  /** Why nothing is written any more. */
  get lost(): { error: unknown } | undefined {
    return this.#lost
  }

  append(events: readonly (RunEvent | LoggedEvent)[], _bytes = 0, scope?: string): void {
    for (const event of events) this.#add(event, scope)
    if (this.#waiting.length > 0)
      this.#timer ??= setTimeout(() => void this.write({}).catch(() => {}), this.#options.limits.eventBatchMs)
  }

  #add(event: LoggedEvent, scope: string | undefined): void {
    if (this.#truncated && isMinor(event)) return
    const json = this.#encode(event, scope)
    this.#last++
    this.#waiting.push({ number: this.#last, event })
    this.#json.push(json)
    this.#waitingBytes += json.length
    this.#coverage.add(this.#last, scope)
    if (this.#truncated || this.#storedBytes + this.#waitingBytes <= this.#options.limits.runEventBytes) return
    this.#truncated = true
    this.#add({ kind: 'truncated' }, undefined)
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
    const events = this.#waiting
    const list = this.#json
    const bytes = this.#waitingBytes
    this.#waiting = []
    this.#json = []
    this.#waitingBytes = 0
    const first = this.#last - list.length + 1
    const work = this.#writes.then(async () => {
      const written = await this.#commit({ ...change, ...(list.length === 0 ? {} : { events: { first, list } }) })
      this.#storedBytes += bytes
      this.#publish(events, list)
      return written
    })
    this.#writes = work.catch(() => {})
    return work
  }

  async #commit(change: Omit<RunChange, 'claim' | 'now'>): Promise<Written> {
    if (this.#lost !== undefined) throw this.#lost.error
    const { store, claim, now, limits } = this.#options
    const { storeMs } = limits
    try {
      return await whileAway(() => store.write({ kind: 'run', claim, now: now(), ...change }), { storeMs })
    } catch (error) {
      this.lose(error)
      throw error
    }
  }

  /** Nothing is written any more: the run belongs to another claim, or the store is away for good. */
  lose(error: unknown): void {
    if (this.#lost !== undefined) return
    this.#lost = { error }
    this.#signal()
    this.#options.onLost(error)
  }

  /** Hands stored events to the readers of this process. */
  #publish(events: readonly NumberedEvent[], json: readonly string[]): void {
    for (const [index, event] of events.entries()) {
      const bytes = json[index]?.length ?? 0
      this.#tail.push(event)
      this.#tailBytes.push(bytes)
      this.#tailTotal += bytes
    }
    this.#stored += events.length
    while (this.#tailTotal > TAIL_BYTES && this.#tail.length > events.length) {
      this.#tail.shift()
      this.#tailTotal -= this.#tailBytes.shift() ?? 0
    }
    this.#signal()
  }

  room(signal: AbortSignal): Promise<void> | undefined {
    return this.#waitingBytes <= this.#options.limits.slowReaderBytes || signal.aborted ? undefined : this.#flush()
  }

  async #flush(): Promise<void> {
    await this.write({}).catch(() => {}) // the loop hears of it from the journal, or from the abort
  }

  /** No event of this attempt follows. */
  seal(): void {
    clearTimeout(this.#timer)
    this.#sealed = true
    this.#signal()
  }

  read(): AsyncIterableIterator<Batch> {
    throw new Error('A stored run is read with follow().')
  }

  /** The stored events after a number that are in memory; undefined when the first of them is not. */
  after(number: number): readonly NumberedEvent[] | undefined {
    const oldest = this.#tail[0]?.number ?? this.#stored + 1
    return number < oldest - 1 ? undefined : this.#tail.slice(number - oldest + 1)
  }

  /** Resolves when more is stored, or the attempt has ended. */
  async next(signal: AbortSignal): Promise<void> {
    if (this.#sealed || this.#lost !== undefined || signal.aborted) return
    this.#changed ??= Promise.withResolvers()
    const { promise } = this.#changed
    const wake = Promise.withResolvers<void>()
    const onAbort = () => wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await Promise.race([promise, wake.promise])
    signal.removeEventListener('abort', onAbort)
  }

  #signal(): void {
    this.#changed?.resolve()
    this.#changed = undefined
  }
}
