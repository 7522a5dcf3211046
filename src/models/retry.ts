/** Repeats model calls that failed for a passing reason. */
import { setTimeout as sleep } from 'node:timers/promises'
import { AgencyError, ModelTimeout } from '../base/errors.ts'
import { isObject } from '../wire/json.ts'
import type { TurnRequest } from './model.ts'

/** How often one model call is tried again, whatever the reasons were. */
const RETRIES = 2
/** A provider that asks for more patience gets this much. */
const MAX_RETRY_AFTER_MS = 20_000
const FIRST_WAIT_MS = 500

/** When and how long a model is tried. */
export interface RetryBounds {
  signal: AbortSignal
  /** No attempt begins later than this after the first one did, in milliseconds. */
  withinMs: number
  /** Awaited before each further attempt; an error that it throws ends the call. */
  onRetry?: TurnRequest['onRetry']
}

/**
 * One model call, tried again when what failed will pass: 408, 409, 429, 5xx, or a connection that could not be made or
 * broke. `attempt` settles with the first thing a caller could see, so nothing is ever said twice. A limit of ours that
 * has run out is not tried again.
 * @throws what the last attempt threw; the signal's reason after an abort
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

/** How long to wait before the next attempt, in milliseconds; undefined when there is none. */
export function waitBefore(retry: number, error: unknown): number | undefined {
  const causes = causesOf(error)
  if (causes.some(({ lasting }) => lasting)) return undefined
  const refusal = causes.find(({ status }) => status !== undefined)
  if (refusal?.status === undefined) return causes.some(isBroken) ? backoff(retry) : undefined
  if (refusal.status < 500 && ![408, 409, 429].includes(refusal.status)) return undefined
  return Math.min(MAX_RETRY_AFTER_MS, askedFor(refusal.headers) ?? backoff(retry))
}

/** Errors of ours that come before anything is sent. */
const UNSENT = /^(MISSING_API_KEY|MODEL_NOT_SUPPORTED|PROVIDER_NOT_INSTALLED|GATEWAY_REFUSED|INVALID_OPTION)$/
/** No connection was made, so nothing was asked. */
const UNREACHED = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT)$/
/** A gateway gave up on a provider that may still be working. */
const GAVE_UP = [408, 504, 520, 522, 524]

/** True for a call that its provider cannot have charged: it was refused, or never sent. */
export function isUnbilled(error: unknown): boolean {
  const causes = causesOf(error)
  const refusal = causes.find(({ status }) => status !== undefined)
  if (refusal?.status !== undefined) return refusal.status >= 400 && !GAVE_UP.includes(refusal.status)
  return causes.some(({ code }) => UNSENT.test(code) || UNREACHED.test(code))
}

/** Limits of a fetch that users brought. Ours throw a ModelTimeout. */
const FOREIGN_TIMEOUT = /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/
/** Our own limits and rules: trying again would only double them. */
const isLasting = (cause: Error, code: unknown) =>
  cause instanceof ModelTimeout || FOREIGN_TIMEOUT.test(String(code)) || code === 'GATEWAY_REFUSED'
const BROKEN =
  /^(ECONNRESET|ECONNREFUSED|ECONNABORTED|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|UND_ERR_SOCKET|UND_ERR_CONNECT_TIMEOUT|HPE_\w+)$/
/** A connection that a new one may do better than. */
const isBroken = ({ code, kind }: Failure) => BROKEN.test(code) || kind === 'APIConnectionError'

/** What the clients' errors have in common. */
interface Failure {
  kind: string
  /** A further attempt would fail in the same way. */
  lasting: boolean
  code: string
  status: number | undefined
  headers: unknown
}

/** A failure and what caused it, outermost first. */
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

/** Half a second, doubled each time, less up to a quarter so that callers do not come back together. */
const backoff = (retry: number) => FIRST_WAIT_MS * 2 ** retry * (1 - Math.random() / 4)

/** What Retry-After says, in milliseconds. */
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
