/** Who reads the streams of stored runs, so that a run can end when its last reader leaves. */

interface Reading {
  readers: number
  /** What happens once no reader has been there for a while. */
  left: { graceMs: number; cancel: () => void } | undefined
  timer: NodeJS.Timeout | undefined
}

export class RunReaders {
  readonly #runs = new Map<string, Reading>()
  readonly #stopping: () => boolean

  /** @param stopping true once the server lets go of its readers: they have not left, and come back to another process */
  constructor(stopping: () => boolean) {
    this.#stopping = stopping
  }

  /** Counts a reader until the returned function is called, with true when the run has ended. */
  join(runId: string, left?: Reading['left']): (ended: boolean) => void {
    const reading = this.#runs.get(runId) ?? { readers: 0, left: undefined, timer: undefined }
    this.#runs.set(runId, reading)
    reading.readers++
    reading.left = left ?? reading.left
    clearTimeout(reading.timer)
    return (ended) => {
      reading.readers--
      if (ended) reading.left = undefined
      if (reading.readers === 0) this.#leave(runId, reading)
    }
  }

  /** True while a run waits for a reader to come back. */
  isLeft(runId: string): boolean {
    return this.#runs.get(runId)?.readers === 0
  }

  #leave(runId: string, reading: Reading): void {
    const { left } = reading
    if (left === undefined || this.#stopping()) {
      this.#runs.delete(runId)
      return
    }
    reading.timer = setTimeout(() => {
      this.#runs.delete(runId)
      if (!this.#stopping()) left.cancel()
    }, left.graceMs).unref()
  }
}
