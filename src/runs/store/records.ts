/** Records of runs, threads, approvals and events, as the store of runs keeps them. */
import type { JsonObject } from '../../wire/json.ts'
import type { StoredMessage } from '../../wire/message.ts'
import type { BranchPause, SteerEvent } from '../steering.ts'

/** In whose name something is asked. An owner is a text of the caller's choosing. */
export interface Owned {
  agency: string
  owner: string
}
export interface RunId extends Owned {
  runId: string
}
export interface ThreadId extends Owned {
  threadId: string
}

/** `queued`, `in_progress` and `requires_action` are live; the others are final. */
export type RunStatus = 'queued' | 'in_progress' | 'requires_action' | EndStatus
export type EndStatus = 'completed' | 'failed' | 'cancelled' | 'incomplete'
export type CancelMode = 'immediate' | 'after_turn'
export type Strategy = 'reject' | 'enqueue' | 'interrupt' | 'rollback'

/** What changes while a run lives, without its large parts. */
export interface RunSnapshot {
  status: RunStatus
  /** 0 until the first claim; counts claims after a crash or hand-over, not those after an approval. */
  attempt: number
  /** The wish to stop, if any. `immediate` replaces `after_turn`, never the reverse. */
  wish: CancelMode | null
  /** Number of the newest event; 0 when there is none. */
  lastEventId: number
  /** Messages to its agents that were accepted so far. */
  steers: number
  /** Those that were asked for; some may have expired. */
  pauses: BranchPause[]
  /** Grows with each change of status, wish, place, decision, message to an agent or pause. */
  version: number
}

export interface RunRecord extends RunSnapshot, RunId {
  threadId: string | null
  /** The id that a protocol's client chose, such as AG-UI's `runId`. */
  alias: string | null
  /** Strictly rising in the order of admission. */
  number: number
  /** 1 = next after the run that is alive; null for the first live run of a thread, and unless queued. */
  queuePosition: number | null
  recipient: string
  metadata: { [key: string]: string }
  /** The process that has the run; null while nobody works on it. */
  worker: string | null
  /** False for a run that only the process `pin` can continue. */
  recoverable: boolean
  pin: string | null
  /** Attempts that ended without a word since the last turn boundary: what decides CRASH_LOOP. */
  crashes: number
  createdAt: number
  /** When its request asked for it to start; null for at once. */
  startAt: number | null
  startedAt: number | null
  endedAt: number | null
  /** What callers get of an ended run (response, messages, usage, ...), as its worker wrote it. Null when no worker ended it. */
  outcome: JsonObject | null
  error: { code: string; message: string } | null
  /** Of `incomplete`: `max_turns` or `max_cost`. */
  incompleteReason: string | null
  /** What a cancel stopped. */
  receipt: JsonObject | null
  /** Its messages were taken out of the thread. */
  rolledBack: boolean
  /** How long it goes on without a reader, in milliseconds; null: to its end. */
  unreadMs: number | null
}

export interface ThreadRecord extends ThreadId {
  status: 'idle' | 'busy' | 'requires_action'
  activeRunId: string | null
  messageCount: number
  metadata: { [key: string]: string }
  createdAt: number
  updatedAt: number
}

export interface ThreadMessage {
  /** Its number in the thread, rising from 1, with gaps where messages were rolled back. Final once its run has ended. */
  number: number
  /** The run that added it; null for messages that the thread was created with. */
  runId: string | null
  message: StoredMessage
}

/** One event of a run, numbered 1, 2, 3, ... The store does not look into it. */
export interface StoredEvent {
  number: number
  attempt: number
  /** Compact JSON, so that nothing is serialized twice. */
  event: string
}

/**
 * The events that the store itself writes: a waiting run's place at admission and at each change; the decision of an approval
 * and a message to an agent, as soon as no worker has the run; and the end, which is the last event of every run.
 */
export type StoreEvent =
  | { kind: 'queued'; position: number }
  | {
      kind: 'approval_decided'
      approvalId: string
      callId: string
      status: 'approved' | 'rejected' | 'expired'
      /** Of `rejected`: why. */
      reason: string | null
      /** True when the run waited for it and did nothing else. */
      paused: boolean
    }
  | SteerEvent
  | { kind: 'ended'; status: EndStatus }

/** One conversation of a run: the user's, or one that an agent holds with another. */
export interface ConversationRecord {
  conversation: string
  /** The call that asked for it, and the conversation of that call; null for the user's own. */
  parent: { conversation: string; callId: string } | null
  agent: string
  caller: string | null
  /** Counts and ids, small: it is replaced at each turn boundary. Items are kept beside it. */
  state: JsonObject
}

export interface ItemRecord {
  conversation: string
  /** Its place in the conversation, from 0; an item is never rewritten. */
  n: number
  item: JsonObject
}

export interface CallRecord {
  conversation: string
  callId: string
  state: 'begun' | 'done'
  /** Of `done`: what the tool answered. */
  output?: unknown
}

export type ApprovalStatus = 'pending' | 'approved' | 'rejected' | 'expired' | 'cancelled'

/** The consent that a call waits for. */
export interface ApprovalConsent {
  /** Names the server for people. */
  server: string
  /** Where a person gives it. */
  url: string
  /** The name of the access that it gives. */
  access: string
}

/** A call that waits for a person. */
export interface NewApproval {
  approvalId: string
  conversation: string
  callId: string
  agent: string
  tool: string
  arguments: unknown
  /** The call id of the send_message that the asking agent works for; null for the user's conversation. */
  parentRunId: string | null
  /** What a person gives instead of an approval. Default null: the call waits for an approval. */
  consent?: ApprovalConsent | null
  expiresAt: number
}
export interface ApprovalRecord extends NewApproval, RunId {
  threadId: string | null
  status: ApprovalStatus
  /** Of `rejected`: why. */
  reason: string | null
  createdAt: number
  decidedAt: number | null
}

/** Figures of the whole store. */
export interface StoreStats {
  /** Runs that wait to be worked on or for the runs before them. */
  queued: number
  /** Runs whose `startAt` has not come. */
  scheduled: number
  inProgress: number
  requiresAction: number
  /** When the oldest queued run began to wait; null without one. */
  oldestQueuedAt: number | null
  webhooksWaiting: number
  webhooksDead: number
  /** When the oldest waiting webhook was made; null without one. */
  oldestWebhookAt: number | null
}

export interface Page<Row> {
  data: Row[]
  /** What to give as `after` for the next page; null at the end. */
  next: string | null
}
