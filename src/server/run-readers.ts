/** Who reads the streams of stored runs. */

/** Counts the readers of runs, for runs that end when their last reader leaves. */
export class RunReaders {
  readonly #counts = new Map<string, number>()
  readonly #cancels = new Map<string, { graceMs: number; cancel: () => void; timer?: NodeJS.Timeout }>()

  /** Counts a reader until the returned function is called. */
  join(runId: string): () => void {
    this.#counts.set(runId, (this.#counts.get(runId) ?? 0) + 1)
    clearTimeout(this.#cancels.get(runId)?.timer)
    return () => this.#leave(runId)
  }

  /** Calls `cancel` when no reader has been there for `graceMs`. */
  cancelWhenLeft(runId: string, graceMs: number, cancel: () => void): void {
    this.#cancels.set(runId, { graceMs, cancel })
  }

  /** The run has ended. */
  forget(runId: string): void {
    clearTimeout(this.#cancels.get(runId)?.timer)
    this.#cancels.delete(runId)
  }

  #leave(runId: string): void {
    const count = (this.#counts.get(runId) ?? 1) - 1
    if (count > 0) {
      this.#counts.set(runId, count)
      return
    }
    this.#counts.delete(runId)
    const waiting = this.#cancels.get(runId)
    if (waiting === undefined) return
    waiting.timer = setTimeout(() => {
      this.#cancels.delete(runId)
      waiting.cancel()
    }, waiting.graceMs)
  }
}
