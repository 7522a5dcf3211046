/** Waiting for work of others with an end of our own. What they do afterwards is not looked at any more. */

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

const isPromiseLike = <T>(value: T | PromiseLike<T>): value is PromiseLike<T> =>
  typeof (value as PromiseLike<T> | undefined)?.then === 'function'
