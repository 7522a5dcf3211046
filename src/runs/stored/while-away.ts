/** Patience with a store that is away. */
import { setTimeout as delay } from 'node:timers/promises'
import { AgencyError } from '../../base/errors.ts'

const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 1_000

export interface WhileAwayOptions {
  /** How long the call is repeated, in milliseconds. */
  storeMs: number
  /** No wait follows once it aborts; the call is tried one last time. */
  closing?: AbortSignal | undefined
  /** Read before each try: an error that ends the tries. */
  lost?: () => { error: unknown } | undefined
}

/**
 * Repeats a call while the store is away.
 * @throws what the call throws, at the end of that time also STORE_UNAVAILABLE; the error of `lost`
 */
export async function whileAway<T>(call: () => Promise<T>, { storeMs, closing, lost }: WhileAwayOptions): Promise<T> {
  const deadline = performance.now() + storeMs
  for (let wait = FIRST_RETRY_MS; ; wait = Math.min(2 * wait, LAST_RETRY_MS)) {
    const over = lost?.()
    if (over !== undefined) throw over.error
    try {
      return await call()
    } catch (error) {
      const away = AgencyError.isInstance(error) && error.code === 'STORE_UNAVAILABLE'
      if (!away || closing?.aborted || performance.now() + wait >= deadline) throw error
      await delay(wait, undefined, { signal: closing }).catch(() => {})
    }
  }
}
