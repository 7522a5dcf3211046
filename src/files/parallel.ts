/** Parallel work with a limit, and work with a time limit. */
/**
 * Runs `work` for every item, at most `limit` at a time. The first failure aborts the rest, and is thrown when all work has ended,
 * so that nothing continues in the background.
 * @returns the results in the order of the items
 */
export function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  return withController(signal, async (stop) => {
    const results = new Array<R>(items.length)
    let next = 0
    const worker = async () => {
      while (next < items.length && !stop.signal.aborted) {
        const index = next++
        results[index] = await work(items[index] as T, stop.signal)
      }
    }
    const workers = Array.from({ length: Math.min(Math.max(1, limit), items.length) }, worker)
    await Promise.all(workers.map((ended) => ended.catch((error) => stop.abort(error))))
    stop.signal.throwIfAborted()
    return results
  })
}

/** Runs `work` and aborts it with the error of `late()` after `ms` milliseconds. */
export function withTimeout<T>(
  ms: number,
  late: () => Error,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withController(signal, async (stop) => {
    const timer = setTimeout(() => stop.abort(late()), ms)
    return work(stop.signal).finally(() => clearTimeout(timer))
  })
}

/** Runs `work` with its own AbortController, which the outer signal aborts, too. */
async function withController<T>(signal: AbortSignal, work: (stop: AbortController) => Promise<T>): Promise<T> {
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
