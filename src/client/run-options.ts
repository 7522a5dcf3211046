/** Options of the client's requests about runs, threads and approvals. */
import type { CancelMode } from './answers.ts'
import type { Frame } from './events.ts'
import type { CallOptions } from './http.ts'
import type { RetryOptions } from './retries.ts'
import type { Approval, RunStatus, Webhook } from './run-answers.ts'

/** Options of `runs.stream`, `runs.events` and `threads.stream`. */
export interface FollowOptions extends CallOptions, RetryOptions {
  /**
   * Silence after which the connection counts as broken, in milliseconds. A server sends a comment after 15 s.
   * @default 45000
   */
  silenceMs?: number
  /** Called with every server-sent event before it is parsed, for inspectors and logs; also with those that are void. */
  onFrame?: (frame: Frame) => void
}

/** Options of a request that changes something. The client repeats it with one key when the connection breaks. */
export interface ChangeOptions extends CallOptions, RetryOptions {
  /** 1 to 255 visible ASCII characters: the server does the same request with the same key only once. @default a random key */
  idempotencyKey?: string
}

/** Options of `approve`. All are optional. */
export interface ApproveOptions extends ChangeOptions {
  /** Replace the arguments of the call; the server checks them against the tool's schema. @default those of the call */
  arguments?: { [name: string]: unknown }
}

/** Options of `reject`. All are optional. */
export interface RejectOptions extends ChangeOptions {
  /** What the model reads, at most 4,096 characters. @default a sentence of the server */
  reason?: string
}

/** How to cancel a run. All fields are optional. */
export interface CancelOptions {
  /** `immediate` stops at once, `after_turn` lets the current turn and its tools finish. @default 'immediate' */
  mode?: CancelMode
  /** How long the server waits for the end of the run before it answers, in milliseconds, at most 60,000. @default 10000 */
  waitMs?: number
}

/** The filter of `runs.list`. All fields are optional. */
export interface RunFilter {
  thread_id?: string
  status?: RunStatus
}

/** The filter of `approvals.list`. All fields are optional. */
export interface ApprovalFilter {
  thread_id?: string
  /** @default 'pending' */
  status?: Approval['status']
}

/** The filter of `webhooks.list`. All fields are optional. */
export interface WebhookFilter {
  run_id?: string
  status?: Webhook['status']
}

/** Which part of a list to read. */
export interface PageOptions {
  /** Rows of a page, 1 to 100. @default 20 */
  limit?: number
  /** `next` of an earlier page. @default the beginning */
  after?: string
}
