/** Timeouts and aborts for work of others, which is abandoned and not stopped; values that are made once. */

/** The work's outcome, or the signal's reason when that comes first. */
export function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<T>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort))
}

/** The work's outcome; after `ms` it rejects with an error that names `what`. What is there at once is not waited for. */
export async function within<T>(ms: number, what: string, work: T | PromiseLike<T>): Promise<T> {
  if (!isPromiseLike(work)) return work
  const { promise, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms.`)), ms)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/**
 * Gives each value to `take`, one after the other. A `for await` would hold on to the last value while it waits for the next;
 * this does not, so an idle stream keeps nothing of what it said alive. `take` gives false to leave early.
 */
export async function forEach<T>(source: AsyncIterable<T>, take: (value: T) => unknown): Promise<void> {
  const values = source[Symbol.asyncIterator]()
  const step = async () => {
    const { done, value } = await values.next()
    return done !== true && (await take(value)) !== false
  }
  try {
    while (await step());
  } finally {
    await values.return?.()
  }
}

/**
 * A value that is made at its first use and shared from then on. A failure is not kept: the next use tries again. `made()` is
 * true from the first use on, except after a failure.
 */
export function once<T>(make: () => Promise<T>): (() => Promise<T>) & { made(): boolean } {
  let value: Promise<T> | undefined
  const get = () => {
    if (value !== undefined) return value
    const making = make()
    value = making
    making.catch(() => {
      value = undefined
    })
    return making
  }
  return Object.assign(get, { made: () => value !== undefined })
}

/** How long work goes on before others get their turn, in milliseconds. */
const TURN_MS = 10

/** Long pieces of work that wait for their turn, of all requests: the event loop that they share is one, too. */
const waiting: (() => void)[] = []

/**
 * Waits for a round of the event loop, of which each waiting piece of work gets one of its own: however many large requests
 * there are, a small one waits for one piece of one of them in each round.
 */
export function takeTurn(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (waiting.push(resolve) === 1) setImmediate(giveTurn)
  return promise
}

function giveTurn(): void {
  waiting.shift()?.()
  if (waiting.length > 0) setImmediate(giveTurn)
}

/** `values.map(work)`, which gives way to other work every few milliseconds when there is much to do, and at its end. */
export async function inTurns<T, R>(values: readonly T[], work: (value: T) => R): Promise<R[]> {
  const results: R[] = []
  let began = performance.now()
  for (let index = 0; index < values.length; index++) {
    results.push(work(values[index] as T))
    if (performance.now() - began < TURN_MS) continue
    await takeTurn()
    began = performance.now()
  }
  return results
}

const isPromiseLike = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function'
