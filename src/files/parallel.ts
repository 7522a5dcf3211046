/**
 * Does the work of every item, at most `limit` at a time. The first failure aborts what still runs; it is thrown when all of
 * it has ended, so that nothing goes on behind the caller's back.
 * @returns the results in the order of the items
 */
export function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  return linked(signal, async (stop) => {
    const results = new Array<R>(items.length)
    let next = 0
    const lane = async () => {
      while (next < items.length && !stop.signal.aborted) {
        const index = next++
        results[index] = await work(items[index] as T, stop.signal)
      }
    }
    const lanes = Array.from({ length: Math.min(Math.max(1, limit), items.length) }, lane)
    await Promise.all(lanes.map((ended) => ended.catch((error) => stop.abort(error))))
    stop.signal.throwIfAborted()
    return results
  })
}

/** Does work that is aborted with `late()` after `ms` milliseconds. */
export function within<T>(
  ms: number,
  late: () => Error,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return linked(signal, async (stop) => {
    const timer = setTimeout(() => stop.abort(late()), ms)
    return work(stop.signal).finally(() => clearTimeout(timer))
  })
}

/** Work with an abort of its own that the outer signal sets off too. */
async function linked<T>(signal: AbortSignal, work: (stop: AbortController) => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await work(stop)
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
