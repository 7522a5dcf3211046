/** What the store of runs can be asked. */
import type { JsonObject } from '../../wire/json.ts'
import type { SteerRecord, SteerStatus } from '../steering.ts'
import type { WebhookRecord, WebhookStatus } from '../webhooks/records.ts'
import type { RunWork } from './admission.ts'
import type { Cost } from './costs.ts'
import type { Job } from './queue.ts'
import type {
  ApprovalRecord,
  ApprovalStatus,
  Owned,
  Page,
  RunId,
  RunRecord,
  RunSnapshot,
  RunStatus,
  StoredEvent,
  StoreStats,
  ThreadId,
  ThreadMessage,
  ThreadRecord,
} from './records.ts'

interface List extends Owned {
  /** Rows of a page, at least 1. */
  limit: number
  /** `next` of the page before: decimal digits. */
  after?: string | null | undefined
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
  /** Messages to agents of a run, oldest first. Gone with its events. */
  steers: { query: RunId & { status?: SteerStatus }; answer: SteerRecord[] }
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
