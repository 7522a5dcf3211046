/** Rows of the tables, and the records that callers get of them. */
import type {
  ApprovalConsent,
  ApprovalRecord,
  ApprovalStatus,
  CallRecord,
  CancelMode,
  ConversationRecord,
  EndStatus,
  ItemRecord,
  RunRecord,
  RunSnapshot,
  RunStatus,
  StoreEvent,
  ThreadRecord,
} from '../../runs/run-store.ts'
import type { BranchPause, BranchWork } from '../../runs/steering.ts'
import { decode, type Sql, select } from './database.ts'
import { getJson, mapInTurns } from './long-texts.ts'

export interface RunRow {
  number: number
  run_id: string
  agency: string
  owner: string
  thread: number | null
  thread_id: string | null
  alias: string | null
  place: number | null
  status: RunStatus
  attempt: number
  fence: number
  wish: CancelMode | null
  rollback: number
  resumes: number
  last_event: number
  version: number
  recipient: string
  metadata: string
  worker: string | null
  recoverable: number
  pin: string | null
  crashes: number
  first_message: number | null
  created_at: number
  started_at: number | null
  ended_at: number | null
  outcome: string | null
  error: string | null
  incomplete_reason: string | null
  receipt: string | null
  rolled_back: number
  /** Its events and its work were removed. */
  trimmed: number
  start_at: number | null
  /** Its `start_at` has not come. */
  scheduled: number
  /** A list of WebhookTarget. */
  webhooks: string | null
  /** When its worker has written for the last time. */
  worked_at: number | null
  /** The job in the queue that entitles to it. */
  job: string | null
  unread_ms: number | null
  /** Messages to its agents that were accepted. */
  steers: number
  /** A list of BranchPause. */
  pauses: string | null
}

export interface ThreadRow {
  number: number
  agency: string
  owner: string
  thread_id: string
  next_message: number
  message_count: number
  metadata: string
  created_at: number
  updated_at: number
  idle_since: number | null
}

export interface ApprovalRow {
  number: number
  run: number
  approval_id: string
  run_id: string
  agency: string
  owner: string
  thread_id: string | null
  conversation: string
  call_id: string
  agent: string
  tool: string
  arguments: string | null
  parent_run_id: string | null
  /** JSON of what a person gives instead of an approval. */
  consent: string | null
  status: ApprovalStatus
  reason: string | null
  created_at: number
  expires_at: number
  decided_at: number | null
}

export const toState = (row: RunRow): RunSnapshot => ({
  status: row.status,
  attempt: row.attempt,
  wish: row.wish,
  lastEventId: row.last_event,
  steers: row.steers,
  pauses: decode<BranchPause[]>(row.pauses) ?? [],
  version: row.version,
})

export const toRun = async (sql: Sql, row: RunRow): Promise<RunRecord> => ({
  ...toState(row),
  runId: row.run_id,
  agency: row.agency,
  owner: row.owner,
  threadId: row.thread_id,
  alias: row.alias,
  number: row.number,
  queuePosition: row.place,
  recipient: row.recipient,
  metadata: JSON.parse(row.metadata),
  worker: row.worker,
  recoverable: row.recoverable === 1,
  pin: row.pin,
  crashes: row.crashes,
  createdAt: row.created_at,
  startAt: row.start_at,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  outcome: row.outcome === null ? null : await getJson(sql, row.outcome),
  error: decode(row.error),
  incompleteReason: row.incomplete_reason,
  receipt: decode(row.receipt),
  rolledBack: row.rolled_back === 1,
  unreadMs: row.unread_ms,
})

export const toUnread = ({ run_id: runId, agency, owner, unread_ms: unreadMs }: RunRow) => ({
  ...{ runId, agency, owner },
  unreadMs: unreadMs ?? 0,
})

/** @param active the thread's first live run */
export const toThread = (row: ThreadRow, active: Pick<RunRow, 'run_id' | 'status'> | undefined): ThreadRecord => ({
  threadId: row.thread_id,
  agency: row.agency,
  owner: row.owner,
  status: active === undefined ? 'idle' : active.status === 'requires_action' ? 'requires_action' : 'busy',
  activeRunId: active?.run_id ?? null,
  messageCount: row.message_count,
  metadata: JSON.parse(row.metadata),
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

export const toApproval = (row: ApprovalRow): ApprovalRecord => ({
  approvalId: row.approval_id,
  runId: row.run_id,
  agency: row.agency,
  owner: row.owner,
  threadId: row.thread_id,
  conversation: row.conversation,
  callId: row.call_id,
  agent: row.agent,
  tool: row.tool,
  arguments: decode(row.arguments),
  parentRunId: row.parent_run_id,
  ...(row.consent === null ? {} : { consent: decode<ApprovalConsent>(row.consent) }),
  status: row.status,
  reason: row.reason,
  createdAt: row.created_at,
  expiresAt: row.expires_at,
  decidedAt: row.decided_at,
})

export const queuedEvent = (position: number) => JSON.stringify({ kind: 'queued', position } satisfies StoreEvent)
export const decidedEvent = (approval: ApprovalRow, paused: boolean) => {
  const { approval_id: approvalId, call_id: callId, status, reason } = approval
  return JSON.stringify({ kind: 'approval_decided', approvalId, callId, status, reason, paused } as StoreEvent)
}
export const endedEvent = (status: EndStatus) => JSON.stringify({ kind: 'ended', status } satisfies StoreEvent)

/** What a run has stored of its conversations. */
export async function readConversations(sql: Sql, run: number) {
  type Call = { conversation: string; call_id: string; state: CallRecord['state']; output: string | null }
  const conversations = await select<ConversationRow>(
    sql,
    'SELECT * FROM conversations WHERE run = ? ORDER BY opened',
    run,
  )
  const items = await select<{ conversation: string; n: number; item: string }>(
    sql,
    'SELECT conversation, n, item FROM items WHERE run = ? ORDER BY conversation, n',
    run,
  )
  const calls = await select<Call>(sql, 'SELECT * FROM calls WHERE run = ? ORDER BY conversation, call_id', run)
  const approvals = await select<ApprovalRow>(sql, 'SELECT * FROM approvals WHERE run = ? ORDER BY number', run)
  return {
    conversations: await mapInTurns(conversations, (row) => toConversation(sql, row)),
    items: await mapInTurns(
      items,
      async ({ conversation, n, item }): Promise<ItemRecord> => ({ conversation, n, item: await getJson(sql, item) }),
    ),
    calls: await mapInTurns(
      calls,
      async ({ conversation, call_id, state, output }): Promise<CallRecord> => ({
        conversation,
        callId: call_id,
        state,
        ...(output === null ? {} : { output: await getJson(sql, output) }),
      }),
    ),
    approvals: approvals.map(toApproval),
  }
}

/** The conversations of a run and the states of its calls: what its branches are found in. */
export async function readBranches(sql: Sql, run: number): Promise<BranchWork> {
  const conversations = await select<ConversationRow>(
    sql,
    'SELECT * FROM conversations WHERE run = ? ORDER BY opened',
    run,
  )
  const calls = await select<{ conversation: string; call_id: string; state: CallRecord['state'] }>(
    sql,
    'SELECT conversation, call_id, state FROM calls WHERE run = ?',
    run,
  )
  return {
    conversations: await mapInTurns(conversations, (row) => toConversation(sql, row)),
    calls: calls.map(({ call_id: callId, ...call }) => ({ ...call, callId })),
  }
}

interface ConversationRow {
  conversation: string
  parent: string | null
  agent: string
  caller: string | null
  state: string
}

const toConversation = async (sql: Sql, row: ConversationRow): Promise<ConversationRecord> => ({
  conversation: row.conversation,
  parent: decode(row.parent),
  agent: row.agent,
  caller: row.caller,
  state: await getJson(sql, row.state),
})
