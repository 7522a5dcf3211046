/** How a run is accepted: idempotency, its thread, its place there. */
import {
  idempotencyMismatch,
  notFound,
  runBacklogFull,
  scheduledRunsFull,
  threadBusy,
  threadQueueFull,
} from '../../base/errors.ts'
import type { Admitted, Idempotency, NewRun, Owned } from '../../runs/run-store.ts'
import { first, nextNumber, readyOf, type Sql, type Transaction } from './database.ts'
import { insertEvents } from './events.ts'
import { toColumn, workOf } from './long-texts.ts'
import { queuedEvent, type RunRow, type ThreadRow, toRun } from './rows.ts'
import { findRun, free, liveRuns } from './runs.ts'
import { advanceSchedule } from './schedules.ts'
import { findThread, insertThread } from './threads.ts'
import { nextPlace, stopRun } from './transitions.ts'

export async function admit(tx: Transaction, request: NewRun): Promise<Admitted> {
  const earlier = (await useKey(tx, request, request.runId)) ?? (await admittedRun(tx, request.runId))
  if (earlier !== undefined) return replay(tx, request, earlier)
  const thread = await openThread(tx, request)
  const scheduled = request.startAt != null && request.startAt > request.now
  if (thread !== undefined && !scheduled) await makeWay(tx, thread, request)
  await checkBacklog(tx, request.limits, scheduled)
  const run = await addRun(tx, request, { thread, scheduled })
  if (request.schedule != null) await advanceSchedule(tx, { ...request, ...request.schedule })
  return answer(tx, run)
}

/** @throws OVERLOADED */
async function checkBacklog(
  sql: Sql,
  { queuedRuns, scheduledRuns }: NewRun['limits'],
  scheduled: boolean,
): Promise<void> {
  const statement = `SELECT count(*) AS count FROM runs WHERE status = 'queued' AND scheduled = ?`
  const { count } = (await first<{ count: number }>(sql, statement, scheduled ? 1 : 0)) ?? { count: 0 }
  if (scheduled && count >= scheduledRuns) throw scheduledRunsFull(scheduledRuns)
  if (!scheduled && count >= queuedRuns) throw runBacklogFull(queuedRuns)
}

/**
 * Takes an idempotency key for what this transaction does.
 * @returns what the key was used for before; undefined when it was not, or there is no key
 * @throws IDEMPOTENCY_MISMATCH
 */
export async function useKey(
  tx: Transaction,
  { agency, owner, now, idempotency }: Owned & { now: number; idempotency?: Idempotency | null },
  subject: string,
): Promise<string | undefined> {
  if (idempotency == null) return undefined
  const { key, hash, expiresAt } = idempotency
  await tx.all(
    'DELETE FROM idempotency WHERE agency = ? AND owner = ? AND idempotency_key = ? AND expires_at <= ?',
    agency,
    owner,
    key,
    now,
  )
  const taken = await tx.all(
    `INSERT INTO idempotency (agency, owner, idempotency_key, hash, subject, expires_at) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT DO NOTHING RETURNING subject`,
    agency,
    owner,
    key,
    hash,
    subject,
    expiresAt,
  )
  if (taken.length > 0) return undefined
  const known = await first<{ hash: string; subject: string }>(
    tx,
    'SELECT hash, subject FROM idempotency WHERE agency = ? AND owner = ? AND idempotency_key = ?',
    agency,
    owner,
    key,
  )
  if (known?.hash !== hash) throw idempotencyMismatch()
  return known.subject
}

/** What callers get of a run after a change. */
export const answer = async (tx: Transaction, run: RunRow): Promise<Admitted> => ({
  run: await toRun(tx, run),
  replayed: false,
  ...readyOf(tx),
})

/** The run of an earlier call, as it is now; claimable again for a caller who did not learn of it. @throws NOT_FOUND */
export async function replay(tx: Transaction, { agency, owner }: Owned, runId: string): Promise<Admitted> {
  const run = await findRun(tx, { agency, owner, runId })
  if (run.status === 'queued' && run.place === null && run.scheduled === 0) tx.ready.add(runId)
  return { ...(await answer(tx, run)), replayed: true }
}

/** The same admission again, after an answer that was lost. */
const admittedRun = async (sql: Sql, runId: string) =>
  (await first<{ run_id: string }>(sql, 'SELECT run_id FROM runs WHERE run_id = ?', runId))?.run_id

async function openThread(tx: Transaction, request: NewRun): Promise<ThreadRow | undefined> {
  const { thread, agency, owner, now } = request
  if (thread == null) return undefined
  const { threadId, ifNotExists } = thread
  const known = await findThread(tx, { agency, owner, threadId })
  if (known !== undefined) return known
  if (ifNotExists === 'reject') throw notFound('thread')
  return (await insertThread(tx, { agency, owner, threadId, messages: [], metadata: {}, now })).thread
}

/** What the strategy does with the runs that are there. @throws THREAD_BUSY, THREAD_QUEUE_FULL */
async function makeWay(tx: Transaction, thread: ThreadRow, request: NewRun): Promise<void> {
  const { thread: wanted, limits, now, describeStop } = request
  const [active, ...waiting] = await liveRuns(tx, thread.number)
  if (active === undefined) return
  if (wanted?.strategy === 'reject') throw threadBusy(active.run_id)
  if (waiting.length >= limits.threadQueue) throw threadQueueFull(limits.threadQueue)
  if (wanted?.strategy === 'interrupt' || wanted?.strategy === 'rollback')
    await stopRun(tx, active, { mode: 'immediate', now, rollback: wanted.strategy === 'rollback', describeStop })
}

async function addRun(
  tx: Transaction,
  request: NewRun,
  { thread, scheduled }: { thread: ThreadRow | undefined; scheduled: boolean },
): Promise<RunRow> {
  const place = scheduled ? null : await nextPlace(tx, thread?.number ?? null)
  const number = await nextNumber(tx, 'runs')
  const run: RunRow = {
    number,
    run_id: request.runId,
    agency: request.agency,
    owner: request.owner,
    thread: thread?.number ?? null,
    thread_id: thread?.thread_id ?? null,
    alias: request.alias ?? null,
    place,
    status: 'queued',
    attempt: 0,
    fence: 0,
    wish: null,
    rollback: 0,
    resumes: 0,
    last_event: 0,
    version: 1,
    recipient: request.recipient,
    metadata: JSON.stringify(request.metadata),
    worker: null,
    recoverable: request.recoverable === false ? 0 : 1,
    pin: request.pin ?? null,
    crashes: 0,
    first_message: null,
    created_at: request.now,
    started_at: null,
    ended_at: null,
    outcome: null,
    error: null,
    incomplete_reason: null,
    receipt: null,
    rolled_back: 0,
    trimmed: 0,
    start_at: request.startAt ?? null,
    scheduled: scheduled ? 1 : 0,
    webhooks: request.webhooks?.length ? JSON.stringify(request.webhooks) : null,
    worked_at: null,
    job: null,
    unread_ms: request.unreadMs ?? null,
  }
  const events = place === null ? request.events : [...request.events, queuedEvent(place)]
  run.last_event = await insertEvents(tx, run, events)
  await tx.insert('runs', [{ ...run }])
  tx.changed.set(run.run_id, true)
  const plan = await toColumn(tx, workOf(request.runId), request.plan)
  await tx.insert('plans', [{ run: number, plan, sealed: request.sealed ?? null }])
  if (place === null && !scheduled) free(tx, run)
  if (thread !== undefined)
    await tx.all('UPDATE threads SET idle_since = NULL, updated_at = ? WHERE number = ?', run.created_at, thread.number)
  return run
}
