/** How a run comes into the store, and to a worker. */
import type { JsonObject } from '../../wire/json.ts'
import type { StoredMessage } from '../../wire/message.ts'
import type { WebhookTarget } from '../webhooks/records.ts'
import type {
  ApprovalRecord,
  CallRecord,
  ConversationRecord,
  ItemRecord,
  RunId,
  RunRecord,
  Strategy,
} from './records.ts'

/** The key of a POST. Kept only when the call succeeds. */
export interface Idempotency {
  key: string
  /** Of method, path and canonical body. */
  hash: string
  expiresAt: number
}

export interface NewRun extends RunId {
  now: number
  recipient: string
  /** Everything a worker needs to start the run. Not part of a RunRecord. */
  plan: JsonObject
  /** Secrets of the request, encrypted; erased when the run ends. Default null. */
  sealed?: string | null
  metadata: { [key: string]: string }
  alias?: string | null
  /** Default null: a run of its own, which waits for no other. */
  thread?: { threadId: string; ifNotExists: 'create' | 'reject'; strategy: Strategy } | null
  /** Default true. */
  recoverable?: boolean
  /** The only process that may run it. Default null: any. */
  pin?: string | null
  /** Not before this time; until then it has no place in its thread, and the strategy is not applied. Default: at once. */
  startAt?: number | null
  /** The due time of a schedule that this run is for: the schedule has come this far. */
  schedule?: { name: string; dueAt: number } | null
  /** The endpoints that get a webhook when it ends or waits for a person. */
  webhooks?: readonly WebhookTarget[]
  /** Default null. */
  unreadMs?: number | null
  idempotency?: Idempotency | null
  /** The first events, before any that the store adds; compact JSON. */
  events: readonly string[]
  /** Called within the transaction for a run without a worker that the strategy stops. Default: it ends without a result. */
  describeStop?: DescribeStop
  /** Bounds: runs that wait in the thread, and queued and scheduled runs of the whole store. */
  limits: { threadQueue: number; queuedRuns: number; scheduledRuns: number }
}

/** What a run that nobody works on leaves behind when it is stopped. Pure. */
export type DescribeStop = (run: RunRecord, work: RunWork) => Stopped
export interface Stopped {
  outcome: JsonObject
  receipt: JsonObject
  /** What the run has added to its thread, those of its open turn among them. */
  messages?: readonly StoredMessage[]
  /** The run's last events before the one that the store adds; compact JSON. */
  events: readonly string[]
}

export interface Admitted extends Ready {
  run: RunRecord
  /** The key was used before: `run` is the run of then, as it is now, and nothing was changed. */
  replayed: boolean
}

/** What this call has made due: the caller starts it. */
export interface Ready {
  /** Runs that are claimable. */
  ready: string[]
  /** True when webhooks are to be sent. */
  hasWebhooks: boolean
}

export interface ClaimRequest {
  runId: string
  /** The process that will work on it. */
  worker: string
  now: number
  /** The claim that is known to have died (`Job.fence`): its run is taken over. Of several who see it dead, one gets the run. */
  deadFence?: number
  /** Takes a run that is pinned to another process, to end it. Default false. */
  ignorePin?: boolean
}

/** The right to write a run; a later claim ends it. */
export interface Claim {
  runId: string
  attempt: number
  fence: number
}

/** What a run has stored of its work. */
export interface RunWork {
  plan: JsonObject
  sealed: string | null
  /** The messages of the thread before this run, in order. */
  history: StoredMessage[]
  /** What this run has added to the thread so far. */
  messages: StoredMessage[]
  /** In the order in which they were opened. */
  conversations: ConversationRecord[]
  /** By conversation, then by place. */
  items: ItemRecord[]
  calls: CallRecord[]
  approvals: ApprovalRecord[]
}

export interface ClaimedRun {
  claim: Claim
  run: RunRecord
  work: RunWork
  /** False after the first claim and after an approval: an attempt was lost or handed over, and frames may be void. */
  takenOver: boolean
  /** Of a run whose worker is gone: how long nobody has worked on it, in milliseconds. */
  lostMs: number | null
}
