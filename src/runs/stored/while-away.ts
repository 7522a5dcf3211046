/** Patience with a store that is away. */
import { setTimeout as delay } from 'node:timers/promises'
import { AgencyError } from '../../base/errors.ts'

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1_000

/**
 * Repeats a call while the store is away.
 * @param storeMs how long, in milliseconds
 * @param closing ends the patience when it aborts, after one last try
 * @throws what the call throws, at the end of that time also STORE_UNAVAILABLE
 */
export async function whileAway<T>(
  call: () => Promise<T>,
  { storeMs, closing }: { storeMs: number; closing?: AbortSignal | undefined },
): Promise<T> {
  const deadline = performance.now() + storeMs
  for (let wait = FIRST_RETRY_MS; ; wait = Math.min(2 * wait, LAST_RETRY_MS)) {
    try {
      return await call()
    } catch (error) {
      const away = AgencyError.isInstance(error) && error.code === 'STORE_UNAVAILABLE'
      if (!away || closing?.aborted || performance.now() + wait >= deadline) throw error
      await delay(wait, undefined, { signal: closing }).catch(() => {})
    }
  }
}
