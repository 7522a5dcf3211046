/** What other processes want of a run that is worked on here. */
import { setTimeout as delay } from 'node:timers/promises'
import { fenced } from '../../base/errors.ts'
import type { RunStore } from '../run-store.ts'
import type { Attempt } from './attempt.ts'

/** How long to wait for a store that is away, in milliseconds. */
const RETRY_MS = 1_000

/** Passes on what somebody asks of a run, and stops it when another process has taken it over, until the returned function is called. */
export function followWishes(store: RunStore, attempt: Attempt): () => void {
  const over = new AbortController()
  void follow(store, attempt, over.signal)
  return () => over.abort()
}

/** Never rejects. */
async function follow(store: RunStore, attempt: Attempt, signal: AbortSignal): Promise<void> {
  const { agency, owner, runId } = attempt
  while (!signal.aborted) {
    try {
      const news = store.watch({ agency, owner, runId, after: Number.POSITIVE_INFINITY, signal })
      for await (const { state } of news) {
        void attempt.learn(state)
        if (state.wish !== null) attempt.stop(state.wish)
        if (state.attempt > attempt.number) attempt.log.lose(fenced(runId))
      }
      return
    } catch {
      await delay(RETRY_MS, undefined, { signal }).catch(() => {}) // its own writes tell the same
    }
  }
}
