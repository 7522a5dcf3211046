/** Reads how answers end: failures, finish reasons, and answers that were cut off. */
import { modelFailed } from '../base/model-errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ModelResponse, ResponseEvent } from './model.ts'

/** A failure that a provider reports. `status` is the HTTP status in it, which decides about a retry. */
export class ModelError extends Error {
  readonly status: number | undefined
  constructor(message: string, status?: number) {
    super(message)
    this.status = status
  }
}

/**
 * The failure that an answer reports, in any shape: `error` as an object, text or list, the error objects of vLLM,
 * FastAPI and MiniMax, or a list around any of them (Gemini). Undefined for an answer, and for a chunk without content.
 *
 * @param whole nothing follows, so a message without an answer is a failure too
 */
export function failureIn(answer: unknown, whole = false): ModelError | undefined {
  const json = Array.isArray(answer) ? answer[0] : answer
  if (!isObject(json)) return undefined
  if (tellsFailure(json.error)) return toModelError(json.error, json)
  if (tellsFailure(json.errors)) return toModelError(json.errors, json)
  if (json.object === 'error' || json.type === 'error' || FAILED_STATUS.has(json.status))
    return toModelError(json, json)
  if (isFilled(json.choices) || isFilled(json.output) || isFilled(json.content)) return undefined
  if (json.success === false) return toModelError(json, json)
  if (isObject(json.base_resp))
    return isGood(json.base_resp.status_code) ? undefined : toModelError(json.base_resp, json)
  if (isGood(json.code ?? json.error_code)) return undefined
  const named = ['error_message', 'error_msg', 'error_type', 'error_code'].some((key) => tellsFailure(json[key]))
  return named || (whole && wordsOf(json) !== undefined) ? toModelError(json, json) : undefined
}

const FAILED_STATUS = new Set<unknown>(['failed', 'error'])
const isFilled = (value: unknown) => (Array.isArray(value) ? value.length > 0 : isObject(value))
const isGood = (code: unknown) => /^(0|200)$/.test(String(code))

/** False for null, an empty text or object, and the codes 0 and 200. */
function tellsFailure(error: unknown): boolean {
  if (!isObject(error)) return Array.isArray(error) ? error.some(tellsFailure) : Boolean(error)
  return !isGood(error.code) && Object.values(error).some((value) => value !== null && value !== '')
}

const toModelError = (told: unknown, json: JsonObject) =>
  new ModelError(wordsOf(told) ?? wordsOf(json) ?? NO_REASON, statusIn([told, json]))

const NO_REASON = 'The model reported a failure without a reason.'
const WORDS = [
  'message',
  'error_message',
  'msg',
  'error_msg',
  'status_msg',
  'detail',
  'error',
  'errors',
  'reason',
  'fault',
  'faultstring',
]

/** The first text that describes the failure. */
function wordsOf(told: unknown, depth = 0): string | undefined {
  if (typeof told === 'string') return told.trim() === '' ? undefined : told
  if (depth > 4) return undefined
  const inside = Array.isArray(told) ? told : isObject(told) ? WORDS.map((name) => told[name]) : []
  for (const value of inside) {
    const words = wordsOf(value, depth + 1)
    if (words !== undefined) return words
  }
  // Without a text, a code is better than nothing.
  if (!isObject(told) || depth === 0) return undefined
  return (
    [told.code, told.type].filter((value) => typeof value === 'string' || typeof value === 'number').join(' ') ||
    undefined
  )
}

const CODES = ['code', 'status', 'status_code', 'statusCode', 'http_code', 'error_code', 'type', 'error_type']
/** Codes that are names, with their HTTP status. */
const NAMED_STATUS: readonly [RegExp, number][] = [
  [/rate.?limit|too.?many|throttl|exhausted|quota/i, 429],
  [/overload|capacity|unavailable|busy/i, 503],
  [/invalid|bad.?request|not.?found|auth|permission|forbidden|length|unsupported/i, 400],
  [/server.?error|internal|time.?d?.?out|gateway/i, 500],
]

function statusIn(told: readonly unknown[]): number | undefined {
  const codes = told
    .flatMap((one) => (Array.isArray(one) ? one : [one]))
    .filter(isObject)
    .flatMap((one) => CODES.map((name) => one[name]))
  const number = codes.map(Number).find((code) => code >= 400 && code < 600)
  if (number !== undefined) return number
  for (const code of codes)
    if (typeof code === 'string') for (const [name, status] of NAMED_STATUS) if (name.test(code)) return status
  return undefined
}

const TERMINAL = /^(error|response\.(completed|done|incomplete|failed|cancelled|canceled|error))$/

/** True for the last event of a Responses stream, by the names of OpenAI and of gateways. */
export const isTerminal = (type: string): boolean => TERMINAL.test(type)

/** The failure that the last event of a stream reports. When its type and its response differ, the worse one counts. */
export function failureOf({ type, ...event }: ResponseEvent): ModelError | undefined {
  const { response } = event
  const failed = failureIn(response) ?? failureIn(event)
  if (failed !== undefined) return failed
  const status = isObject(response) ? response.status : undefined
  const isFailure = /error|failed|cancel/.test(`${type} ${status}`)
  return isFailure ? (failureIn({ ...event, type: 'error' }) as ModelError) : undefined
}

/** True for the beginning of a web page, the answer of a wrong address or a proxy. */
export const isWebPage = (text: string): boolean => /^\s*</.test(text)

export const webPageError = (): Error =>
  modelFailed(
    "The model's address answered with a web page (HTML) instead of JSON. Check the address: a base URL often ends in /v1.",
  )

/** How an answer ended. `reason` is safe to show: `max_output_tokens`, `content_filter`, or the provider's own reason. */
export type Ending =
  | { kind: 'complete' }
  /** An unknown reason, or one such as `tool_calls`: accepted when the answer has content, a failure when it is empty. */
  | { kind: 'unknown'; reason: string }
  | { kind: 'cut'; reason: string }
  | { kind: 'failed'; reason: string }

const FAILED =
  /error|malformed|unexpected|too_many|missing|abort|insufficient|overload|unavailable|exception|fail|cancel|interrupt/
const FILTERED = /filter|safety|recitation|prohibit|block|spii|sensitive|refus|guardrail|toxic|policy|moderat/
const CUT = /length|max|limit|window|pause|truncat|incomplete|time/
const COMPLETE = /^(stop|end|eos|complete|finish|done$)/
/** The Responses API has one reason for a token limit. */
const TOKENS = /^(length|model_length|max)|max_(output_)?tokens/

/**
 * The meaning of finish reasons, one rule for all providers' names (`length`, `MAX_TOKENS`, `content-filter`, `SAFETY`, `refusal`,
 * `MALFORMED_FUNCTION_CALL`, ...). Of several reasons (the AI SDK's and its provider's) the worst counts.
 */
export function endingOf(...reasons: readonly unknown[]): Ending {
  const words = reasons.flatMap((reason) => (isObject(reason) ? [reason.unified, reason.type, reason.raw] : [reason]))
  const said = words.flatMap((word) => (typeof word === 'string' && word !== '' ? [toName(word)] : []))
  const last = (kind: RegExp) => said.findLast((word) => kind.test(word))
  const failed = last(FAILED)
  if (failed !== undefined) return { kind: 'failed', reason: failed }
  const cut = last(FILTERED) ?? last(CUT)
  if (cut !== undefined) return { kind: 'cut', reason: reasonName(cut) }
  if (said.length === 0 || said.some((word) => COMPLETE.test(word))) return { kind: 'complete' }
  return { kind: 'unknown', reason: said.join(' ') }
}

/** The error for an answer with a reason and no content. */
export const stoppedBy = ({ reason }: { reason: string }) =>
  modelFailed(`The model stopped with the reason "${reason}".`)

/** The finish reason in an answer or chunk of Chat Completions or of the AI SDK; undefined where there is none. */
export function finishReasonIn(answer: unknown): unknown {
  if (!isObject(answer)) return undefined
  const choice = Array.isArray(answer.choices) ? answer.choices[0] : undefined
  return isObject(choice) ? (choice.finish_reason ?? undefined) : (answer.finishReason ?? undefined)
}

const toName = (word: string) => word.toLowerCase().replaceAll('-', '_')

/** A reason that callers may see. Only a plain name passes: a provider's sentence may quote private data. */
export function reasonName(reason: unknown): string {
  const name = typeof reason === 'string' ? toName(reason) : ''
  if (!/^[a-z_]{1,40}$/.test(name)) return 'unknown'
  return TOKENS.test(name) ? 'max_output_tokens' : FILTERED.test(name) ? 'content_filter' : name
}

/**
 * Why an answer is incomplete; undefined for a complete one. The only reader of `status` for every model and both endpoints.
 * @throws MODEL_FAILED when the answer failed
 */
export function cutReason(response: ModelResponse): string | undefined {
  const { status, incomplete_details: details, output } = response
  const failure = failureIn(response)
  if (failure !== undefined) throw modelFailed(failure.message, failure)
  if (status === 'cancelled' || status === 'canceled') throw modelFailed('The provider cancelled the answer.')
  if ((status === 'queued' || status === 'in_progress') && output.length === 0)
    throw modelFailed('The provider answered before the model did.')
  const isNamed = isObject(details) && typeof details.reason === 'string'
  const isCut =
    status === 'incomplete' || isNamed || output.findLast(({ type }) => type === 'message')?.status === 'incomplete'
  return isCut ? reasonName(isObject(details) ? details.reason : undefined) : undefined
}
