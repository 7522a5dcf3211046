/** Who reads the streams of stored runs, so that a run can end when its last reader leaves. */
import type { RunId } from '../run-store.ts'

interface Reading {
  readers: number
  /** How long the run goes on without a reader, in milliseconds; null: to its end. */
  unreadMs: number | null
  timer: NodeJS.Timeout | undefined
}

export interface RunReadersOptions {
  cancel(id: RunId): void
  /** True once the server lets go of its readers: they have not left, and come back to another process. */
  stopping(): boolean
}

export class RunReaders {
  readonly #runs = new Map<string, Reading>()
  readonly #options: RunReadersOptions

  constructor(options: RunReadersOptions) {
    this.#options = options
  }

  /**
   * Counts a reader until the returned function is called, with true when the run has ended.
   * @param unreadMs how long the run goes on without a reader; null: as it was
   */
  join(id: RunId, unreadMs: number | null): (ended: boolean) => void {
    const reading = this.#readingOf(id)
    reading.readers++
    reading.unreadMs = unreadMs ?? reading.unreadMs
    clearTimeout(reading.timer)
    return (ended) => {
      reading.readers--
      if (ended) reading.unreadMs = null
      if (reading.readers === 0) this.#leave(id, reading, reading.unreadMs)
    }
  }

  /** Takes a run as one whose readers have just left, and who have so long to come back. */
  expect(id: RunId, unreadMs: number, returnMs: number): void {
    const reading = this.#readingOf(id)
    reading.unreadMs = unreadMs
    if (reading.readers === 0) this.#leave(id, reading, returnMs)
  }

  /** True while a run waits for a reader to come back. */
  isLeft({ runId }: Pick<RunId, 'runId'>): boolean {
    return this.#runs.get(runId)?.readers === 0
  }

  #readingOf({ runId }: RunId): Reading {
    const reading = this.#runs.get(runId) ?? { readers: 0, unreadMs: null, timer: undefined }
    this.#runs.set(runId, reading)
    return reading
  }

  #leave(id: RunId, reading: Reading, ms: number | null): void {
    if (ms === null || this.#options.stopping()) {
      this.#runs.delete(id.runId)
      return
    }
    reading.timer = setTimeout(() => {
      this.#runs.delete(id.runId)
      if (!this.#options.stopping()) this.#options.cancel(id)
    }, ms).unref()
  }
}
