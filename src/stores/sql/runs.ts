/** One run's row: found, locked, changed, and its events. */
import { fenced, notFound } from '../../base/errors.ts'
import { type Claim, type RunId, runScope } from '../../runs/run-store.ts'
import { first, type Sql, select, type Transaction, type Value } from './database.ts'
import { endOf, removeTexts, workOf } from './long-texts.ts'
import type { RunRow } from './rows.ts'

/** The run of that owner. @throws NOT_FOUND */
export async function findRun(sql: Sql, { runId, agency, owner }: RunId): Promise<RunRow> {
  const run = await first<RunRow>(
    sql,
    `SELECT * FROM runs WHERE run_id = ? AND agency = ? AND owner = ?${sql.lock}`,
    runId,
    agency,
    owner,
  )
  if (run === undefined) throw notFound('run')
  return run
}

/** Changes columns of a run, also of the row at hand. */
export async function update(tx: Transaction, run: RunRow, columns: Partial<RunRow>): Promise<void> {
  const names = Object.keys(columns)
  const values = Object.values(columns) as Value[]
  Object.assign(run, columns)
  const isState = names.some((name) => name !== 'last_event' && name !== 'worked_at')
  tx.changed.set(run.run_id, tx.changed.get(run.run_id) === true || isState)
  await tx.all(
    `UPDATE runs SET ${names.map((name) => `${name} = ?`).join(', ')} WHERE number = ?`,
    ...values,
    run.number,
  )
}

/** Changes what watchers see of a run. */
export const change = (tx: Transaction, run: RunRow, columns: Partial<RunRow>): Promise<void> =>
  update(tx, run, { ...columns, version: run.version + 1 })

/** Makes a run claimable. @param job that its row names already. Default: it gets a new one where there are jobs */
export function free(tx: Transaction, run: RunRow, job: string | null = null): void {
  tx.ready.add(run.run_id)
  tx.freed.set(run.run_id, job)
}

/**
 * Locks the thread of a run before the run itself: every change that may end a run or writes messages does so, as admission does. In another order two
 * transactions would wait for each other.
 */
export async function lockThreadOf(sql: Sql, runId: string): Promise<void> {
  if (sql.lock === '') return
  await sql.all(
    `SELECT number FROM threads WHERE number = (SELECT thread FROM runs WHERE run_id = ?)${sql.lock}`,
    runId,
  )
}

/** The run of a claim. @throws FENCED when a later claim has begun, or this one has left the run */
export async function lockClaimed(tx: Transaction, claim: Claim): Promise<RunRow> {
  const run = await lockFenced(tx, claim)
  if (run.worker === null) throw fenced(claim.runId)
  return run
}

/** The run of a claim, which may have left it. @throws FENCED when a later claim has begun */
export async function lockFenced(tx: Transaction, { runId, fence }: Claim): Promise<RunRow> {
  const run = await first<RunRow>(tx, `SELECT * FROM runs WHERE run_id = ?${tx.lock}`, runId)
  if (run === undefined || run.fence !== fence) throw fenced(runId)
  return run
}

/** The live runs of a thread whose time has come, in order: the first is the active one. */
export const liveRuns = (sql: Sql, thread: number): Promise<RunRow[]> =>
  select<RunRow>(
    sql,
    `SELECT * FROM runs WHERE thread = ? AND ended_at IS NULL AND scheduled = 0
      ORDER BY coalesce(place, 0)${sql.lock}`,
    thread,
  )

/** A live run of a thread, be it that its time has not come. */
export const findLive = (sql: Sql, thread: number): Promise<{ run_id: string } | undefined> =>
  first(sql, 'SELECT run_id FROM runs WHERE thread = ? AND ended_at IS NULL ORDER BY scheduled, number LIMIT 1', thread)

/** Removes the events and the trace of a run and what it stored of its work. */
export async function removeWork(tx: Transaction, run: Pick<RunRow, 'number' | 'run_id'>): Promise<void> {
  for (const table of ['events', 'traces', 'items', 'calls', 'conversations', 'plans', 'steers'])
    await tx.all(`DELETE FROM ${table} WHERE run = ?`, run.number)
  await removeTexts(tx, workOf(run.run_id))
}

/** Removes an ended run; its messages stay in the thread. */
export async function forgetRun(tx: Transaction, run: Pick<RunRow, 'number' | 'run_id'>): Promise<void> {
  tx.changed.set(run.run_id, true)
  await removeWork(tx, run)
  await removeTexts(tx, endOf(run.run_id))
  for (const table of ['approvals', 'webhooks']) await tx.all(`DELETE FROM ${table} WHERE run = ?`, run.number)
  await tx.all('DELETE FROM costs WHERE scope = ?', runScope(run.run_id))
  await tx.all('DELETE FROM runs WHERE number = ?', run.number)
}
