/** Checks the options that bound what runs cost, and that every agent has a price. */
import type { ServedAgency } from '../agency/served.ts'
import { unpricedModel } from '../base/errors.ts'
import { refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { Runs } from '../runs/start.ts'
import type { CostBudgets } from '../runs/stored/costs.ts'
import { isObject } from '../wire/json.ts'

interface CostOptions {
  maxCost?: number | null | undefined
  budgets?: CostBudgets | undefined
}

/** @throws INVALID_OPTION */
export function checkCosts({ maxCost = null, budgets = {} }: CostOptions): void {
  if (maxCost !== null && !isAmount(maxCost)) throw invalidOption(`runs.maxCost ${NO_AMOUNT}, not ${maxCost}.`)
  refuseUnknown('runs.budgets', budgets, new Set(['thread', 'owner']))
  const { thread, owner } = budgets
  if (thread !== undefined && !isAmount(thread)) throw invalidOption(`runs.budgets.thread ${NO_AMOUNT}, not ${thread}.`)
  if (owner === undefined || isAmount(owner)) return
  if (!isObject(owner) || !isAmount(owner.usd) || !['day', 'month'].includes(owner.per))
    throw invalidOption(
      `runs.budgets.owner ${NO_AMOUNT}, or for each period: { usd: 20, per: 'month' }, or per: 'day'.`,
    )
}

const NO_AMOUNT = 'has to be a number of US dollars above 0'
const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value > 0 && value < Number.POSITIVE_INFINITY

/** @throws MODEL_NOT_PRICED for an agent that could never be asked within a bound on costs */
export async function checkPrices(
  { maxCost, budgets }: CostOptions = {},
  agencies: readonly ServedAgency[],
  { models, priceOf }: Runs,
): Promise<void> {
  if ([maxCost, budgets?.thread, budgets?.owner].every((bound) => bound == null)) return
  const { model } = await models.of()
  for (const { preview } of agencies)
    for (const agent of preview.agents) {
      const name = nameOf(() => model(agent.model, agent.name))
      if (name !== undefined && priceOf(name) === undefined) throw unpricedModel(name)
    }
}

/** The name that prices are looked up by; undefined where requests are to bring the key. */
function nameOf(find: () => { name: string }): string | undefined {
  try {
    return find().name
  } catch {
    return undefined // the check of models has passed: only a key is missing
  }
}
