/** What stored runs may cost: the bounds of a run, and the account of them in the store. */
import type { PriceList } from '../../models/pricing/prices.ts'
import { type CostAccount, Ledger, type LedgerBound, type LedgerOptions } from '../ledger.ts'
import { type Claim, ownerScope, type RunRecord, type RunStore, runScope, threadScope } from '../run-store.ts'
import { whileAway } from './while-away.ts'

/** What all runs of a thread, and of an owner within an agency, may cost together. */
export interface CostBudgets {
  /** US dollars for a thread, as long as it exists. Default: no bound. */
  thread?: number | undefined
  /**
   * US dollars for an owner within one agency: for ever, or for each day or month in UTC. A run counts in the period in which
   * a worker took it up. Default: no bound.
   */
  owner?: number | PeriodBudget | undefined
}

export interface PeriodBudget {
  usd: number
  per: 'day' | 'month'
}

/** @param maxCost US dollars for the run itself; null for no bound */
export function boundsOf(run: RunRecord, maxCost: number | null, budgets: CostBudgets, now: number): LedgerBound[] {
  const { runId, threadId } = run
  const { thread, owner } = budgets
  const bounds: LedgerBound[] = []
  if (maxCost !== null) bounds.push({ of: 'run', scope: runScope(runId), limitUsd: maxCost })
  if (thread !== undefined && threadId !== null)
    bounds.push({ of: 'thread', scope: threadScope({ ...run, threadId }), limitUsd: thread })
  if (typeof owner === 'number') bounds.push({ of: 'owner', scope: ownerScope(run), limitUsd: owner })
  else if (owner !== undefined)
    bounds.push({ of: 'owner', scope: ownerScope(run, periodOf(owner, now)), limitUsd: owner.usd })
  return bounds
}

/** The day or month of a time, such as `2026-11`. */
const periodOf = ({ per }: PeriodBudget, now: number): string =>
  new Date(now).toISOString().slice(0, per === 'month' ? 'yyyy-mm'.length : 'yyyy-mm-dd'.length)

export interface StoredAccountOptions {
  store: RunStore
  claim: Claim
  /** How long a call of the store is repeated while it is away, in milliseconds. */
  storeMs: number
  /** Called when the run was lost: it belongs to another claim, or the store is away for good. */
  onLost: (error: unknown) => void
}

/** The ledger of one attempt; undefined for a run without bounds, which writes nothing about costs. */
export function createRunLedger(
  prices: PriceList,
  account: StoredAccountOptions,
  { bounds, clientConfig }: Pick<LedgerOptions, 'bounds' | 'clientConfig'>,
): Ledger | undefined {
  if (bounds.length === 0) return undefined
  const { price, priceOf } = prices
  return new Ledger({ price, priceOf, account: createStoredAccount(account), bounds, clientConfig })
}

/** Reservations of one attempt. Those that it leaves behind count as spent. */
function createStoredAccount({ store, claim, storeMs, onLost }: StoredAccountOptions): CostAccount {
  return {
    async reserve(reservation, usd, bounds) {
      const change = { claim, reservation, usd, bounds: bounds.map(({ scope, limitUsd }) => ({ scope, limitUsd })) }
      try {
        return await whileAway(() => store.write({ kind: 'reserve', ...change }), { storeMs })
      } catch (error) {
        onLost(error)
        throw error
      }
    },
    async settle(reservation, usd) {
      // Without this write the reservation stays, and counts in full at the end of the attempt.
      await whileAway(() => store.write({ kind: 'settle', reservation, usd }), { storeMs }).catch(() => {})
    },
  }
}
