/** Errors in OpenAI's shape. */
import { isObject } from '../../wire/json.ts'
import type { OpenAiError } from '../../wire/openai.ts'

/** @param status of the answer, which decides the type */
export const toError = (
  status: number,
  { message, code = null, param = null }: { message: string; code?: string | null; param?: string | null },
): OpenAiError => ({ error: { message, type: typeOf(status), param, code } })

function typeOf(status: number): string {
  if (status >= 500) return 'server_error'
  return status === 429 ? 'rate_limit_error' : 'invalid_request_error'
}

/** What OpenAI calls the errors that its clients look for. */
const CODES: { readonly [status: number]: string } = {
  401: 'invalid_api_key',
  429: 'rate_limit_exceeded',
}
const KNOWN: { readonly [code: string]: string } = {
  THREAD_BUSY: 'conversation_locked',
}
/** Refusals that OpenAI answers with 400. */
const INVALID = new Set([409, 422])

/** The refusal of any route in OpenAI's shape; undefined for a body that is in it already. */
export function translateRefusal(status: number, body: unknown): { status: number; body: OpenAiError } | undefined {
  if (!isObject(body) || isObject(body.error)) return undefined
  const own = typeof body.code === 'string' ? (KNOWN[body.code] ?? body.code.toLowerCase()) : null
  const code = CODES[status] ?? own
  const { message, param } = readDetail(body)
  const answered = INVALID.has(status) ? 400 : status
  return { status: answered, body: toError(answered, { message, param, code }) }
}

function readDetail({ detail, error }: { [key: string]: unknown }): { message: string; param: string | null } {
  const [first] = Array.isArray(detail) ? detail : []
  if (!isObject(first)) return { message: String(detail ?? error ?? 'The request failed.'), param: null }
  const { loc, msg } = first
  // A place in malformed JSON is a number, and no field.
  const path = Array.isArray(loc) && typeof loc[1] === 'string' ? loc.slice(1).map(String) : []
  const param = path.length === 0 ? null : path.join('.')
  return { message: param === null ? String(msg) : `${param}: ${msg}`, param }
}
