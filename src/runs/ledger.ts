/** Keeps what a run spends on model calls below its bounds: a call reserves its worst case, and then pays what it has cost. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CostRefusal, costLimit, unpricedModel } from '../base/errors.ts'
import type { Model, ResponseUsage, TurnRequest } from '../models/model.ts'
import type { PriceList } from '../models/pricing/prices.ts'
import { type WorstCase, worstCaseOf } from '../models/pricing/worst-case.ts'
import { isUnbilled } from '../models/retry.ts'
import { readTokens, UNASKED_USAGE } from '../models/usage.ts'
import type { ClientConfig } from '../wire/requests.ts'
import type { Cost, CostBound } from './run-store.ts'

/** A bound, and what it is the bound of. */
export interface LedgerBound extends CostBound {
  of: CostRefusal['of']
}

/** Where costs are kept. */
export interface CostAccount {
  /** Reserves against every bound, or against none; `full` is the first bound that has no room. */
  reserve(
    reservation: string,
    usd: number,
    bounds: readonly LedgerBound[],
  ): Promise<{ granted: true } | { granted: false; full: Cost & CostBound }>
  /** Replaces a reservation by what the call has cost. Repeating it changes nothing. */
  settle(reservation: string, usd: number): Promise<void>
}

export interface LedgerOptions extends PriceList {
  account: CostAccount
  bounds: readonly LedgerBound[]
  /** Of the request: its fields may raise what a call costs, and its address may report any usage. */
  clientConfig: ClientConfig | null | undefined
  /** How long a call waits for others to give back what they have reserved, in milliseconds. @default 60000 */
  roomWaitMs?: number
}

/** One model call of a run with a ledger. */
export interface PaidCall {
  ledger: Ledger | undefined
  model: Model
  request: TurnRequest
  signal: AbortSignal
}

/** What is known of the use of a call that is over; `unknown` when parts of it were heard and not its usage. */
export type Used = ResponseUsage | 'unknown' | null | undefined

/**
 * Makes a model call within the bounds of its run; without a ledger it is just made.
 * @param make gets the request to send
 * @param used asked once the call is over, whether it answered or failed
 * @throws COST_LIMIT, UNPRICED_MODEL before the call is made; what `make` throws
 */
export async function payFor<T>(
  { ledger, model, request, signal }: PaidCall,
  make: (request: TurnRequest) => Promise<T>,
  used: () => Used,
): Promise<T> {
  if (ledger === undefined) return make(request)
  const reservation = await ledger.reserve(model, request, signal)
  let failure: unknown
  try {
    return await make(reservation.request)
  } catch (error) {
    failure = error
    throw error
  } finally {
    await reservation.settle(used(), failure)
  }
}

const ROOM_WAIT_MS = 60_000
const FIRST_WAIT_MS = 10
const LAST_WAIT_MS = 500
/** Sums of doubles miss by less than this. */
const TOLERANCE_USD = 1e-9

/** The bounds of one run, which all its agents share. */
export class Ledger {
  readonly #options: LedgerOptions
  /** Why a call was refused: then no other is made, and what goes on may finish. */
  #refusal: Error | undefined

  constructor(options: LedgerOptions) {
    this.#options = options
  }

  /** @throws COST_LIMIT, UNPRICED_MODEL; the signal's reason after an abort */
  async reserve(model: Model, request: TurnRequest, signal: AbortSignal): Promise<Reservation> {
    if (this.#refusal !== undefined) throw this.#refusal
    const { priceOf, clientConfig } = this.#options
    const price = priceOf(model.name)
    if (price === undefined) throw unpricedModel(model.name)
    const extraArgs = clientConfig?.model_settings_extra_args
    const worst = worstCaseOf({ request, price, provider: model.provider, extraArgs })
    const id = await this.#take(worst, signal)
    return new Reservation({ ...this.#options, worst, id, model: model.name, again: () => this.#take(worst, signal) })
  }

  /** Reserves, and waits while only reservations of other calls stand in the way. Gives the id; undefined for a free call. */
  async #take(worst: WorstCase, signal: AbortSignal): Promise<string | undefined> {
    const { account, bounds, roomWaitMs = ROOM_WAIT_MS } = this.#options
    if (worst.usd === 0) return undefined
    const id = randomUUID()
    const latest = performance.now() + roomWaitMs
    for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, LAST_WAIT_MS)) {
      signal.throwIfAborted()
      const answer = await account.reserve(id, worst.usd, bounds)
      if (answer.granted) return this.#keepUnlessAborted(id, signal)
      const { full } = answer
      if (this.#refusal !== undefined) throw this.#refusal
      if (full.spentUsd + worst.usd > full.limitUsd + TOLERANCE_USD || performance.now() > latest)
        throw this.#refuse(full, worst)
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }

  async #keepUnlessAborted(id: string, signal: AbortSignal): Promise<string> {
    if (signal.aborted) await this.#options.account.settle(id, 0)
    signal.throwIfAborted()
    return id
  }

  #refuse({ scope, ...full }: Cost & CostBound, worst: WorstCase): Error {
    const of = this.#options.bounds.find((bound) => bound.scope === scope)?.of ?? 'run'
    this.#refusal = costLimit({ of, ...full, worst })
    return this.#refusal
  }
}

interface ReservationOptions extends LedgerOptions {
  worst: WorstCase
  id: string | undefined
  model: string
  /** Reserves the same once more. */
  again: () => Promise<string | undefined>
}

/** What one model call has reserved. */
class Reservation {
  readonly request: TurnRequest
  readonly #options: ReservationOptions
  #id: string | undefined

  constructor(options: ReservationOptions) {
    const { worst, id, again, account } = options
    this.#options = options
    this.#id = id
    if (id === undefined) {
      this.request = worst.request
      return
    }
    const onRetry = async (error: unknown) => {
      if (isUnbilled(error)) return
      // Nobody knows whether the attempt is charged: it counts in full, and the next one reserves anew.
      await account.settle(this.#id as string, worst.usd)
      this.#id = undefined
      this.#id = await again()
    }
    this.request = { ...worst.request, onRetry }
  }

  /** @param failure what the call failed with, if it did */
  async settle(used: Used, failure: unknown): Promise<void> {
    if (this.#id !== undefined) await this.#options.account.settle(this.#id, this.#costOf(used, failure))
  }

  /** In US dollars. What nobody reports counts in full. */
  #costOf(used: Used, failure: unknown): number {
    const { worst, price, model, clientConfig } = this.#options
    if (used === 'unknown') return worst.usd
    if (used === UNASKED_USAGE) return 0
    const tokens = readTokens(used)
    // An address that a caller named must not use up the budget of others with numbers of its own.
    const mostUsd = clientConfig?.base_url == null ? Number.POSITIVE_INFINITY : worst.usd
    if (tokens.input + tokens.output > 0) return Math.min(mostUsd, price(model, tokens))
    return failure !== undefined && isUnbilled(failure) ? 0 : worst.usd
  }
}

/** Keeps the costs of one run in memory. */
export function createMemoryAccount(): CostAccount {
  const reserved = new Map<string, { usd: number; scopes: readonly string[] }>()
  const spent = new Map<string, number>()
  const costOf = (scope: string): Cost => {
    const open = [...reserved.values()].filter(({ scopes }) => scopes.includes(scope))
    return { scope, spentUsd: spent.get(scope) ?? 0, reservedUsd: open.reduce((sum, { usd }) => sum + usd, 0) }
  }
  return {
    async reserve(id, usd, bounds) {
      for (const bound of bounds) {
        const cost = costOf(bound.scope)
        if (cost.spentUsd + cost.reservedUsd + usd > bound.limitUsd + TOLERANCE_USD)
          return { granted: false, full: { ...cost, ...bound } }
      }
      reserved.set(id, { usd, scopes: bounds.map(({ scope }) => scope) })
      return { granted: true }
    },
    async settle(id, usd) {
      for (const scope of reserved.get(id)?.scopes ?? []) spent.set(scope, (spent.get(scope) ?? 0) + usd)
      reserved.delete(id)
    },
  }
}
