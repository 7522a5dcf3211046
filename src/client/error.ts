/** ClientError, and how HTTP answers and network failures become one. */
import type { ValidationDetail } from '../wire/validation.ts'
import type { RunResult } from './answers.ts'
import type { Run } from './run-answers.ts'

/**
 * What went wrong:
 * `unauthorized` 401, 403 · `not_found` 404 · `conflict` 409 · `gone` 410 · `too_large` 413 · `invalid_request` 400, 422 · `rate_limited` 429 ·
 * `unavailable` 503 · `failed` the run or tool failed · `http` any other error status · `network` no answer · `aborted` your
 * signal aborted, or the reader left the stream · `incomplete` the stream broke off · `bad_answer` the answer is not one of an
 * agency server · `busy` the conversation has a running turn.
 */
export type ClientErrorKind =
  | 'unauthorized'
  | 'not_found'
  | 'conflict'
  | 'gone'
  | 'too_large'
  | 'invalid_request'
  | 'rate_limited'
  | 'unavailable'
  | 'failed'
  | 'http'
  | 'network'
  | 'aborted'
  | 'incomplete'
  | 'bad_answer'
  | 'busy'

interface Details extends ErrorOptions {
  status?: number | undefined
  details?: readonly ValidationDetail[] | undefined
  retryAfterMs?: number | undefined
  result?: RunResult | undefined
  code?: string | undefined
  fields?: { readonly [name: string]: unknown } | undefined
  run?: Run | undefined
}

/** The error of every failed call. The message is the server's own text when it sent one. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly kind: ClientErrorKind
  /** The HTTP status; undefined when no answer arrived. */
  readonly status: number | undefined
  /** The validation errors of a 422 (`type`, `loc`, `msg`, `input`); empty for all other errors. */
  readonly details: readonly ValidationDetail[]
  /** The server's `Retry-After`, in milliseconds; undefined when it sent none. */
  readonly retryAfterMs: number | undefined
  /** The result of a failed run: append its messages to the history. Only on streams, with kind `failed`. */
  readonly result: RunResult | undefined
  /**
   * The server's code for a refusal by runs, threads and approvals, such as `THREAD_BUSY`, or for the failure of such a run,
   * such as `MODEL_FAILED` (docs/errors.md). Undefined for all other errors.
   */
  readonly code: string | undefined
  /** What belongs to the code: `{ run_id }` of `THREAD_BUSY`, `{ status }` of `APPROVAL_DECIDED`. Else empty. */
  readonly fields: { readonly [name: string]: unknown }
  /** The failed run. Only of `runs.stream` and `runs.events`, with kind `failed`. */
  readonly run: Run | undefined

  constructor(kind: ClientErrorKind, message: string, options: Details = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.kind = kind
    this.status = options.status
    this.details = options.details ?? []
    this.retryAfterMs = options.retryAfterMs
    this.result = options.result
    this.code = options.code
    this.fields = options.fields ?? {}
    this.run = options.run
  }
}

const KINDS: { [status: number]: ClientErrorKind } = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'not_found',
  409: 'conflict',
  410: 'gone',
  413: 'too_large',
  422: 'invalid_request',
  429: 'rate_limited',
  500: 'failed',
  503: 'unavailable',
}

/** A ClientError for a non-2xx response. `body` is the parsed JSON, or undefined when the body is not JSON. */
export function refusal(response: Response, body: unknown): ClientError {
  const { status, headers } = response
  const { detail, error, Error: toolError, code, ...fields } = (body ?? {}) as { [key: string]: unknown }
  const details = Array.isArray(detail) ? (detail as ValidationDetail[]) : []
  const text = details.length > 0 ? details.map(describeDetail).join('; ') : (detail ?? error ?? toolError)
  return new ClientError(
    KINDS[status] ?? 'http',
    typeof text === 'string' && text !== '' ? text : `The server answered ${status} without a reason.`,
    {
      status,
      details,
      retryAfterMs: readRetryAfter(headers.get('retry-after')),
      ...(typeof code === 'string' ? { code, fields } : {}),
    },
  )
}

/** A ClientError for an error thrown while the request was sent or its answer was read. */
export function interruption(error: unknown, signal: AbortSignal | undefined): ClientError {
  if (error instanceof ClientError) return error
  if (signal?.aborted) return new ClientError('aborted', 'The request was aborted.', { cause: signal.reason })
  return new ClientError('network', `The server cannot be reached, or the connection broke: ${findReason(error)}.`, {
    cause: error,
  })
}

/** The innermost cause: `fetch` only says "fetch failed" and puts the reason into `cause`. */
function findReason(error: unknown): string {
  const { message, code, cause } = (error ?? {}) as { message?: string; code?: string; cause?: unknown }
  return cause === undefined ? message || code || String(error) : findReason(cause)
}

const describeDetail = ({ loc, msg }: ValidationDetail) => `${loc?.slice(1).join('.') || loc?.[0] || 'request'}: ${msg}`

/** `Retry-After` in milliseconds: the header holds seconds or an HTTP date (RFC 9110, section 10.2.3). */
function readRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}
