/** What changes in the store of runs. */
import type { JsonObject } from '../../wire/json.ts'
import type { StoredMessage } from '../../wire/message.ts'
import type { FindBranch, SteerChange, SteerRecord } from '../steering.ts'
import type { ClaimedWebhook, WebhookOutcome, WebhookRecord } from '../webhooks/records.ts'
import type { Admitted, Claim, DescribeStop, Idempotency, Ready } from './admission.ts'
import type { Cost, CostBound } from './costs.ts'
import type {
  CallRecord,
  CancelMode,
  ConversationRecord,
  EndStatus,
  ItemRecord,
  NewApproval,
  Owned,
  RunId,
  RunRecord,
  RunSnapshot,
  StoredEvent,
  ThreadId,
  ThreadRecord,
} from './records.ts'

/** What a worker writes. Repeating the same change is safe: places and numbers say what is already there. */
export interface RunChange {
  claim: Claim
  now: number
  /** A turn boundary is reached: earlier crashes no longer count. */
  turn?: boolean
  conversations?: readonly ConversationRecord[]
  items?: readonly ItemRecord[]
  calls?: readonly CallRecord[]
  approvals?: readonly NewApproval[]
  /** What became of messages to agents; without effect for one that is settled. */
  steers?: readonly SteerChange[]
  /** Replaces what the run added to its thread from the place `from` (0 = its first message) on. Needs a thread. */
  messages?: { from: number; list: readonly StoredMessage[] }
  /** Records of the run's trace, a JSON list; `first` is the number of the first among all of the run, from 0. */
  trace?: { first: number; records: string } | undefined
  /** Events in compact JSON; `first` is the number of the first, `lastEventId` + 1. */
  events?: { first: number; list: readonly string[] }
  recoverable?: boolean
  pin?: string | null
  leave?: Leaving
}

/** How a worker leaves a run. Later writes with its claim are FENCED. */
export type Leaving =
  | {
      kind: 'end'
      status: EndStatus
      outcome: JsonObject
      error?: { code: string; message: string } | null
      incompleteReason?: string | null
      receipt?: JsonObject | null
    }
  /**
   * Nothing of the run works any more, and approvals are pending. When the last one was just decided, or a stop is wanted, the
   * run is claimable again at once.
   */
  | { kind: 'pause' }
  /** Hands the run over to the process that claims it next. */
  | { kind: 'release' }

export interface Written extends Ready {
  /** As it is after the write. */
  state: RunSnapshot
  /** Of a run that ends: messages that no agent has taken. Their events come right before the last one. */
  notTaken?: readonly StoredEvent[]
}

export interface Writes {
  /** A worker's progress. @throws FENCED when another claim has begun, or this one has left the run */
  run: { change: RunChange; answer: Written }
  /**
   * Asks a run to stop. A run that nobody works on is cancelled here, with what `describeStop` says of it; a cancelled run
   * is answered as it is. @throws NOT_FOUND, RUN_ENDED, IDEMPOTENCY_MISMATCH
   */
  cancel: {
    change: RunId & {
      mode: CancelMode
      now: number
      /** Default: it ends without a result. */
      describeStop?: DescribeStop
      idempotency?: Idempotency | null
    }
    answer: Admitted
  }
  /**
   * Decides an approval, once; the last one makes a paused run claimable, before later runs of its thread. The decision is an
   * event of the run: at once when it is paused, otherwise when its worker leaves it.
   * @throws NOT_FOUND, APPROVAL_DECIDED, APPROVAL_EXPIRED, IDEMPOTENCY_MISMATCH
   */
  decide: {
    change: RunId & {
      approvalId: string
      /** `arguments` replace those of the call. */
      decision: { kind: 'approve'; arguments?: unknown } | { kind: 'reject'; reason?: string }
      now: number
      idempotency?: Idempotency | null
    }
    answer: Admitted
  }
  /**
   * Accepts a message to an agent of a live run. One that no agent takes before the run ends becomes `not_taken`.
   * @throws NOT_FOUND, RUN_ENDED, STEER_LIMIT, IDEMPOTENCY_MISMATCH, and what `findBranch` throws
   */
  steer: {
    change: RunId & {
      steerId: string
      /** Not null: a message is for one agent. */
      findBranch: FindBranch
      text: string
      now: number
      /** Of messages of one run that wait: their number, and the bytes of their texts. */
      limits: { steers: number; steerBytes: number }
      idempotency?: Idempotency | null
    }
    answer: { steer: SteerRecord; run: RunRecord; replayed: boolean }
  }
  /**
   * Lets a branch of a live run, or all of it, stop at its next turn boundary until a time.
   * @throws NOT_FOUND, RUN_ENDED, STEER_LIMIT for too many pauses, IDEMPOTENCY_MISMATCH, and what `findBranch` throws
   */
  pause: {
    change: RunId & { findBranch: FindBranch; until: number; now: number; idempotency?: Idempotency | null }
    answer: Admitted
  }
  /**
   * Ends the pause of a branch, or all pauses.
   * @throws NOT_FOUND, RUN_ENDED, RUN_PAUSED for one branch of a run that is paused as a whole, IDEMPOTENCY_MISMATCH, and what
   *   `findBranch` throws
   */
  continue: {
    change: RunId & { findBranch: FindBranch; now: number; idempotency?: Idempotency | null }
    answer: Admitted
  }
  /** Forgets an ended run; its messages stay in the thread. @throws NOT_FOUND, RUN_ACTIVE */
  deleteRun: { change: RunId; answer: undefined }
  /** @throws THREAD_EXISTS, NOT_FOUND, IDEMPOTENCY_MISMATCH */
  createThread: {
    change: ThreadId & {
      messages: readonly StoredMessage[]
      metadata: { [key: string]: string }
      now: number
      idempotency?: Idempotency | null
    }
    answer: { thread: ThreadRecord; replayed: boolean }
  }
  /** Sets these entries of a thread's metadata; null removes one. @throws NOT_FOUND, INVALID_REQUEST for too many entries */
  changeThread: { change: ThreadId & { metadata: { [key: string]: string | null } }; answer: ThreadRecord }
  /** Forgets a thread with its runs. @throws NOT_FOUND, RUN_ACTIVE */
  deleteThread: { change: ThreadId; answer: undefined }
  /**
   * Reserves the worst case of a model call against every bound, or against none. A reservation that its attempt leaves
   * behind counts as spent. @throws FENCED
   */
  reserve: {
    change: { claim: Claim; reservation: string; usd: number; bounds: readonly CostBound[] }
    /** `full` is the first bound that has no room. */
    answer: { granted: true } | { granted: false; full: Cost & CostBound }
  }
  /** Replaces a reservation by what the call has cost; without effect for one that is settled. */
  settle: { change: { reservation: string; usd: number }; answer: undefined }
  /**
   * Replaces a sealed value, or removes it, and gives what was there before: of several who take a value, one gets it. A value
   * past its time counts as absent.
   */
  swapSecret: {
    /** `sealed` null removes it; `expiresAt` null keeps it until then. */
    change: { name: string; sealed: string | null; expiresAt: number | null; now: number }
    answer: string | null
  }
  /** Queues runs that are due, expires approvals, removes what is past its time, and says whether to call again at once. */
  sweep: {
    change: {
      now: number
      /** How long after a run's end its events and its run are kept, in milliseconds. */
      eventsMs: number
      runsMs: number
      /** About how many rows one call removes at most. @default 2000 */
      limit?: number
    }
    /** `nextAt` is when the next approval expires or scheduled run starts, `nextWebhookAt` when a webhook is due; null for none. */
    answer: Ready & { more: boolean; nextAt: number | null; nextWebhookAt: number | null }
  }
  /** Makes a schedule known, and says up to which due time it has had its runs. A new one has had those up to `since`. */
  schedule: {
    /** `doneUntil`: a due time that gets no run. */
    change: Owned & { name: string; since: number; doneUntil?: number }
    answer: { doneUntil: number }
  }
  /** Takes webhooks that are due: each gets one attempt more, and is due again after `leaseMs` unless it is settled. */
  claimWebhooks: {
    change: { now: number; leaseMs: number; limit: number }
    /** `nextAt` is when the next webhook is due; null when none waits. */
    answer: { claimed: ClaimedWebhook[]; nextAt: number | null }
  }
  /** What became of an attempt; without effect when a later one has begun. */
  settleWebhook: {
    change: { webhookId: string; attempt: number; now: number; outcome: WebhookOutcome }
    answer: undefined
  }
  /** Sends a webhook again, with all its attempts. @throws NOT_FOUND */
  redriveWebhook: { change: Owned & { webhookId: string; now: number }; answer: WebhookRecord }
}
