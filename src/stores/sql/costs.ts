/** The ledger of costs: what was spent, and what is reserved for calls that go on. */
import type { Cost, Writes } from '../../runs/run-store.ts'
import { type Sql, select, type Transaction } from './database.ts'
import { lockClaimed } from './runs.ts'

/** Sums of doubles miss by less than this. */
const TOLERANCE_USD = 1e-9

const spend = (sql: Sql, scope: string, usd: number) =>
  sql.insert('costs', [{ scope, spent: usd }], 'ON CONFLICT (scope) DO UPDATE SET spent = costs.spent + excluded.spent')

export async function reserve(
  tx: Transaction,
  { claim, reservation, usd, bounds }: Writes['reserve']['change'],
): Promise<Writes['reserve']['answer']> {
  const run = await lockClaimed(tx, claim)
  const scopes = bounds.map(({ scope }) => scope)
  for (const scope of scopes.toSorted()) await spend(tx, scope, 0) // makes the row, and holds it until the commit
  const known = await tx.all('SELECT scope FROM reservations WHERE reservation = ?', reservation)
  if (known.length > 0) return { granted: true }
  const costs = await readCosts(tx, scopes)
  for (const [index, bound] of bounds.entries()) {
    const cost = costs[index] as Cost
    if (cost.spentUsd + cost.reservedUsd + usd > bound.limitUsd + TOLERANCE_USD)
      return { granted: false, full: { ...cost, ...bound } }
  }
  await tx.insert(
    'reservations',
    bounds.map(({ scope }) => ({ reservation, scope, run: run.number, usd })),
  )
  return { granted: true }
}

export async function settle(tx: Transaction, { reservation, usd }: Writes['settle']['change']): Promise<undefined> {
  const rows = await select<{ scope: string }>(
    tx,
    'DELETE FROM reservations WHERE reservation = ? RETURNING scope',
    reservation,
  )
  for (const { scope } of inOrder(rows)) await spend(tx, scope, usd)
}

/** Every transaction takes the rows of costs in one order, so that no two wait for each other. */
const inOrder = <Row extends { scope: string }>(rows: readonly Row[]): Row[] =>
  rows.toSorted((a, b) => (a.scope < b.scope ? -1 : 1))

/** What an attempt left behind may have been paid: it counts in full. */
export async function spendReservations(tx: Transaction, run: number): Promise<void> {
  const rows = await select<{ scope: string; usd: number }>(
    tx,
    'DELETE FROM reservations WHERE run = ? RETURNING scope, usd',
    run,
  )
  for (const { scope, usd } of inOrder(rows)) await spend(tx, scope, usd)
}

/** One cost a scope, in the order of the scopes. */
export async function readCosts(sql: Sql, scopes: readonly string[]): Promise<Cost[]> {
  const costs: Cost[] = []
  for (const scope of scopes) {
    const [row] = await select<{ spent: number; reserved: number }>(
      sql,
      `SELECT coalesce((SELECT spent FROM costs WHERE scope = ?), 0) AS spent,
        coalesce((SELECT sum(usd) FROM reservations WHERE scope = ?), 0) AS reserved`,
      scope,
      scope,
    )
    costs.push({ scope, spentUsd: row?.spent ?? 0, reservedUsd: row?.reserved ?? 0 })
  }
  return costs
}
