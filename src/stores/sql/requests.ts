/** What callers ask of a run: to stop, to decide, to be forgotten. */
import { approvalDecided, approvalExpired, notFound, runActive, runEnded } from '../../base/errors.ts'
import type { Admitted, Writes } from '../../runs/run-store.ts'
import { answer, replay, useKey } from './admit.ts'
import { encode, first, type Sql, type Transaction } from './database.ts'
import type { ApprovalRow, RunRow } from './rows.ts'
import { findRun, forgetRun, lockThreadOf } from './runs.ts'
import { resumeRun, stopRun } from './transitions.ts'

export async function cancel(tx: Transaction, request: Writes['cancel']['change']): Promise<Admitted> {
  const earlier = await useKey(tx, request, request.runId)
  if (earlier !== undefined) return replay(tx, request, earlier)
  await lockThreadOf(tx, request.runId)
  const run = await findRun(tx, request)
  if (run.ended_at === null) await stopRun(tx, run, request)
  else if (run.status !== 'cancelled') throw runEnded(run.status)
  return answer(tx, run)
}

export async function decide(tx: Transaction, request: Writes['decide']['change']): Promise<Admitted> {
  const earlier = await useKey(tx, request, request.runId)
  if (earlier !== undefined) return replay(tx, request, earlier)
  const { approvalId, decision, now } = request
  const run = await findRun(tx, request)
  const approval = await findApproval(tx, run, approvalId)
  if (approval.status === 'expired') throw approvalExpired()
  if (approval.status !== 'pending') throw approvalDecided(approval.status)
  if (approval.expires_at <= now) throw approvalExpired() // the next sweep stores it
  const approved = decision.kind === 'approve'
  await tx.all(
    'UPDATE approvals SET status = ?, decided_at = ?, reason = ?, arguments = ? WHERE number = ?',
    approved ? 'approved' : 'rejected',
    now,
    approved ? null : (decision.reason ?? null),
    approved && decision.arguments !== undefined ? encode(decision.arguments) : approval.arguments,
    approval.number,
  )
  await resumeRun(tx, run)
  return answer(tx, run)
}

/** @throws NOT_FOUND */
export async function findApproval(sql: Sql, run: RunRow, approvalId: string): Promise<ApprovalRow> {
  const approval = await first<ApprovalRow>(
    sql,
    'SELECT * FROM approvals WHERE run = ? AND approval_id = ?',
    run.number,
    approvalId,
  )
  if (approval === undefined) throw notFound('approval')
  return approval
}

export async function deleteRun(tx: Transaction, request: Writes['deleteRun']['change']): Promise<undefined> {
  const run = await findRun(tx, request)
  if (run.ended_at === null) throw runActive('run', run.run_id)
  await forgetRun(tx, run)
}
