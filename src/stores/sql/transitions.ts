/** The changes of a run's state: its place in the thread, its stop, its end. */
import type { CancelMode, DescribeStop, EndStatus, Leaving, StoredEvent } from '../../runs/run-store.ts'
import type { JsonObject } from '../../wire/json.ts'
import { spendReservations } from './costs.ts'
import { encode, first, type Sql, select, type Transaction } from './database.ts'
import { addEvents, insertEvents } from './events.ts'
import { endOf, toColumn } from './long-texts.ts'
import { type ApprovalRow, decidedEvent, endedEvent, queuedEvent, type RunRow, toRun } from './rows.ts'
import { change, findLive, free, liveRuns, update } from './runs.ts'
import { readWork } from './snapshot.ts'
import { dropSteers } from './steers.ts'
import { putMessages, removeMessages } from './threads.ts'
import { addWebhooks } from './webhooks.ts'

/** Gives each waiting run of a thread its place; the first live one becomes claimable. */
async function moveUp(tx: Transaction, thread: number, now: number): Promise<void> {
  // First, because it locks the thread: a run that is admitted meanwhile would never move up.
  await tx.all('UPDATE threads SET updated_at = ? WHERE number = ?', now, thread)
  const live = await liveRuns(tx, thread)
  if ((await findLive(tx, thread)) === undefined)
    await tx.all('UPDATE threads SET idle_since = ? WHERE number = ?', now, thread)
  for (const [index, run] of live.entries()) {
    const place = index === 0 ? null : index
    if (run.place === place) continue
    await change(tx, run, { place })
    if (place === null) free(tx, run)
    else await addEvents(tx, run, [queuedEvent(place)])
  }
}

/** The time of a scheduled run has come: it goes behind the other live runs of its thread, or can be claimed. */
export async function queueRun(
  tx: Transaction,
  { number, thread }: Pick<RunRow, 'number' | 'thread'>,
  now: number,
): Promise<void> {
  // First, because it locks the thread, as every admission and every end does.
  if (thread !== null) await tx.all('UPDATE threads SET updated_at = ? WHERE number = ?', now, thread)
  const run = await first<RunRow>(tx, `SELECT * FROM runs WHERE number = ? AND scheduled = 1${tx.lock}`, number)
  if (run === undefined) return // cancelled, or queued by another process
  const place = await nextPlace(tx, thread)
  await change(tx, run, { scheduled: 0, place })
  if (place === null) free(tx, run)
  else await addEvents(tx, run, [queuedEvent(place)])
}

/** The place behind the live runs of a thread; null for the first, and without a thread. */
export async function nextPlace(sql: Sql, thread: number | null): Promise<number | null> {
  return (thread === null ? 0 : (await liveRuns(sql, thread)).length) || null
}

export interface Ending {
  status: EndStatus
  outcome?: JsonObject | null | undefined
  error?: (Leaving & { kind: 'end' })['error']
  incompleteReason?: string | null | undefined
  receipt?: JsonObject | null | undefined
  /** Events before the last one. */
  events?: readonly string[] | undefined
  /** Number of the first of them. Default: the next one. */
  firstEvent?: number | undefined
}

/** Ends a live run. The only way into a final state. Gives the events of messages that no agent has taken. */
export async function endRun(tx: Transaction, run: RunRow, ending: Ending, now: number): Promise<StoredEvent[]> {
  const rolledBack = run.rollback === 1 && run.thread !== null
  if (rolledBack) await removeMessages(tx, run, 0)
  const notTaken = await dropSteers(tx, run, now)
  const events = [...(ending.events ?? []), ...notTaken, endedEvent(ending.status)]
  await change(tx, run, {
    last_event: await insertEvents(tx, run, events, ending.firstEvent),
    status: ending.status,
    place: null,
    scheduled: 0,
    worker: null,
    ended_at: now,
    outcome: ending.outcome == null ? null : await toColumn(tx, endOf(run.run_id), ending.outcome),
    error: encode(ending.error),
    incomplete_reason: ending.incompleteReason ?? null,
    receipt: encode(ending.receipt),
    rolled_back: rolledBack ? 1 : 0,
    pauses: null,
  })
  await tx.all(
    `UPDATE approvals SET status = 'cancelled', decided_at = ? WHERE run = ? AND status = 'pending'`,
    now,
    run.number,
  )
  await tx.all('UPDATE plans SET sealed = NULL WHERE run = ? AND sealed IS NOT NULL', run.number)
  await spendReservations(tx, run.number)
  await addWebhooks(tx, run, now)
  if (run.thread !== null) await moveUp(tx, run.thread, now)
  const first = run.last_event - notTaken.length
  return notTaken.map((event, index) => ({ number: first + index, attempt: run.attempt, event }))
}

export interface Stop {
  mode: CancelMode
  now: number
  rollback?: boolean
  describeStop?: DescribeStop | undefined
}

/** Asks the worker of a live run to stop it; without a worker the run is cancelled here. */
export async function stopRun(tx: Transaction, run: RunRow, stop: Stop): Promise<void> {
  const { mode, now, rollback, describeStop } = stop
  if (rollback) await update(tx, run, { rollback: 1 })
  if (run.wish !== 'immediate' && run.wish !== mode) await change(tx, run, { wish: mode })
  if (run.worker !== null) return
  const stopped = describeStop?.(await toRun(tx, run), await readWork(tx, run))
  const list = run.first_message === null ? undefined : stopped?.messages
  if (list !== undefined && run.thread !== null) await putMessages(tx, run, { from: 0, list }, now)
  await endRun(tx, run, { ...stopped, status: 'cancelled' }, now)
}

/** After a decision or an expiry: a paused run whose last approval is decided becomes claimable again. */
export async function resumeRun(tx: Transaction, run: RunRow): Promise<void> {
  if (run.worker === null) await tellDecisions(tx, run, run.status === 'requires_action')
  const pending = await isPending(tx, run)
  if (run.status !== 'requires_action' || pending) return change(tx, run, {})
  await change(tx, run, { status: 'queued', resumes: 1 })
  free(tx, run)
}

/** Adds an event for each decision that has none yet. Not while a worker has the run: then the worker numbers its events. */
export async function tellDecisions(tx: Transaction, run: RunRow, paused = false): Promise<void> {
  const decided = await select<ApprovalRow>(
    tx,
    `SELECT * FROM approvals WHERE run = ? AND told = 0 AND status IN ('approved', 'rejected', 'expired') ORDER BY number`,
    run.number,
  )
  if (decided.length === 0) return
  await addEvents(
    tx,
    run,
    decided.map((approval) => decidedEvent(approval, paused)),
  )
  await tx.all(`UPDATE approvals SET told = 1 WHERE run = ? AND status <> 'pending'`, run.number)
}

/** True while an approval of the run is undecided. */
export const isPending = async (sql: Sql, run: RunRow): Promise<boolean> =>
  (await first(sql, `SELECT 1 AS one FROM approvals WHERE run = ? AND status = 'pending' LIMIT 1`, run.number)) !==
  undefined
