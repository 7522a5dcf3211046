/** Records of the store as the bodies of answers. */
import { ANSWER_LIMITS } from '../base/limits.ts'
import type { ApprovalRecord, Page, RunRecord, ThreadRecord } from '../runs/run-store.ts'
import type { BranchPause, SteerRecord } from '../runs/steering.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import type { WebhookRecord } from '../runs/webhooks/records.ts'
import type { Approval, ListAnswer, Receipt, RunAnswer, RunCancelAnswer, ThreadAnswer } from '../wire/runs.ts'
import type { BranchPauseAnswer, SteerAnswer } from '../wire/steering.ts'
import type { WebhookAnswer } from '../wire/webhooks.ts'

const toTime = (ms: number) => new Date(ms).toISOString()
const toTimeOrNull = (ms: number | null) => (ms === null ? null : toTime(ms))

/** What an ended run gives its caller, as its worker stored it: the body of get_response. */
type Outcome = Pick<RunAnswer, 'response' | 'file_ids_map' | 'chat_name' | 'incomplete_details'> & {
  new_messages?: RunAnswer['new_messages']
  usage?: RunAnswer['usage']
}

/** A run with the approvals that it waits for, and the messages that its agents were sent. */
export async function answerOf({ store }: Pick<StoredRuns, 'store'>, record: RunRecord): Promise<RunAnswer> {
  const { agency, owner, runId } = record
  const id = { agency, owner, runId }
  const steers = record.steers === 0 ? [] : await store.read({ kind: 'steers', ...id })
  if (record.status !== 'requires_action') return toRunAnswer(record, [], steers)
  const limit = ANSWER_LIMITS.calls
  const pending = await store.read({ kind: 'approvals', ...id, status: 'pending', limit })
  return toRunAnswer(record, pending.data, steers)
}

/**
 * @param pending the approvals that the run waits for
 * @param steers the messages that its agents were sent
 */
export function toRunAnswer(
  run: RunRecord,
  pending: readonly ApprovalRecord[] = [],
  steers: readonly SteerRecord[] = [],
): RunAnswer {
  const outcome = (run.outcome ?? {}) as Outcome
  const { incompleteReason: reason } = run
  const paused = run.pauses.filter(({ expiresAt }) => expiresAt > Date.now())
  return {
    run_id: run.runId,
    agency: run.agency,
    thread_id: run.threadId,
    status: run.status,
    queue_position: run.queuePosition,
    recipient_agent: run.recipient,
    attempt: run.attempt,
    recoverable: run.recoverable,
    last_event_id: run.lastEventId,
    created_at: toTime(run.createdAt),
    start_at: toTimeOrNull(run.startAt),
    started_at: toTimeOrNull(run.startedAt),
    ended_at: toTimeOrNull(run.endedAt),
    required_action: run.status === 'requires_action' ? { approvals: pending.map(toApproval) } : null,
    response: outcome.response ?? null,
    new_messages: outcome.new_messages ?? null,
    usage: outcome.usage ?? null,
    ...(reason === null
      ? outcome.incomplete_details && { incomplete_details: outcome.incomplete_details }
      : { incomplete_details: { reason } }),
    ...(outcome.file_ids_map && { file_ids_map: outcome.file_ids_map }),
    ...(outcome.chat_name === undefined ? {} : { chat_name: outcome.chat_name }),
    ...(run.rolledBack ? { rolled_back: true } : {}),
    ...(paused.length > 0 ? { paused: paused.map(toPause) } : {}),
    ...(steers.length > 0 ? { steers: steers.map(toSteer) } : {}),
    error: run.error,
    metadata: run.metadata,
  }
}

/** @param ms how long the cancel took */
export function toCancelAnswer(run: RunRecord, { settled, ms }: { settled: boolean; ms: number }): RunCancelAnswer {
  const { new_messages, usage } = toRunAnswer(run)
  const receipt = run.receipt as Receipt | null
  return {
    run_id: run.runId,
    status: run.status,
    mode: run.wish ?? 'immediate',
    settled,
    ms,
    new_messages,
    usage,
    receipt,
  }
}

export const toApproval = (approval: ApprovalRecord): Approval => ({
  approval_id: approval.approvalId,
  run_id: approval.runId,
  thread_id: approval.threadId,
  agent: approval.agent,
  tool: approval.tool,
  call_id: approval.callId,
  parent_run_id: approval.parentRunId,
  arguments: approval.arguments,
  status: approval.status,
  reason: approval.reason,
  created_at: toTime(approval.createdAt),
  expires_at: toTime(approval.expiresAt),
  decided_at: toTimeOrNull(approval.decidedAt),
  ...(approval.consent == null ? {} : { consent: { server: approval.consent.server, url: approval.consent.url } }),
})

export const toSteer = (steer: SteerRecord): SteerAnswer => ({
  steer_id: steer.steerId,
  agent: steer.agent,
  call_id: steer.callId,
  status: steer.status === 'waiting' ? 'accepted' : steer.status,
  reason: steer.reason,
  created_at: toTime(steer.createdAt),
  settled_at: toTimeOrNull(steer.settledAt),
})

const toPause = ({ agent, callId, expiresAt }: BranchPause): BranchPauseAnswer => ({
  agent,
  call_id: callId,
  expires_at: toTime(expiresAt),
})

export const toThread = (thread: ThreadRecord): ThreadAnswer => ({
  thread_id: thread.threadId,
  status: thread.status,
  active_run_id: thread.activeRunId,
  message_count: thread.messageCount,
  created_at: toTime(thread.createdAt),
  updated_at: toTime(thread.updatedAt),
  metadata: thread.metadata,
})

export const toWebhook = (webhook: WebhookRecord): WebhookAnswer => ({
  webhook_id: webhook.webhookId,
  run_id: webhook.runId,
  event: webhook.event,
  url: webhook.url,
  status: webhook.status,
  attempts: webhook.attempts,
  next_attempt_at: toTimeOrNull(webhook.nextAt),
  error: webhook.error,
  created_at: toTime(webhook.createdAt),
  ended_at: toTimeOrNull(webhook.endedAt),
})

export const toList = <Row, Answer = Row>(
  { data, next }: Page<Row>,
  toAnswer: (row: Row) => Answer = (row) => row as unknown as Answer,
): ListAnswer<Answer> => ({
  data: data.map(toAnswer),
  has_more: next !== null,
  next,
})
