/** Who reads the streams of stored runs, so that a run can end when its last reader leaves. */
import type { RunId, SharedReaders } from '../run-store.ts'

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
  /** The readers of all processes. Default: there are no other processes */
  shared?: SharedReaders | undefined
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
    const { shared, stopping } = this.#options
    const reading = this.#readingOf(id)
    reading.readers++
    reading.unreadMs = unreadMs ?? reading.unreadMs
    clearTimeout(reading.timer)
    if (reading.readers === 1 && reading.unreadMs !== null) shared?.join(id.runId)
    return (ended) => {
      reading.readers--
      const hadPolicy = reading.unreadMs !== null
      if (ended) reading.unreadMs = null
      if (reading.readers > 0) return
      if (hadPolicy && !stopping()) shared?.leave(id.runId, reading.unreadMs)
      this.#leave(id, reading, reading.unreadMs)
    }
  }

  /** Takes a run as one whose readers have just left, and who have so long to come back. */
  expect(id: RunId, unreadMs: number, returnMs: number): void {
    const reading = this.#readingOf(id)
    reading.unreadMs = unreadMs
    if (reading.readers === 0) this.#leave(id, reading, returnMs)
  }

  /** True while a run waits for a reader to come back. @throws STORE_UNAVAILABLE */
  async isLeft({ runId }: Pick<RunId, 'runId'>): Promise<boolean> {
    const { shared } = this.#options
    return shared === undefined ? this.#runs.get(runId)?.readers === 0 : shared.isLeft(runId)
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
    reading.timer = setTimeout(() => void this.#giveUp(id), ms).unref()
  }

  /** Nobody came back to this process in time. Somebody may read the run in another one, which then decides in its turn. */
  async #giveUp(id: RunId): Promise<void> {
    const { shared, cancel, stopping } = this.#options
    this.#runs.delete(id.runId)
    // While the store is away a run cannot be cancelled, either; the process that looks for unread runs finds it later.
    const isUnread = (await shared?.isAlone(id.runId).catch(() => false)) ?? true
    if (isUnread && !stopping() && !this.#runs.has(id.runId)) cancel(id)
  }
}
