/** Errors of A2A as JSON-RPC errors. */
import { AgencyError } from '../../base/errors.ts'
import { isObject } from '../../wire/json.ts'
import { RequestInvalid } from '../../wire/validation.ts'

const CODES = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL: -32603,
  /** Refused before the protocol begins: the token, a limit, a server that stops. */
  REFUSED: -32000,
  TASK_NOT_FOUND: -32001,
  TASK_NOT_CANCELABLE: -32002,
  PUSH_NOTIFICATION_NOT_SUPPORTED: -32003,
  UNSUPPORTED_OPERATION: -32004,
  VERSION_NOT_SUPPORTED: -32009,
} as const
type Reason = keyof typeof CODES
/** Codes of JSON-RPC itself are from here down. */
const JSON_RPC_CODES = -32600

export interface RpcError {
  code: number
  message: string
  data?: readonly object[]
}

/** A request that the protocol refuses. */
export class A2aRefusal extends Error {
  readonly error: RpcError

  constructor(reason: Reason, message: string) {
    super(message)
    this.error = toRpcError(reason, message)
  }
}

/** Only the protocol's own errors have details; those of JSON-RPC are known by their code. */
function toRpcError(reason: Reason, message: string): RpcError {
  const code = CODES[reason]
  if (code >= CODES.REFUSED || code <= JSON_RPC_CODES) return { code, message }
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'a2a-protocol.org' }
  return { code, message, data: [info] }
}

/** The error of a request that was read; undefined for one that the server answers with a status of HTTP. */
export function findRpcError(error: unknown, redact: (text: string) => string): RpcError | undefined {
  if (error instanceof A2aRefusal) return error.error
  if (error instanceof RequestInvalid) return toRpcError('INVALID_PARAMS', redact(explain(error.details)))
  if (!AgencyError.isInstance(error)) return undefined
  const { code, statusCode, message } = error
  if (code === 'NOT_FOUND') return toRpcError('TASK_NOT_FOUND', 'The task was not found.')
  if (code === 'RUN_ENDED') return toRpcError('TASK_NOT_CANCELABLE', 'The task has ended.')
  const isClientError = statusCode < 500 && statusCode !== 401 && statusCode !== 429
  return isClientError ? toRpcError('INVALID_PARAMS', redact(message)) : undefined
}

/** The refusal of a route in the shape of JSON-RPC; undefined for a body that is in it already. */
export function translateRefusal(status: number, body: unknown): { status: number; error: RpcError } | undefined {
  if (!isObject(body) || body.jsonrpc !== undefined) return undefined
  const { detail, error } = body
  // Clients read errors of the protocol only from answers with status 200.
  if (Array.isArray(detail)) return { status: 200, error: toRpcError('PARSE_ERROR', explain(detail)) }
  const reason = status === 500 ? 'INTERNAL' : 'REFUSED'
  return { status, error: toRpcError(reason, String(detail ?? error ?? 'The request failed.')) }
}

/** Each detail as `parts.0: what is wrong`. */
const explain = (details: readonly { loc?: readonly (string | number)[]; msg?: unknown }[]): string =>
  details.map(({ loc = [], msg }) => [...loc.slice(1), ''].join('.').replace(/\.$/, ': ') + String(msg)).join('; ')
