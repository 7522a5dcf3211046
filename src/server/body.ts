/** Reads request bodies within their bounds. */
import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { takeTurn } from '../base/async.ts'
import { type Budget, VALUE_BYTES } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import { clientGone, tooLarge, unsupportedBody } from '../base/request-errors.ts'
import { runTooLarge } from '../base/run-errors.ts'
import { Pieces } from '../net/pieces.ts'
import { type JsonBounds, JsonRefused } from '../wire/json.ts'
import { faultOf } from '../wire/json-fault.ts'
import { JsonText } from '../wire/json-pieces.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { valueError } from '../wire/validation.ts'

/** The position of the first mistake is searched for in bodies up to this size. */
const SHORT_BYTES = 256 * 1024
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i

type Payload = NodeJS.ReadableStream & FastifyRequest['raw']

/** Where a request carries its budget. */
const BUDGET = Symbol('budget')

/** The budget that a request is charged to, from its body to the last byte of its answer. */
export const budgetOf = ({ raw }: FastifyRequest): Budget => (raw as unknown as { [BUDGET]: Budget })[BUDGET]

/**
 * Reads bodies in this scope: JSON or nothing. What its headers rule out is not read. A body is charged to the budget of its
 * request while it arrives: its bytes, and what its values will take.
 * Answers 413, 415, 503 (the process is full), and 422 with FastAPI's details for what is not JSON or beyond its bounds.
 */
export function readBodies(scope: FastifyInstance, limits: Limits, process: Budget): void {
  const { bodyBytes } = limits
  const bounds = { depth: limits.jsonDepth, keys: limits.jsonKeys, values: limits.jsonValues }
  const own = { bound: limits.runBytes, refuse: runTooLarge }
  scope.addHook('preParsing', (request: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void) => {
    const budget = process.part(own)
    Object.assign(request.raw, { [BUDGET]: budget })
    reply.raw.once('close', () => budget.close())
    done()
  })
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', async (request: FastifyRequest, payload: Payload) => {
    if (Number(request.headers['content-length'] ?? 0) > bodyBytes) throw tooLarge(413, 'body', bodyBytes)
    const json = isJson(request.headers)
    const body = new Body(budgetOf(request), json ? bounds : undefined)
    let bytes = 0
    const whole = await collect(payload, (chunk) => {
      bytes += chunk.length
      if (bytes > bodyBytes) throw tooLarge(413, 'body', bodyBytes)
      body.add(chunk)
    })
    return json || whole.length === 0 ? body.parse(whole) : ofAnotherKind(whole)
  })
}

/** A longer body that is not JSON is not repeated to its sender. */
const SHOWN_CHARS = 4_096
/** Bodies that match may contain secrets: they are not repeated. */
const MAY_HOLD_SECRETS = /context|config|forwarded|key|token|secret|password|authori|header|cookie|:\//i

/** Bodies that are not JSON are passed on as a string, so that validation answers 422 as FastAPI does. */
function ofAnotherKind(body: Buffer): string {
  const text = body.toString('utf8')
  return text.length > SHOWN_CHARS || MAY_HOLD_SECRETS.test(text) ? '[redacted]' : text
}

/** @throws UNSUPPORTED_BODY for an encoding or charset that is not read */
function isJson(headers: FastifyRequest['headers']): boolean {
  const {
    'content-type': type = '',
    'content-encoding': encoding = 'identity',
    'transfer-encoding': transfer,
  } = headers
  if (encoding.toLowerCase() !== 'identity') throw unsupportedBody('Content-Encoding')
  // Node takes "gzip, chunked" for chunked alone (RFC 9112, 6.1).
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked')
    throw unsupportedBody('A Transfer-Encoding other than chunked')
  const charset = CHARSET.exec(type)?.[1]?.toLowerCase() ?? 'utf-8'
  if (!/^(utf-?8|us-ascii)$/.test(charset)) throw unsupportedBody('A charset other than UTF-8')
  return JSON_TYPE.test(type)
}

/** A body on its way in. */
class Body {
  readonly #budget: Budget
  readonly #json: JsonText | undefined
  #refusal: JsonRefused | undefined

  /** @param bounds undefined: it is not JSON */
  constructor(budget: Budget, bounds: JsonBounds | undefined) {
    this.#budget = budget
    this.#json = bounds && new JsonText(bounds)
  }

  /** @throws TOO_LARGE, OVERLOADED */
  add(chunk: Buffer): void {
    const json = this.#json
    this.#budget.charge(chunk.length)
    if (json === undefined || this.#refusal !== undefined) return
    const before = json.values
    try {
      json.add(chunk)
    } catch (error) {
      if (!(error instanceof JsonRefused)) throw error
      this.#refusal = error // the answer waits for the rest: it may turn out not to be JSON or UTF-8
    }
    this.#budget.charge((json.values - before) * VALUE_BYTES)
  }

  /** @throws RequestInvalid, TOO_LARGE, OVERLOADED */
  async parse(whole: Buffer): Promise<unknown> {
    if (whole.length === 0 || this.#json === undefined) return undefined
    if (!isUtf8(whole)) throw notJson(0, 'The body is not UTF-8')
    if (this.#refusal !== undefined) throw refused(this.#refusal)
    this.#budget.charge(whole.length) // the bytes and what is made of them, side by side
    try {
      return await this.#json.parse(whole)
    } catch (error) {
      if (error instanceof JsonRefused) throw refused(error)
      const offset = whole.length > SHORT_BYTES ? whole.length : faultOf(withoutMark(whole.toString('utf8')))
      throw notJson(offset, 'The body is not valid JSON')
    } finally {
      this.#budget.release(whole.length)
    }
  }
}

const refused = ({ message }: JsonRefused) => new RequestInvalid([valueError(['body'], message, null)])

/** With a byte order mark it is JSON too. */
const withoutMark = (text: string) => (text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)

/** What a body may bring before its further pieces wait for turns. */
const AT_ONCE_BYTES = 64 * 1024

/**
 * The whole body; `take` is given every piece and may throw to stop. Each further piece of a large body waits for a turn of
 * the event loop: a socket has up to two megabytes for one turn, and many sockets have something at once.
 * @throws CLIENT_GONE
 */
function collect(payload: Payload, take: (piece: Buffer) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let pieces = new Pieces()
    let atOnce = AT_ONCE_BYTES
    const settle = (error?: unknown) => {
      payload.off('data', onData).off('end', settle).off('error', onGone).off('close', onGone)
      if (error === undefined) resolve(pieces.whole())
      else reject(error)
      pieces = new Pieces() // nothing is held on to
    }
    const onData = (chunk: Buffer) => {
      pieces.add(chunk)
      try {
        take(chunk)
      } catch (error) {
        settle(error) // the rest flows into nothing until the answer closes the connection
        return
      }
      atOnce -= chunk.length
      if (atOnce > 0) return
      payload.pause()
      void takeTurn('further').then(() => payload.resume())
    }
    const onGone = () => settle(clientGone())
    payload.on('data', onData).on('end', settle).on('error', onGone).on('close', onGone)
  })
}

const notJson = (offset: number, error: string) =>
  new RequestInvalid([
    { type: 'json_invalid', loc: ['body', offset], msg: 'JSON decode error', input: {}, ctx: { error } },
  ])
