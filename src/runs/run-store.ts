/** The durable store of runs, threads, approvals and costs: one interface, which every store implements. */
import type { JsonObject } from '../wire/json.ts'
import type { StoredMessage } from '../wire/message.ts'
import type { ClaimedWebhook, WebhookOutcome, WebhookRecord, WebhookStatus, WebhookTarget } from './webhooks/records.ts'

/**
 * Keeps runs as resources. Every call is one transaction: all of it happens, or nothing.
 *
 * The caller names the agency and the owner; what belongs to another owner does not exist (NOT_FOUND). Values are plain
 * JSON, times are epoch milliseconds given by the caller. `admit` and `write` may be repeated after a failure that leaves open
 * whether they took effect: the second call finds what the first one did. A claim that was lost so is found among `jobs`.
 *
 * @throws STORE_UNAVAILABLE from every method, with the database's own error as `cause`
 */
export interface RunStore {
  /** Set for a store that several processes may use at the same time. */
  readonly shared?: boolean
  /** Of a shared store: divides its runs among the processes that work. */
  readonly queue?: RunQueue
  /** Of a shared store: reaches the other processes that use it. */
  readonly processes?: Processes
  /** Of a shared store: who reads runs that end without a reader. */
  readonly readers?: SharedReaders
  /** Of a shared store: says what it goes on without, once for each outage. */
  onTrouble?(tell: TellTrouble): void
  /**
   * Accepts a run: idempotency key, thread, place in the thread and the run itself.
   * @throws IDEMPOTENCY_MISMATCH, NOT_FOUND, THREAD_BUSY, THREAD_QUEUE_FULL, OVERLOADED
   */
  admit(request: NewRun): Promise<Admitted>
  /** Takes a run to work on it; undefined when it ended, waits for its turn or a decision, or another worker has it. */
  claim(request: ClaimRequest): Promise<ClaimedRun | undefined>
  /** Changes something; see {@link Writes} for what each kind does, answers and throws. */
  write<Kind extends keyof Writes>(change: { kind: Kind } & Writes[Kind]['change']): Promise<Writes[Kind]['answer']>
  /** Answers a question; see {@link Reads}. @throws NOT_FOUND for what is unknown or belongs to another owner */
  read<Kind extends keyof Reads>(query: { kind: Kind } & Reads[Kind]['query']): Promise<Reads[Kind]['answer']>
  /**
   * Follows a run: yields at once, and again after each commit that adds events or changes its state. Several commits may
   * arrive as one. Ends after the run has ended and its last event was yielded, or when the signal aborts.
   * @throws NOT_FOUND, EVENTS_EXPIRED
   */
  watch(query: WatchQuery): AsyncIterable<RunNews>
  /** Finishes what was begun and frees the database. Later calls fail with STORE_UNAVAILABLE. */
  close(): Promise<void>
}

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

// ---- records

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
  /** Grows with each change of status, wish, place or decision. */
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
 * The events that the store itself writes: a waiting run's place at admission and at each change; the decision of an approval,
 * as soon as no worker has the run; and the end, which is the last event of every run.
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

// ---- admit

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

// ---- claim

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

/** Gives each claimable run to one process, and again to another when that one died. */
export interface RunQueue {
  /** Begins to give runs to this process, and shows others that it lives. @throws STORE_UNAVAILABLE */
  serve(worker: QueueWorker): Promise<void>
  /** Says that there may be runs, or room for them: a hint. */
  wake(): void
  /** Gives no more runs to this process. Those that it works on stay its own. */
  stop(): void
}

/** The other processes that use a shared store, which can be asked about what is not in it. */
export interface Processes {
  /**
   * Asks all of them: the one that has an answer takes the question, and gives it when it can.
   * @param ms how long to wait for the answer of a process that has taken the question
   * @returns undefined when nobody takes it; without an answer when that has not come in time
   * @throws OVERLOADED, STORE_UNAVAILABLE
   */
  ask(question: JsonObject, ms: number): Promise<{ answer: JsonObject | undefined } | undefined>
  onAsked(answerer: Answerer): void
}

/** Undefined: this process does not take the question. */
export type Answerer = (question: JsonObject) => Promise<JsonObject> | undefined

export type TellTrouble = (message: string, error: unknown) => void

/** Who reads the streams of runs that end without a reader, in all processes that use a shared store. */
export interface SharedReaders {
  /** This process has readers of a run from now on. A hint: it is written soon, and again while the process lives. */
  join(runId: string): void
  /**
   * The readers of this process have left.
   * @param ms how long they have to come back, to any process; null: the run does not wait for readers any more
   */
  leave(runId: string, ms: number | null): void
  /** True when no other process has a reader, or waits longer for one to come back. @throws STORE_UNAVAILABLE */
  isAlone(runId: string): Promise<boolean>
  /** True while a run waits for a reader to come back to any process. @throws STORE_UNAVAILABLE */
  isLeft(runId: string): Promise<boolean>
  /** Begins to look for runs whose readers are gone together with the processes that had them. */
  open(watch: ReadersWatch): void
}

export interface ReadersWatch {
  /** How long the readers of a process that died have at least to come back to another, in milliseconds. */
  returnMs: number
  /** Several processes may find the same run. */
  onUnread(id: RunId): void
}

export interface QueueWorker {
  /** The name of the process in claims. */
  readonly name: string
  /** How long a run may take, in milliseconds; after a minute more it is given to another process. */
  readonly runMs: number
  /** How many more runs this process can take now. */
  room(): number
  /** Resolves when the run has left this process; a rejection gives it to another. */
  work(job: Job): Promise<void>
}

// ---- write

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
}

/**
 * Names of costs that are bounded. A run's is forgotten with the run, a thread's with the thread, an owner's never; an owner may
 * have one for each period.
 */
export const runScope = (runId: string): string => JSON.stringify(['run', runId])
export const threadScope = ({ agency, owner, threadId }: ThreadId): string =>
  JSON.stringify(['thread', agency, owner, threadId])
export const ownerScope = ({ agency, owner }: Owned, period?: string): string =>
  JSON.stringify(['owner', agency, owner, ...(period === undefined ? [] : [period])])

/** How much may be spent under one scope, by all runs that name it. */
export interface CostBound {
  scope: string
  limitUsd: number
}
export interface Cost {
  scope: string
  spentUsd: number
  reservedUsd: number
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

// ---- read

interface List extends Owned {
  /** Rows of a page, at least 1. */
  limit: number
  /** `next` of the page before: decimal digits. */
  after?: string | null | undefined
}

/** A run that a worker may claim, or one whose worker may have died. */
export interface Job {
  runId: string
  agency: string
  status: 'queued' | 'in_progress'
  attempt: number
  /** Of its last claim; 0 before the first. */
  fence: number
  worker: string | null
  pin: string | null
}

export interface Reads {
  /** By id, or the newest run with that alias. */
  run: { query: RunId | (Owned & { alias: string }); answer: RunRecord }
  /** Newest first. */
  runs: { query: List & { threadId?: string | undefined; status?: RunStatus | undefined }; answer: Page<RunRecord> }
  /** What a run has stored of its work. Gone with its events. */
  work: { query: RunId; answer: RunWork }
  /** Events after a number. @throws EVENTS_EXPIRED */
  events: { query: RunId & { after: number; limit: number }; answer: RunNews }
  /** What was recorded of its trace, in order; empty for a run that is not traced. @throws EVENTS_EXPIRED */
  trace: { query: RunId; answer: JsonObject[] }
  thread: { query: ThreadId; answer: ThreadRecord }
  /** Newest first, by creation. */
  threads: { query: List; answer: Page<ThreadRecord> }
  /** Oldest first. A cursor is the number of a message. */
  messages: { query: List & { threadId: string }; answer: Page<ThreadMessage> }
  approval: { query: RunId & { approvalId: string }; answer: ApprovalRecord }
  /** Oldest first. */
  approvals: {
    query: List & {
      status?: ApprovalStatus | undefined
      threadId?: string | undefined
      runId?: string | undefined
    }
    answer: Page<ApprovalRecord>
  }
  /** First runs of their threads that are queued or in progress, of all owners, in the order of admission. For workers. */
  jobs: { query: { limit: number; after?: string | null }; answer: Page<Job> }
  /** Live runs that do not go on without a reader, of all owners, in the order of admission. */
  unread: { query: { limit: number; after?: string | null }; answer: Page<RunId & { unreadMs: number }> }
  costs: { query: { scopes: readonly string[] }; answer: Cost[] }
  /** Newest first. */
  webhooks: {
    query: List & { status?: WebhookStatus | undefined; runId?: string | undefined }
    answer: Page<WebhookRecord>
  }
  /** Of all owners, for metrics. */
  stats: { query: object; answer: StoreStats }
  secret: { query: { name: string; now: number }; answer: string | null }
}

// ---- watch

export interface WatchQuery extends RunId {
  /** Events up to this number are known. Infinity: only changes of the state are wanted, as workers do. */
  after: number
  signal: AbortSignal
}

export interface RunNews {
  state: RunSnapshot
  /** In order, at most 500 at a time. */
  events: StoredEvent[]
}
