/** The newest events of a stored run, kept in memory for readers of the same process. */
import type { Charges } from '../../base/budget.ts'
import type { NumberedEvent } from './events.ts'

/** Bytes of newest events that are kept, as JSON; readers that are further behind read the store. */
const KEPT_BYTES = 64 * 1024
/** An event is held as JSON until it is stored, and as an object. */
const COPIES = 4
/** Bytes up to here are part of what every run is charged; from there on the budget is charged in steps of this size. */
const STEP_BYTES = 64 * 1024

interface RecentOptions {
  stored: number
  known: readonly NumberedEvent[]
  budget: Charges
  onFull: (error: unknown) => void
}

/** Events are announced with `expect` when they begin to wait for the store, and added once they are stored. */
export class RecentEvents {
  readonly #budget: Charges
  readonly #onFull: (error: unknown) => void
  #events: NumberedEvent[] = []
  #sizes: number[] = []
  #bytes = 0
  #expected = 0
  #charged = 0
  /** Number of the newest event that is stored. */
  #stored: number
  #changed: PromiseWithResolvers<void> | undefined
  #closed = false

  /**
   * @param options.stored number of the newest event that is stored
   * @param options.known the newest of the stored events: few and short
   */
  constructor({ stored, known, budget, onFull }: RecentOptions) {
    this.#stored = stored
    this.#events = [...known]
    this.#sizes = known.map(() => 0)
    this.#budget = budget
    this.#onFull = onFull
  }

  /** Bytes of events that are not stored yet. */
  get expectedBytes(): number {
    return this.#expected
  }

  expect(bytes: number): void {
    this.#expected += bytes
    this.#charge()
  }

  /** Adds stored events. Their sizes were expected before. */
  add(events: readonly NumberedEvent[], sizes: readonly number[]): void {
    for (let index = 0; index < events.length; index++) {
      const size = sizes[index] ?? 0
      this.#events.push(events[index] as NumberedEvent)
      this.#sizes.push(size)
      this.#bytes += size
      this.#expected -= size
    }
    this.#stored += events.length
    this.#trim(events.length)
    this.#charge()
    this.#signal()
  }

  /** Drops the oldest beyond the bound; what came last is kept for readers that wait for it. */
  #trim(fresh: number): void {
    let dropped = 0
    while (this.#bytes > KEPT_BYTES && this.#events.length - dropped > fresh) this.#bytes -= this.#sizes[dropped++] ?? 0
    if (dropped === 0) return
    this.#events = this.#events.slice(dropped)
    this.#sizes = this.#sizes.slice(dropped)
  }

  #charge(): void {
    const over = COPIES * (this.#bytes + this.#expected)
    if (over <= this.#charged + STEP_BYTES && over > this.#charged - STEP_BYTES) return
    const wanted = Math.floor(over / STEP_BYTES) * STEP_BYTES
    if (wanted < this.#charged) this.#budget.release(this.#charged - wanted)
    else
      try {
        this.#budget.charge(wanted - this.#charged)
      } catch (error) {
        this.#onFull(error)
        return
      }
    this.#charged = wanted
  }

  /** The events after a number; undefined when the first of them is not here, or no more will come. */
  after(number: number): readonly NumberedEvent[] | undefined {
    if (number >= this.#stored) return this.#closed ? undefined : []
    const oldest = this.#events[0]?.number ?? this.#stored + 1
    return number < oldest - 1 ? undefined : this.#events.slice(number - oldest + 1)
  }

  /** Resolves at the next change, or when the signal aborts. */
  async next(signal: AbortSignal): Promise<void> {
    if (this.#closed || signal.aborted) return
    this.#changed ??= Promise.withResolvers()
    const { promise } = this.#changed
    const wake = Promise.withResolvers<void>()
    const onAbort = () => wake.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    await Promise.race([promise, wake.promise])
    signal.removeEventListener('abort', onAbort)
  }

  /** No event follows. */
  close(): void {
    this.#closed = true
    this.#signal()
  }

  #signal(): void {
    this.#changed?.resolve()
    this.#changed = undefined
  }
}
