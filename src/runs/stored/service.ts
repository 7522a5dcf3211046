/** Runs as resources: what the HTTP routes and other protocols ask of them. */

import type { AgencyRequest } from '../../wire/requests.ts'
import type { Admitted, CancelMode, Idempotency, NewRun, RunId, RunRecord, RunStore, Strategy } from '../run-store.ts'
import type { TraceContext } from '../span.ts'
import type { NumberedEvent } from './events.ts'

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
  alias?: string | null | undefined
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
  /**
   * Accepts a run and starts it when its turn has come. It is stored when this resolves.
   * @throws SHUTTING_DOWN, THREAD_BUSY, THREAD_QUEUE_FULL, OVERLOADED, NOT_FOUND, IDEMPOTENCY_MISMATCH, INVALID_REQUEST
   *   (client_config with keys that nothing can seal where this process does not work), STORE_UNAVAILABLE
   */
  start(request: StartStoredRun): Promise<Admitted>
  /** Stops a run and waits for its end. @throws NOT_FOUND, RUN_ENDED, IDEMPOTENCY_MISMATCH, STORE_UNAVAILABLE */
  cancel(request: CancelStoredRun): Promise<{ run: RunRecord; settled: boolean; replayed: boolean }>
  /** Decides an approval. @throws NOT_FOUND, APPROVAL_DECIDED, APPROVAL_EXPIRED, INVALID_REQUEST, STORE_UNAVAILABLE */
  decide(request: DecideApproval): Promise<Admitted>
  /** Starts the runs that a write of a route has made claimable. */
  wake(ready: readonly string[]): void
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
