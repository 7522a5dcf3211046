import type { ValidationDetail } from '../wire/validation.ts'
import type { RunResult } from './answers.ts'

/**
 * What went wrong, for code to decide on:
 * `unauthorized` 401, 403 · `not_found` 404 · `conflict` 409 · `too_large` 413 · `invalid_request` 400, 422 · `rate_limited` 429 ·
 * `unavailable` 503 · `failed` the run or tool itself failed · `http` any other refusal · `network` no answer · `aborted` by
 * your signal, or the stream was left · `incomplete` a stream that broke off · `bad_answer` not what such a server says ·
 * `busy` the conversation is still waiting for an answer.
 */
export type ClientErrorKind =
  | 'unauthorized'
  | 'not_found'
  | 'conflict'
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

interface Facts extends ErrorOptions {
  status?: number | undefined
  details?: readonly ValidationDetail[] | undefined
  retryAfterMs?: number | undefined
  result?: RunResult | undefined
}

/** Every failure of the client. The message is the server's own sentence where it sent one. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly kind: ClientErrorKind
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined
  /** The entries of a 422 (`type`, `loc`, `msg`, `input`); empty for everything else. */
  readonly details: readonly ValidationDetail[]
  /** How long the server asks to wait before the next try, in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** What a failed run left: its messages belong into the history. Only on streams, with kind `failed`. */
  readonly result: RunResult | undefined

  constructor(kind: ClientErrorKind, message: string, facts: Facts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined)
    this.kind = kind
    this.status = facts.status
    this.details = facts.details ?? []
    this.retryAfterMs = facts.retryAfterMs
    this.result = facts.result
  }
}

const KINDS: { [status: number]: ClientErrorKind } = {
  400: 'invalid_request',
  401: 'unauthorized',
  403: 'unauthorized',
  404: 'not_found',
  409: 'conflict',
  413: 'too_large',
  422: 'invalid_request',
  429: 'rate_limited',
  500: 'failed',
  503: 'unavailable',
}

/** The error in an answer that is none: `body` is its parsed JSON, or undefined where it was something else. */
export function refusal(response: Response, body: unknown): ClientError {
  const { status, headers } = response
  const { detail, error, Error: toolError } = (body ?? {}) as { [key: string]: unknown }
  const details = Array.isArray(detail) ? (detail as ValidationDetail[]) : []
  const text = details.length > 0 ? details.map(sentence).join('; ') : (detail ?? error ?? toolError)
  return new ClientError(
    KINDS[status] ?? 'http',
    typeof text === 'string' && text !== '' ? text : `The server answered ${status} without a reason.`,
    { status, details, retryAfterMs: retryAfter(headers.get('retry-after')) },
  )
}

/** Whatever was thrown on the way to an answer, or while it was read. */
export function interruption(error: unknown, signal: AbortSignal | undefined): ClientError {
  if (error instanceof ClientError) return error
  if (signal?.aborted) return new ClientError('aborted', 'The request was aborted.', { cause: signal.reason })
  return new ClientError('network', `The server cannot be reached, or the connection broke: ${reason(error)}.`, {
    cause: error,
  })
}

/** fetch says "fetch failed" and keeps the reason in the cause. */
function reason(error: unknown): string {
  const { message, code, cause } = (error ?? {}) as { message?: string; code?: string; cause?: unknown }
  return cause === undefined ? message || code || String(error) : reason(cause)
}

const sentence = ({ loc, msg }: ValidationDetail) => `${loc?.slice(1).join('.') || loc?.[0] || 'request'}: ${msg}`

/** Seconds or a date, as a wait in milliseconds. */
function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}
