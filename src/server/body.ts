import { isUtf8 } from 'node:buffer'
import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { clientGone, overloaded, tooLarge, unsupportedBody } from '../errors.ts'
import type { Limits } from '../limits.ts'
import { Pieces } from '../net/pieces.ts'
import { checkJson, type JsonBounds, JsonRefused } from '../wire/json.ts'
import { faultOf } from '../wire/json-fault.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { valueError } from '../wire/validation.ts'

/** A body from here on is read in steps, so that others get their turn in between. */
const LARGE_BYTES = 256 * 1024
const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i
const CHARSET = /;\s*charset\s*=\s*"?([^\s;"]*)/i

type Payload = NodeJS.ReadableStream & FastifyRequest['raw']

/**
 * Reads bodies in this scope: JSON or nothing. What its headers rule out is not read.
 * Answers 413, 415, 503 (too many bodies at once), and 422 with FastAPI's details for what is no JSON or beyond its bounds.
 */
export function readBodies(scope: FastifyInstance, limits: Limits): void {
  const { bodyBytes } = limits
  const bounds = { depth: limits.jsonDepth, keys: limits.jsonKeys, values: limits.jsonValues }
  const budget = createBudget(limits.openBodyBytes)
  scope.addHook('preParsing', budget.releaseWhenAnswered)
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', async (request: FastifyRequest, payload: Payload) => {
    if (Number(request.headers['content-length'] ?? 0) > bodyBytes) throw tooLarge(413, 'body', bodyBytes)
    let bytes = 0
    const body = await collect(payload, (more) => {
      bytes += more
      if (bytes > bodyBytes) throw tooLarge(413, 'body', bodyBytes)
      budget.take(request, more)
    })
    return isJson(request.headers) || body.length === 0 ? parse(body, bounds) : ofAnotherKind(body)
  })
}

/** How much of a body that is not JSON is shown to its sender. */
const SHOWN_CHARS = 4_096
/** Names whose values no answer repeats, and addresses. */
const MAY_HOLD_SECRETS = /context|config|forwarded|key|token|secret|password|authori|header|cookie|:\//i

/** A text is no object: it is refused like one by whoever wants fields of it, as in the original. */
function ofAnotherKind(body: Buffer): string {
  const text = body.toString('utf8')
  return text.length > SHOWN_CHARS || MAY_HOLD_SECRETS.test(text) ? '[redacted]' : text
}

/** @throws UNSUPPORTED_BODY for an encoding or charset that is not read */
function isJson(headers: FastifyRequest['headers']): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers
  if (encoding.toLowerCase() !== 'identity') throw unsupportedBody('Content-Encoding')
  const charset = CHARSET.exec(type)?.[1]?.toLowerCase() ?? 'utf-8'
  if (!/^(utf-?8|us-ascii)$/.test(charset)) throw unsupportedBody('A charset other than UTF-8')
  return JSON_TYPE.test(type)
}

/** Counts the bytes of every body from its arrival until its request is answered. */
function createBudget(most: number) {
  const held = new WeakMap<object, number>()
  let open = 0
  return {
    /** @throws OVERLOADED */
    take({ raw }: FastifyRequest, bytes: number): void {
      if (open + bytes > most) throw overloaded('as many bytes of request bodies open')
      open += bytes
      held.set(raw, (held.get(raw) ?? 0) + bytes)
    },
    releaseWhenAnswered({ raw }: FastifyRequest, reply: FastifyReply, _payload: unknown, done: () => void): void {
      const release = () => {
        open -= held.get(raw) ?? 0
        held.delete(raw)
      }
      reply.raw.once('close', release)
      done()
    },
  }
}

/** The whole body; `count` is told of every piece and may throw to stop. @throws CLIENT_GONE */
function collect(payload: Payload, count: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let pieces = new Pieces()
    const settle = (error?: unknown) => {
      payload.off('data', onData).off('end', settle).off('error', onGone).off('close', onGone)
      if (error === undefined) resolve(pieces.whole())
      else reject(error)
      pieces = new Pieces() // nothing is held on to
    }
    const onData = (chunk: Buffer) => {
      pieces.add(chunk)
      try {
        count(chunk.length)
      } catch (error) {
        settle(error) // the rest flows into nothing until the answer closes the connection
      }
    }
    const onGone = () => settle(clientGone())
    payload.on('data', onData).on('end', settle).on('error', onGone).on('close', onGone)
  })
}

/** @throws RequestInvalid */
async function parse(body: Buffer, bounds: JsonBounds): Promise<unknown> {
  if (body.length === 0) return undefined
  if (!isUtf8(body)) throw notJson(0, 'The body is not UTF-8')
  const written = body.toString('utf8')
  const text = written.charCodeAt(0) === 0xfeff ? written.slice(1) : written // with a byte order mark it is JSON too
  const large = body.length > LARGE_BYTES
  try {
    if (large) await setImmediate()
    checkJson(text, bounds)
    if (large) await setImmediate()
    const value = JSON.parse(text)
    if (large) await setImmediate()
    return value
  } catch (error) {
    if (error instanceof JsonRefused) throw new RequestInvalid([valueError(['body'], error.message, null)])
    throw notJson(large ? body.length : faultOf(text), 'The body is not valid JSON')
  }
}

const notJson = (offset: number, error: string) =>
  new RequestInvalid([
    { type: 'json_invalid', loc: ['body', offset], msg: 'JSON decode error', input: {}, ctx: { error } },
  ])
