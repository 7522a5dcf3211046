import { type Charges, weigh } from '../base/budget.ts'
import type { RunEvent } from './events.ts'

interface Entry {
  events: readonly RunEvent[]
  bytes: number
  /** What is charged for it. */
  charged: number
}

/** Unread bytes up to here are part of what every run is charged; beyond it each batch is weighed. */
const FREE_BYTES = 16_384

/** An event is held as it is, and as the frame that is on its way. */
const COPIES = 2

const isLast = ({ kind }: RunEvent) => kind === 'error' || kind === 'tripped'

const UNBOUNDED: Charges = { charge: () => {}, release: () => {} }

/**
 * What a run said, held until every reader has read it. The writer asks for `room()` between batches and waits while the
 * slowest reader is more than `windowBytes` behind: a reader that sleeps stops the model's stream instead of growing memory.
 */
export class EventLog {
  readonly #windowBytes: number
  readonly #budget: Charges
  readonly #onFull: (error: unknown) => void
  readonly #entries: Entry[] = []
  #first = 0
  #bytes = 0
  #sealed = false
  readonly #cursors = new Set<{ next: number }>()
  /** Made when somebody waits. */
  #changed: PromiseWithResolvers<void> | undefined

  /**
   * @param budget charged with what is unread
   * @param onFull gets the error of a refused charge; the batch is dropped, unless it tells how the run ended
   */
  constructor(windowBytes: number, budget = UNBOUNDED, onFull: (error: unknown) => void = () => {}) {
    this.#windowBytes = windowBytes
    this.#budget = budget
    this.#onFull = onFull
  }

  /** What readers have not taken yet. */
  get heldBytes(): number {
    return this.#bytes
  }

  append(events: readonly RunEvent[], bytes: number): void {
    if (this.#sealed || this.#cursors.size === 0) return
    const charged = this.#bytes + bytes > FREE_BYTES ? this.#charge(events) : 0
    if (charged === undefined) return
    this.#bytes += bytes
    this.#entries.push({ events, bytes, charged })
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
      return events.every(isLast) ? 0 : undefined
    }
  }

  /**
   * Resolves when there is room for another batch, or the signal fires; undefined when there is room already.
   * `stalled` is called when no reader took anything for `idleMs`.
   */
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

  /** No more will come: readers end after what is there. */
  seal(): void {
    this.#sealed = true
    this.#signal()
  }

  /** One reader, from now on. Register it before the writer starts; each batch is given once, in order. */
  read(): AsyncIterableIterator<readonly RunEvent[]> {
    const cursor = { next: this.#first + this.#entries.length }
    this.#cursors.add(cursor)
    const close = async () => {
      this.#cursors.delete(cursor)
      this.#trim()
      return { done: true as const, value: undefined }
    }
    const next = async (): Promise<IteratorResult<readonly RunEvent[]>> => {
      this.#trim() // coming back for more says that the batch before was dealt with
      while (cursor.next >= this.#first + this.#entries.length) {
        if (this.#sealed || !this.#cursors.has(cursor)) return close()
        await this.#change()
      }
      const entry = this.#entries[cursor.next - this.#first] as Entry
      cursor.next++
      return { done: false, value: entry.events }
    }
    const reader: AsyncIterableIterator<readonly RunEvent[]> = {
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

/** Without the speaker, whom events share. */
function weighEvent(event: RunEvent): number {
  switch (event.kind) {
    case 'model':
      return weigh(event.event) + (event.text?.length ?? 0)
    case 'item':
      return weigh(event.raw)
    case 'error':
    case 'tripped':
      return weigh(event.content)
    case 'agent':
      return weigh(undefined)
    default:
      return event satisfies never
  }
}
