/** Runs as resources: what the HTTP routes and other protocols ask of them. */

import type { AgencyRequest } from '../../wire/requests.ts'
import type { WebhookRequest } from '../../wire/webhooks.ts'
import type {
  Admitted,
  CancelMode,
  Idempotency,
  NewRun,
  Owned,
  RunId,
  RunRecord,
  RunStore,
  Strategy,
} from '../run-store.ts'
import type { TraceContext } from '../span.ts'
import type { SteerRecord } from '../steering.ts'
import type { WebhookRecord } from '../webhooks/records.ts'
import type { BranchAddress } from './branches.ts'
import type { NumberedEvent } from './events.ts'
import type { RunReaders } from './readers.ts'

/** A request for a stored run. */
export interface StartStoredRun {
  agency: string
  owner: string
  request: AgencyRequest
  thread?: { threadId: string; ifNotExists: 'create' | 'reject'; strategy: Strategy } | null | undefined
  /** Default: the server's limit. */
  maxTurns?: number | null | undefined
  /** US dollars for the whole run. Default: the server's bound. */
  maxCost?: number | null | undefined
  metadata: NewRun['metadata']
  /** The caller's own trace, for telemetry. */
  traceContext?: TraceContext | undefined
  /** Not before this time. Default: at once. */
  startAt?: number | null | undefined
  /** The due time of a schedule that the run is for. */
  schedule?: NewRun['schedule'] | undefined
  /** Whom the request wants to be told. */
  webhook?: WebhookRequest | null | undefined
  /** The id of a log for this request. Default: none. */
  logId?: string | undefined
  alias?: string | null | undefined
  /** How long the run goes on without a reader, in milliseconds. Default: to its end. */
  unreadMs?: number | null | undefined
  idempotency?: Idempotency | undefined
}

export interface RetryStoredRun extends RunId {
  /** The caller's own trace, for telemetry. */
  traceContext?: TraceContext | undefined
  idempotency?: Idempotency | undefined
}

export interface CancelStoredRun extends RunId {
  mode: CancelMode
  /** How long to wait for the end, in milliseconds. */
  waitMs: number
  idempotency?: Idempotency | undefined
}

/** Accepts, works on, follows and stops stored runs. Reads that change nothing go to `store`. */
export interface StoredRuns {
  readonly store: RunStore
  /** Who reads streams of runs in this process. */
  readonly readers: RunReaders
  /**
   * Accepts a run and starts it when its turn has come. It is stored when this resolves.
   * @throws SHUTTING_DOWN, THREAD_BUSY, THREAD_QUEUE_FULL, OVERLOADED, NOT_FOUND, IDEMPOTENCY_MISMATCH, INVALID_REQUEST
   *   (client_config with keys that nothing can seal where this process does not work), STORE_UNAVAILABLE
   */
  start(request: StartStoredRun): Promise<Admitted>
  /**
   * Starts a run from the request of one that has ended.
   * @throws NOT_FOUND, RUN_ACTIVE, EVENTS_EXPIRED when the request is no longer kept, NOT_REPEATABLE, and what `start` throws
   */
  retry(request: RetryStoredRun): Promise<Admitted>
  /** Sends a webhook again, with all its attempts. @throws NOT_FOUND, STORE_UNAVAILABLE */
  redrive(request: Owned & { webhookId: string }): Promise<WebhookRecord>
  /** Stops a run and waits for its end. @throws NOT_FOUND, RUN_ENDED, IDEMPOTENCY_MISMATCH, STORE_UNAVAILABLE */
  cancel(request: CancelStoredRun): Promise<{ run: RunRecord; settled: boolean; replayed: boolean }>
  /**
   * Leaves a message for an agent of a live run, which takes it before its next model call.
   * @throws NOT_FOUND, RUN_ENDED, AGENT_NOT_IN_RUN, AGENT_AMBIGUOUS, STEER_LIMIT, IDEMPOTENCY_MISMATCH, STORE_UNAVAILABLE
   */
  steer(request: SteerStoredRun): Promise<{ steer: SteerRecord; replayed: boolean }>
  /** Lets an agent of a live run, or the whole run, wait at the next turn boundary. @throws as `steer` does */
  pause(request: PauseStoredRun): Promise<Admitted>
  /** Ends pauses. @throws RUN_PAUSED for one agent of a run that is paused as a whole, and as `steer` does */
  continue(request: ContinueStoredRun): Promise<Admitted>
  /** Decides an approval. @throws NOT_FOUND, APPROVAL_DECIDED, APPROVAL_EXPIRED, INVALID_REQUEST, STORE_UNAVAILABLE */
  decide(request: DecideApproval): Promise<Admitted>
  /** The run once it has ended or paused, or as it is after `ms`. @throws NOT_FOUND, STORE_UNAVAILABLE */
  wait(id: RunId, ms: number, signal: AbortSignal): Promise<RunRecord>
  /**
   * Its events after a number, then those to come, from the memory of this process where it works on the run. Ends after the
   * run's last event. @throws NOT_FOUND, EVENTS_EXPIRED, STORE_UNAVAILABLE
   */
  follow(id: RunId, after: number, signal: AbortSignal): AsyncIterable<readonly NumberedEvent[]>
  /** Its stored events from the first to a number. @throws NOT_FOUND, EVENTS_EXPIRED, STORE_UNAVAILABLE */
  replay(id: RunId, upTo: number): AsyncIterable<readonly NumberedEvent[]>
}

export interface DecideApproval extends RunId {
  approvalId: string
  decision: { kind: 'approve'; arguments?: { [name: string]: unknown } } | { kind: 'reject'; reason?: string }
  idempotency?: Idempotency | undefined
}

export interface ContinueStoredRun extends RunId, BranchAddress {
  idempotency?: Idempotency | undefined
}

export interface PauseStoredRun extends ContinueStoredRun {
  /** How long, in milliseconds. */
  ms: number
}

export interface SteerStoredRun extends ContinueStoredRun {
  agent: string
  text: string
}
