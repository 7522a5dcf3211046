import type { RunEvent } from './events.ts'

interface Entry {
  events: readonly RunEvent[]
  bytes: number
}

/**
 * What a run said, held until every reader has read it. The writer asks for `room()` between batches and waits while the
 * slowest reader is more than `windowBytes` behind: a reader that sleeps stops the model's stream instead of growing memory.
 */
export class EventLog {
  readonly #windowBytes: number
  readonly #entries: Entry[] = []
  #first = 0
  #bytes = 0
  #sealed = false
  readonly #cursors = new Set<{ next: number }>()
  /** Made when somebody waits. */
  #changed: PromiseWithResolvers<void> | undefined

  constructor(windowBytes: number) {
    this.#windowBytes = windowBytes
  }

  /** What readers have not taken yet. */
  get heldBytes(): number {
    return this.#bytes
  }

  append(events: readonly RunEvent[], bytes: number): void {
    if (this.#sealed || this.#cursors.size === 0) return
    this.#entries.push({ events, bytes })
    this.#bytes += bytes
    this.#signal()
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
      this.#bytes -= (this.#entries.shift() as Entry).bytes
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
