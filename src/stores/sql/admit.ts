/** How a run is accepted: idempotency, its thread, its place there. */
import { randomUUID } from 'node:crypto'
import { idempotencyMismatch, notFound, threadBusy, threadQueueFull } from '../../base/errors.ts'
import type { Admitted, Idempotency, NewRun, Owned } from '../../runs/run-store.ts'
import type { Backlog } from './backlog.ts'
import { first, nextNumber, readyOf, type Transaction } from './database.ts'
import { toEventRows } from './events.ts'
import { toColumn, workOf } from './long-texts.ts'
import { queuedEvent, type RunRow, type ThreadRow, toRun } from './rows.ts'
import { findRun, free, liveRuns } from './runs.ts'
import { advanceSchedule } from './schedules.ts'
import { findThread, insertThread } from './threads.ts'
import { nextPlace, stopRun } from './transitions.ts'

export async function admit(tx: Transaction, request: NewRun, backlog: Backlog): Promise<Admitted> {
  const earlier = await useKey(tx, request, request.runId)
  if (earlier !== undefined) return replay(tx, request, earlier)
  const thread = await openThread(tx, request)
  const scheduled = request.startAt != null && request.startAt > request.now
  // With the thread locked, so that its runs have their numbers in its order.
  const found = await backlog.check(tx, request, scheduled)
  if (found.known !== null) return replay(tx, request, found.known) // after an answer that was lost
  if (thread !== undefined && !scheduled) await makeWay(tx, thread, request)
  const number = found.number ?? (await nextNumber(tx, 'runs'))
  const run = await addRun(tx, request, { thread, scheduled, number })
  if (request.schedule != null) await advanceSchedule(tx, { ...request, ...request.schedule })
  return answer(tx, run)
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
  { thread, scheduled, number }: { thread: ThreadRow | undefined; scheduled: boolean; number: number },
): Promise<RunRow> {
  const place = scheduled ? null : await nextPlace(tx, thread?.number ?? null)
  const claimable = place === null && !scheduled
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
    job: claimable && tx.hasJobs && request.pin == null ? randomUUID() : null,
    unread_ms: request.unreadMs ?? null,
    steers: 0,
    pauses: null,
  }
  const events = await toEventRows(tx, run, place === null ? request.events : [...request.events, queuedEvent(place)])
  run.last_event = events.at(-1)?.last ?? 0
  const plan = await toColumn(tx, workOf(request.runId), request.plan)
  await tx.insertEach([
    ...events.map((row) => ({ table: 'events', row })),
    { table: 'runs', row: { ...run } },
    { table: 'plans', row: { run: number, plan, sealed: request.sealed ?? null } },
  ])
  tx.changed.set(run.run_id, true)
  if (claimable) free(tx, run, run.job)
  if (thread !== undefined)
    await tx.all('UPDATE threads SET idle_since = NULL, updated_at = ? WHERE number = ?', run.created_at, thread.number)
  return run
}
