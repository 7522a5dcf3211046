/** Counts requests of callers within windows of time, for all workers of a machine. */

/** Most callers that are counted; beyond it the one that asked longest ago is forgotten. */
const MOST_CALLERS = 10_000

export class Counters {
  /** In the order of their last request. */
  readonly #windows = new Map<string, { count: number; endsAt: number }>()

  /** Counts one request. @returns the requests of the caller's window so far, and how long it goes on */
  count(key: string, windowMs: number, now: number): { count: number; leftMs: number } {
    const known = this.#windows.get(key)
    const window = known !== undefined && known.endsAt > now ? known : { count: 0, endsAt: now + windowMs }
    window.count++
    this.#windows.delete(key)
    this.#windows.set(key, window)
    const [oldest] = this.#windows.keys()
    if (this.#windows.size > MOST_CALLERS) this.#windows.delete(oldest as string)
    return { count: window.count, leftMs: window.endsAt - now }
  }
}
