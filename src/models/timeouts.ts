/** Bounds how long a model may take to answer, and to send each further event. */
import { ModelTimeout, modelFailed } from '../base/errors.ts'

/** An attempt that has to be done in time. Its signal follows the given one too. @throws MODEL_FAILED when it is over */
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
  /** When the model was asked, on the clock of `performance`. */
  began: number
  /** How long the first event may take from then on, in milliseconds. */
  firstMs: number
  /** How long there may be none after it. */
  idleMs: number
}

/**
 * Watches over the events of one stream; bytes that are none do not count. The time runs while somebody waits: an event
 * sets it back when the next is asked for.
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

  /** There was an event. */
  hear(): void {
    this.#heard = true
  }

  /** Somebody waits for more. */
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
