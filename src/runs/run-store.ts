/** The durable store of runs, threads, approvals and costs: one interface, which every store implements. */
import type { Admitted, ClaimedRun, ClaimRequest, NewRun } from './store/admission.ts'
import type { Writes } from './store/changes.ts'
import type { Reads, RunNews, WatchQuery } from './store/questions.ts'
import type { Processes, ReportTrouble, RunQueue, SharedCounts, SharedReaders, StoreDiagnosis } from './store/queue.ts'

export type {
  Admitted,
  Claim,
  ClaimedRun,
  ClaimRequest,
  DescribeStop,
  Idempotency,
  NewRun,
  Ready,
  RunWork,
  Stopped,
} from './store/admission.ts'
export type { Leaving, RunChange, Writes, Written } from './store/changes.ts'
export type { Cost, CostBound } from './store/costs.ts'
export { ownerScope, runScope, threadScope } from './store/costs.ts'
export type { Reads, RunNews, WatchQuery } from './store/questions.ts'
export type {
  Answerer,
  Job,
  Processes,
  QueueWorker,
  ReadersWatch,
  ReportTrouble,
  RunQueue,
  SharedCounts,
  SharedReaders,
  StoreDiagnosis,
} from './store/queue.ts'
export type {
  ApprovalConsent,
  ApprovalRecord,
  ApprovalStatus,
  CallRecord,
  CancelMode,
  ConversationRecord,
  EndStatus,
  ItemRecord,
  NewApproval,
  Owned,
  Page,
  RunId,
  RunRecord,
  RunSnapshot,
  RunStatus,
  StoredEvent,
  StoreEvent,
  StoreStats,
  Strategy,
  ThreadId,
  ThreadMessage,
  ThreadRecord,
} from './store/records.ts'

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
  /** Of a shared store: counts requests of callers. */
  readonly counts?: SharedCounts
  /** Of a shared store: says what it goes on without, once for each outage. */
  onTrouble?(report: ReportTrouble): void
  /** Of a shared store: tries its connections, also once it is closed. @throws STORE_UNAVAILABLE, PACKAGE_MISSING */
  diagnose?(): Promise<StoreDiagnosis>
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
