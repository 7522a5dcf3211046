/** Which failures are worth another try, and how long to wait before it. */
import { ClientError } from './error.ts'

/** Options of requests that the client repeats by itself. */
export interface RetryOptions {
  /**
   * Failed attempts in a row after which the call gives up. Before the server has answered for the first time, at most 3.
   * 0: never tries again. @default 10
   */
  retries?: number
  /** Called before each wait, for a note to the user. */
  onRetry?: (retry: { error: ClientError; delayMs: number; failures: number }) => void
}

const RETRIES = 10
const FIRST_RETRIES = 3
const BASE_MS = 1_000
const MAX_MS = 30_000
const TRANSIENT = new Set([429, 502, 503, 504])

/** True when the same request may succeed later: the connection broke, or the server has no room now. */
const isTransient = ({ kind, status, code }: ClientError) =>
  kind === 'network' ||
  kind === 'incomplete' ||
  (status !== undefined && TRANSIENT.has(status) && code !== 'THREAD_QUEUE_FULL')

/** Counts failures in a row. Waits 1, 2, 4 ... seconds, at most 30, less up to a half by chance so that clients spread. */
export class Retries {
  /** The first wait, in milliseconds; a stream's `retry:` changes it. */
  baseMs = BASE_MS
  /** The server has answered once. */
  isAnswered = false
  readonly #options: RetryOptions
  readonly #signal: AbortSignal | undefined
  #failures = 0

  constructor(options: RetryOptions, signal: AbortSignal | undefined) {
    this.#options = options
    this.#signal = signal
  }

  /** The server has made progress. */
  reset(): void {
    this.#failures = 0
  }

  /** Waits before the next try. @throws the error itself when there is none */
  async wait(error: unknown): Promise<void> {
    const { retries = RETRIES, onRetry } = this.#options
    const limit = this.isAnswered ? retries : Math.min(retries, FIRST_RETRIES)
    if (!(error instanceof ClientError && isTransient(error)) || this.#failures >= limit) throw error
    const backoff = Math.min(this.baseMs * 2 ** this.#failures, MAX_MS) * (1 - Math.random() / 2)
    const delayMs = Math.max(backoff, Math.min(error.retryAfterMs ?? 0, MAX_MS))
    this.#failures++
    onRetry?.({ error, delayMs, failures: this.#failures })
    await sleep(delayMs, this.#signal)
  }

  /** Repeats a request until it succeeds or fails for good. */
  async run<T>(request: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await request()
      } catch (error) {
        await this.wait(error)
      }
    }
  }
}

/** Resolves after `ms`, or at once when the signal aborts: the next request then fails with its reason. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
    if (signal?.aborted) done()
  })
}
