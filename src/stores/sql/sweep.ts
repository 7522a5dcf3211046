/** What time does: runs become due, approvals expire, and events, runs, keys and unused texts are removed. */
import type { Writes } from '../../runs/run-store.ts'
import { first, readyOf, type Sql, select, type Transaction } from './database.ts'
import { removeForgotten } from './long-texts.ts'
import type { RunRow, ThreadRow } from './rows.ts'
import { forgetRun, removeWork, update } from './runs.ts'
import { removeSecrets } from './secrets.ts'
import { removeThread } from './threads.ts'
import { queueRun, resumeRun } from './transitions.ts'

const DEFAULT_ROWS = 2000

export async function sweep(tx: Transaction, request: Writes['sweep']['change']): Promise<Writes['sweep']['answer']> {
  const { now, eventsMs, runsMs, limit = DEFAULT_ROWS } = request
  const due = await queueDue(tx, now, limit)
  const expired = await expireApprovals(tx, now, limit)
  const keys = await removeKeys(tx, now, limit)
  const secrets = await removeSecrets(tx, now, limit)
  const texts = await removeForgotten(tx, now, limit)
  const old = 'SELECT number, run_id, last_event FROM runs WHERE ended_at <= ?'
  const forgotten = await select<RunRow>(tx, `${old} ORDER BY ended_at LIMIT ?`, now - runsMs, limit + 1)
  const runs = await upTo(limit, forgotten, (run) => forgetRun(tx, run))
  const untrimmed = await select<RunRow>(
    tx,
    `${old} AND trimmed = 0 ORDER BY ended_at LIMIT ?`,
    now - eventsMs,
    limit + 1,
  )
  const events = await upTo(limit, untrimmed, async (run) => {
    await removeWork(tx, run)
    await update(tx, run, { trimmed: 1 })
  })
  return { more: due || expired || keys || secrets || texts || runs || events, ...(await readNext(tx)), ...readyOf(tx) }
}

/** When time changes something next. */
async function readNext(sql: Sql): Promise<{ nextAt: number | null; nextWebhookAt: number | null }> {
  const min = async (column: string, from: string) =>
    (await first<{ next: number | null }>(sql, `SELECT min(${column}) AS next FROM ${from}`))?.next ?? null
  const expiry = await min('expires_at', `approvals WHERE status = 'pending'`)
  const start = await min('start_at', 'runs WHERE scheduled = 1')
  const nextAt = expiry === null || start === null ? (expiry ?? start) : Math.min(expiry, start)
  return { nextAt, nextWebhookAt: await min('next_at', `webhooks WHERE status = 'waiting'`) }
}

async function queueDue(tx: Transaction, now: number, limit: number): Promise<boolean> {
  const due = await select<Pick<RunRow, 'number' | 'thread'>>(
    tx,
    'SELECT number, thread FROM runs WHERE scheduled = 1 AND start_at <= ? ORDER BY start_at, number LIMIT ?',
    now,
    limit,
  )
  for (const run of due) await queueRun(tx, run, now)
  return due.length === limit
}

/** Does work for each run until about so many rows are gone; true when some are left. */
async function upTo(limit: number, runs: readonly RunRow[], work: (run: RunRow) => Promise<void>): Promise<boolean> {
  let rows = 0
  for (const run of runs) {
    if (rows >= limit) return true
    await work(run)
    rows += 1 + run.last_event
  }
  return false
}

async function expireApprovals(tx: Transaction, now: number, limit: number): Promise<boolean> {
  const expired = await select<{ run: number }>(
    tx,
    `SELECT run FROM approvals WHERE status = 'pending' AND expires_at <= ? ORDER BY number LIMIT ?`,
    now,
    limit,
  )
  for (const number of new Set(expired.map(({ run }) => run))) {
    // The run first, as a decision does: of the two the second finds what the first has done.
    const run = await first<RunRow>(tx, `SELECT * FROM runs WHERE number = ?${tx.lock}`, number)
    const approvals = `run = ? AND status = 'pending' AND expires_at <= ?`
    await tx.all(`UPDATE approvals SET status = 'expired', decided_at = ? WHERE ${approvals}`, now, number, now)
    if (run !== undefined) await resumeRun(tx, run)
  }
  return expired.length === limit
}

async function removeKeys(sql: Sql, now: number, limit: number): Promise<boolean> {
  const removed = await sql.all(
    `DELETE FROM idempotency WHERE (agency, owner, idempotency_key) IN
      (SELECT agency, owner, idempotency_key FROM idempotency WHERE expires_at <= ? LIMIT ?) RETURNING 1`,
    now,
    limit,
  )
  return removed.length === limit
}

/** How much a store keeps that lives in memory. */
export interface Capacity {
  endedRuns: number
  endedMs: number
  idleThreads: number
}

/** Forgets the oldest ended runs, and the threads that were idle for longest. */
export async function makeRoom(
  tx: Transaction,
  { endedRuns, endedMs, idleThreads }: Capacity,
  now: number,
): Promise<void> {
  await sweep(tx, { now, eventsMs: endedMs, runsMs: endedMs })
  const runs = 'SELECT number, run_id FROM runs WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT -1 OFFSET ?'
  for (const run of await select<RunRow>(tx, runs, endedRuns)) await forgetRun(tx, run)
  const threads = 'SELECT * FROM threads WHERE idle_since IS NOT NULL ORDER BY idle_since DESC LIMIT -1 OFFSET ?'
  for (const thread of await select<ThreadRow>(tx, threads, idleThreads)) await removeThread(tx, thread)
}
