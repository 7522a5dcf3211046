/** Timeouts and aborts for work that cannot be stopped, only abandoned; values that are made once. */

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
 * this does not, so an idle stream keeps none of its values in memory. `take` gives false to leave early.
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

/** How long work goes on before others get a turn, in milliseconds. */
const TURN_MS = 10

/** Work that waits for a turn. The lists are shared by all requests, as the event loop is. */
const waiting = { first: [] as (() => void)[], further: [] as (() => void)[] }
let isGiving = false

/**
 * Waits for a round of the event loop. Each round runs one piece of work that waits for its first turn and one that has had
 * turns. So a small request never waits for more than two pieces of large ones, however many of those there are, and work that
 * needs one turn does not queue behind work that needs hundreds.
 */
export function takeTurn(turn: 'first' | 'further' = 'first'): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  waiting[turn].push(resolve)
  if (!isGiving) setImmediate(giveTurns)
  isGiving = true
  return promise
}

function giveTurns(): void {
  waiting.first.shift()?.()
  waiting.further.shift()?.()
  isGiving = waiting.first.length + waiting.further.length > 0
  if (isGiving) setImmediate(giveTurns)
}

/** Splits long work into turns: call `step()` after each small piece, and await it when it returns a promise. */
export class Pace {
  #began = performance.now()
  #turn: 'first' | 'further' = 'first'

  /** Undefined while the turn may go on; otherwise a promise that resolves when the next turn begins. */
  step(): Promise<void> | undefined {
    return performance.now() - this.#began < TURN_MS ? undefined : this.#next()
  }

  /** A turn begins now. */
  begin(): void {
    this.#began = performance.now()
  }

  async #next(): Promise<void> {
    const turn = this.#turn
    this.#turn = 'further'
    await takeTurn(turn)
    this.begin()
  }
}

/** `values.map(work)`, with a turn for other work every few milliseconds. */
export async function inTurns<T, R>(values: readonly T[], work: (value: T) => R): Promise<R[]> {
  const results: R[] = []
  const pace = new Pace()
  for (let index = 0; index < values.length; index++) {
    results.push(work(values[index] as T))
    const next = pace.step()
    if (next !== undefined) await next
  }
  return results
}

/** Lists from here on are worked through in pieces. */
const LONG_LIST = 1_024

/**
 * Runs work that is written as a generator, which yields where it may be interrupted. Work on a short list runs through at once;
 * work on a long one gives way to other work whenever its turn is over.
 * @param length of the list that the work is about
 */
export function inPieces<T>(length: number, work: Generator<undefined, T>): T | Promise<T> {
  return length >= LONG_LIST ? giveWay(work) : inFull(work)
}

/** Runs work that is written as a generator through at once. */
export function inFull<T>(work: Generator<undefined, T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

async function giveWay<T>(work: Generator<undefined, T>): Promise<T> {
  const pace = new Pace()
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    const next = pace.step()
    if (next !== undefined) await next
  }
}

/** Gives each value to `take`, and yields after every few hundred: one step of work for `inPieces`. */
export function* eachOf<T>(values: readonly T[], take: (value: T, index: number) => void): Generator<undefined, void> {
  for (let index = 0; index < values.length; index++) {
    take(values[index] as T, index)
    if ((index & 511) === 511) yield
  }
}

const isPromiseLike = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function'
