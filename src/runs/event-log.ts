/** The feed of a run that nobody stores: a window of its events in memory. */
import { type Charges, weigh } from '../base/budget.ts'
import type { RunEvent } from './events.ts'
import type { Batch, Feed } from './feed.ts'

interface Entry extends Batch {
  readonly bytes: number
  /** Bytes that are charged for it. */
  readonly charged: number
}

/** Unread bytes up to here are part of what every run is charged; beyond it each batch is weighed. */
const FREE_BYTES = 16_384

/** An event is held as it is, and as the frame that is on its way. */
const COPIES = 2

/** Events that say how the run ended. */
const isFinal = ({ kind }: RunEvent) => kind === 'error' || kind === 'tripped' || kind === 'ended'

const UNBOUNDED: Charges = { charge: () => {}, release: () => {} }

/**
 * Keeps each batch until every reader has taken it, and nothing without a reader. The writer asks for `room()` between batches
 * and waits while the slowest reader is more than `windowBytes` behind: a slow reader pauses the model's stream instead of
 * filling the memory.
 */
export class EventLog implements Feed {
  readonly #windowBytes: number
  readonly #budget: Charges
  readonly #onFull: (error: unknown) => void
  readonly #entries: Entry[] = []
  /** Place of the oldest entry among all entries of the run. */
  #first = 0
  /** Number of the next event. */
  #next = 1
  #bytes = 0
  #sealed = false
  readonly #cursors = new Set<{ next: number }>()
  /** Made when somebody waits. */
  #changed: PromiseWithResolvers<void> | undefined

  /**
   * @param budget charged for unread events
   * @param onFull gets the error of a refused charge; the batch is dropped, unless it says how the run ended
   */
  constructor(windowBytes: number, budget = UNBOUNDED, onFull: (error: unknown) => void = () => {}) {
    this.#windowBytes = windowBytes
    this.#budget = budget
    this.#onFull = onFull
  }

  /** Bytes of the events that readers have not taken yet. */
  get heldBytes(): number {
    return this.#bytes
  }

  append(events: readonly RunEvent[], bytes: number): void {
    if (this.#sealed) return
    const first = this.#next
    this.#next += events.length
    if (this.#cursors.size === 0) return
    const charged = this.#bytes + bytes > FREE_BYTES ? this.#charge(events) : 0
    if (charged === undefined) return
    this.#bytes += bytes
    this.#entries.push({ first, events, bytes, charged })
    this.#signal()
  }

  /** Undefined when there is no room for them. */
  #charge(events: readonly RunEvent[]): number | undefined {
    const held = COPIES * events.reduce((sum, event) => sum + weighEvent(event), 0)
    try {
      this.#budget.charge(held)
      return held
    } catch (error) {
      this.#onFull(error)
      return events.every(isFinal) ? 0 : undefined
    }
  }

  room(signal: AbortSignal, idleMs: number, stalled: () => void): Promise<void> | undefined {
    return this.#bytes <= this.#windowBytes || signal.aborted ? undefined : this.#waitForRoom(signal, idleMs, stalled)
  }

  async #waitForRoom(signal: AbortSignal, idleMs: number, stalled: () => void): Promise<void> {
    const wake = () => this.#signal()
    signal.addEventListener('abort', wake, { once: true })
    const timer = setTimeout(stalled, idleMs)
    try {
      while (this.#bytes > this.#windowBytes && !signal.aborted) {
        await this.#change()
        timer.refresh()
      }
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
    }
  }

  seal(): void {
    this.#sealed = true
    this.#signal()
  }

  /** A reader, which gets each later batch once, in order. Leaving its loop closes it. */
  read(): AsyncIterableIterator<Batch> {
    const cursor = { next: this.#first + this.#entries.length }
    this.#cursors.add(cursor)
    const close = async () => {
      this.#cursors.delete(cursor)
      this.#trim()
      return { done: true as const, value: undefined }
    }
    const next = async (): Promise<IteratorResult<Batch>> => {
      this.#trim() // a reader that asks for more has dealt with the batch before
      while (cursor.next >= this.#first + this.#entries.length) {
        if (this.#sealed || !this.#cursors.has(cursor)) return close()
        await this.#change()
      }
      const entry = this.#entries[cursor.next - this.#first] as Entry
      cursor.next++
      return { done: false, value: entry }
    }
    const reader: AsyncIterableIterator<Batch> = {
      next,
      return: close,
      [Symbol.asyncIterator]: () => reader,
    }
    return reader
  }

  #trim(): void {
    let keep = Number.POSITIVE_INFINITY
    for (const cursor of this.#cursors) keep = Math.min(keep, cursor.next)
    let dropped = false
    while (this.#entries.length > 0 && this.#first < keep) {
      const { bytes, charged } = this.#entries.shift() as Entry
      this.#bytes -= bytes
      if (charged > 0) this.#budget.release(charged)
      this.#first++
      dropped = true
    }
    if (dropped) this.#signal()
  }

  /** The next change. */
  #change(): Promise<void> {
    this.#changed ??= Promise.withResolvers()
    return this.#changed.promise
  }

  #signal(): void {
    this.#changed?.resolve()
    this.#changed = undefined
  }
}

/** Without the speaker, which events share, and the summary, which the run has charged. */
function weighEvent(event: RunEvent): number {
  switch (event.kind) {
    case 'model':
      return weigh(event.event) + (event.text?.length ?? 0)
    case 'item':
      return weigh(event.raw)
    case 'custom':
      return weigh(event.value)
    case 'error':
    case 'tripped':
      return weigh(event.content)
    case 'started':
      return weigh(event.notes)
    case 'agent':
    case 'ended':
      return weigh(undefined)
    default:
      return event satisfies never
  }
}
