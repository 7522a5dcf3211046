/** Retries model calls that failed for a temporary reason. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AgencyError } from '../base/errors.ts'
import { ModelTimeout } from '../base/model-errors.ts'
import { isObject } from '../wire/json.ts'
import type { TurnRequest } from './model.ts'

/** Most retries of one model call, for all reasons together. */
const RETRIES = 2
/** The longest wait that a provider's Retry-After can ask for, in milliseconds. */
const MAX_RETRY_AFTER_MS = 20_000
const FIRST_WAIT_MS = 500

/** How long a model call is retried. */
export interface RetryBounds {
  signal: AbortSignal
  /** No attempt begins later than this after the first one did, in milliseconds. */
  withinMs: number
  /** Awaited before each retry; an error that it throws ends the call. */
  onRetry?: TurnRequest['onRetry']
}

/**
 * Makes one model call, and retries it after a temporary failure: 408, 409, 429, 5xx, or a connection that could not be made or
 * broke. `attempt` settles with the first event that a caller could see, so no event is sent twice. A limit of ours that
 * was reached is not retried.
 * @throws the error of the last attempt; the signal's reason after an abort
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { signal, withinMs, onRetry }: RetryBounds,
): Promise<T> {
  const latest = performance.now() + withinMs
  for (let retry = 0; ; retry++) {
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      const waitMs = retry < RETRIES ? waitBefore(retry, error) : undefined
      if (waitMs === undefined || performance.now() + waitMs > latest) throw error
      await onRetry?.(error)
      await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    }
  }
}

/** The wait before the next attempt, in milliseconds; undefined when no attempt follows. */
export function waitBefore(retry: number, error: unknown): number | undefined {
  const causes = causesOf(error)
  if (causes.some(({ lasting }) => lasting)) return undefined
  const refusal = causes.find(({ status }) => status !== undefined)
  if (refusal?.status === undefined) return causes.some(isBroken) ? backoff(retry) : undefined
  if (refusal.status < 500 && ![408, 409, 429].includes(refusal.status)) return undefined
  return Math.min(MAX_RETRY_AFTER_MS, askedFor(refusal.headers) ?? backoff(retry))
}

/** Our own errors that are thrown before anything is sent. */
const UNSENT = /^(MISSING_API_KEY|MODEL_NOT_SUPPORTED|PROVIDER_NOT_INSTALLED|GATEWAY_REFUSED|INVALID_OPTION)$/
/** No connection was made, so nothing was sent. */
const UNREACHED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/
/** A gateway timed out while its provider may still be working. */
const GAVE_UP = [408, 504, 520, 522, 524]

/** True for a call that the provider cannot have charged: it was refused or never sent. */
export function isUnbilled(error: unknown): boolean {
  const causes = causesOf(error)
  const refusal = causes.find(({ status }) => status !== undefined)
  if (refusal?.status !== undefined) return refusal.status >= 400 && !GAVE_UP.includes(refusal.status)
  return causes.some(({ code }) => UNSENT.test(code) || UNREACHED.test(code))
}

/** Timeouts of a user's own fetch. Ours throw a ModelTimeout. */
const FOREIGN_TIMEOUT = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/
/** Our own limits and rules: a retry would meet them again. */
const isLasting = (cause: Error, code: unknown) =>
  cause instanceof ModelTimeout || FOREIGN_TIMEOUT.test(String(code)) || code === 'GATEWAY_REFUSED'
const BROKEN =
  /^(ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|UND_ERR_SOCKET|UND_ERR_CONNECT_TIMEOUT|HPE_\w+)$/
/** A connection error that a new connection may not have. */
const isBroken = ({ code, kind }: Failure) => BROKEN.test(code) || kind === 'APIConnectionError'

/** The fields that the clients' errors share. */
interface Failure {
  kind: string
  /** A retry would fail in the same way. */
  lasting: boolean
  code: string
  status: number | undefined
  headers: unknown
}

/** A failure and its causes, outermost first. */
function causesOf(error: unknown): Failure[] {
  const found: Failure[] = []
  for (let cause = error; cause instanceof Error && found.length < 8; cause = cause.cause) {
    const { code, status, statusCode, headers, responseHeaders } = cause as Error & { [key: string]: unknown }
    const answered = AgencyError.isInstance(cause) ? undefined : (status ?? statusCode)
    found.push({
      kind: cause.constructor.name,
      lasting: isLasting(cause, code),
      code: String(code),
      status: typeof answered === 'number' ? answered : undefined,
      headers: headers ?? responseHeaders,
    })
  }
  return found
}

/** Half a second, doubled each time, minus up to a quarter, so that callers do not retry at the same moment. */
const backoff = (retry: number) => FIRST_WAIT_MS * 2 ** retry * (1 - Math.random() / 4)

/** The wait in a Retry-After header, in milliseconds. */
function askedFor(headers: unknown): number | undefined {
  const read = (name: string): string => {
    if (!isObject(headers)) return ''
    return String((typeof headers.get === 'function' ? headers.get(name) : headers[name]) ?? '')
  }
  const inMs = Number.parseFloat(read('retry-after-ms'))
  if (inMs >= 0) return inMs
  const value = read('retry-after')
  const ms = /^\s*[\d.]+\s*$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return ms >= 0 ? ms : undefined
}
