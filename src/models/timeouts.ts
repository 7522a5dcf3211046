/** Bounds how long a model may take to answer, and to send each further event. */
import { ModelTimeout, modelFailed } from '../base/model-errors.ts'

/** Runs an attempt with a time limit. The attempt's signal also follows the given one. @throws MODEL_FAILED at the limit */
export async function inTime<T>(
  ms: number,
  signal: AbortSignal,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController()
  const follow = () => own.abort(signal.reason)
  if (signal.aborted) follow()
  signal.addEventListener('abort', follow, { once: true })
  const timer = setTimeout(() => {
    const cause = new ModelTimeout('headers', `The model did not answer within ${ms} ms.`)
    own.abort(modelFailed(cause.message, cause))
  }, ms)
  try {
    return await attempt(own.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', follow)
  }
}

export interface Patience {
  /** When the request was sent, on the clock of `performance`. */
  began: number
  /** The longest wait for the first event from then on, in milliseconds. */
  firstMs: number
  /** The longest wait for each later event, in milliseconds. */
  idleMs: number
}

/**
 * Limits the time between the events of one stream; bytes that are not events do not count. The time runs only while a reader
 * waits, and starts again with each event.
 */
export class EventWatch {
  #timer: NodeJS.Timeout
  readonly #idleMs: number
  readonly #onSilence: (error: Error) => void
  #begun = false
  #heard = false

  constructor({ began, firstMs, idleMs }: Patience, onSilence: (error: Error) => void) {
    this.#idleMs = idleMs
    this.#onSilence = onSilence
    this.#timer = this.#start(firstMs, performance.now() - began)
  }

  #start(ms: number, gone = 0): NodeJS.Timeout {
    return setTimeout(
      () => {
        if (!this.#heard) this.#onSilence(new ModelTimeout('event', `The model sent no event within ${ms} ms.`))
      },
      Math.max(1, ms - gone),
    )
  }

  /** Notes an event. */
  hear(): void {
    this.#heard = true
  }

  /** Notes that a reader waits. */
  wait(): void {
    if (!this.#heard) return
    this.#heard = false
    if (this.#begun) this.#timer.refresh()
    else {
      this.#begun = true
      clearTimeout(this.#timer)
      this.#timer = this.#start(this.#idleMs)
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
