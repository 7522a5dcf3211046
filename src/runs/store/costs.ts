/** Costs that are bounded: what they are named, and what is known of one. */
import type { Owned, ThreadId } from './records.ts'

/**
 * Names of costs that are bounded. A run's is forgotten with the run, a thread's with the thread, an owner's never; an owner may
 * have one for each period.
 */
export const runScope = (runId: string): string => JSON.stringify(['run', runId])
export const threadScope = ({ agency, owner, threadId }: ThreadId): string =>
  JSON.stringify(['thread', agency, owner, threadId])
export const ownerScope = ({ agency, owner }: Owned, period?: string): string =>
  JSON.stringify(['owner', agency, owner, ...(period === undefined ? [] : [period])])

/** How much may be spent under one scope, by all runs that name it. */
export interface CostBound {
  scope: string
  limitUsd: number
}
export interface Cost {
  scope: string
  spentUsd: number
  reservedUsd: number
}
