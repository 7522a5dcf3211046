/** Who may work on a run. */
import type { ClaimedRun, ClaimRequest } from '../../runs/run-store.ts'
import { spendReservations } from './costs.ts'
import { first, type Transaction } from './database.ts'
import { type RunRow, toRun } from './rows.ts'
import { change, update } from './runs.ts'
import { readWork } from './snapshot.ts'
import { announceSteers } from './steers.ts'
import { tellDecisions } from './transitions.ts'

export async function claim(tx: Transaction, request: ClaimRequest): Promise<ClaimedRun | undefined> {
  const { runId, worker, now } = request
  const run = await first<RunRow>(tx, `SELECT * FROM runs WHERE run_id = ?${tx.lock}`, runId)
  if (run === undefined || !isClaimable(run, request)) return undefined
  const crashed = run.worker !== null
  const takenOver = run.status === 'in_progress'
  const lostMs = crashed && run.worked_at !== null ? Math.max(0, now - run.worked_at) : null
  if (crashed) await spendReservations(tx, run.number)
  if (run.fence > 0) await tellDecisions(tx, run) // those that the worker before did not come to
  if (run.fence > 0) await announceSteers(tx, run)
  await change(tx, run, {
    status: 'in_progress',
    attempt: run.resumes === 1 ? run.attempt : run.attempt + 1,
    fence: run.fence + 1,
    crashes: run.crashes + (crashed ? 1 : 0),
    resumes: 0,
    worker,
    worked_at: now,
    started_at: run.started_at ?? now,
  })
  if (run.thread !== null && run.first_message === null)
    await update(tx, run, { first_message: await nextMessage(tx, run.thread) })
  return {
    claim: { runId, attempt: run.attempt, fence: run.fence },
    run: await toRun(tx, run),
    work: await readWork(tx, run, run.fence === 1),
    takenOver,
    lostMs,
  }
}

function isClaimable(run: RunRow, { worker, deadFence, ignorePin }: ClaimRequest): boolean {
  if (run.place !== null || run.scheduled === 1) return false
  if (run.status !== 'queued' && run.status !== 'in_progress') return false
  if (run.worker !== null && run.fence !== deadFence) return false
  return run.pin === null || run.pin === worker || ignorePin === true
}

const nextMessage = async (tx: Transaction, thread: number) =>
  (await first<{ next_message: number }>(tx, 'SELECT next_message FROM threads WHERE number = ?', thread))
    ?.next_message ?? 1
