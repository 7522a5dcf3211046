/** What the routes of runs and threads read from a request beside its body: its owner, its Idempotency-Key, its ids. */
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../agency/served.ts'
import { Pace } from '../base/async.ts'
import { notIdentified } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { Idempotency, Owned, RunId } from '../runs/run-store.ts'
import { ownerKey } from '../runs/start.ts'
import type { Identify, Services } from '../services.ts'
import { isObject } from '../wire/json.ts'
import { isShortJson, writePieces } from '../wire/json-write.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { valueError } from '../wire/validation.ts'

/** The owner when there is no `identify`: everybody who may use the server. */
export const EVERYBODY = 'everybody'
const MAX_OWNER_CHARS = 256

/** @throws NOT_IDENTIFIED */
export async function ownerOf(identify: Identify | undefined, request: FastifyRequest): Promise<string> {
  if (identify === undefined) return EVERYBODY
  let owner: unknown
  try {
    owner = await identify(request)
  } catch (error) {
    throw notIdentified(error)
  }
  if (typeof owner !== 'string' || owner === '' || owner.length > MAX_OWNER_CHARS) throw notIdentified(undefined)
  return owner
}

/** Whose ephemeral run it is, as the runner names it. @throws NOT_IDENTIFIED */
export const runnerOwnerOf = async (
  { stored: { identify } }: Pick<Services, 'stored'>,
  request: FastifyRequest,
  { path }: ServedAgency,
): Promise<string> => ownerKey({ agency: path, owner: await ownerOf(identify, request) })

/** An Idempotency-Key: a structured-field string or the bare key (draft-ietf-httpapi-idempotency-key-header, section 2.1). */
export const IDEMPOTENCY_KEY = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|((?!")[\x21-\x7e]{1,255}))$/

/**
 * The Idempotency-Key of a POST, with the hash of what it stands for; undefined without one.
 * @throws RequestInvalid for a key that is not 1 to 255 visible ASCII characters
 */
export async function idempotencyOf(
  request: FastifyRequest,
  { idempotencyMs }: Pick<Limits, 'idempotencyMs'>,
): Promise<Idempotency | undefined> {
  const sent = request.headers['idempotency-key']
  if (sent === undefined) return undefined
  const [, quoted, bare] = (typeof sent === 'string' && IDEMPOTENCY_KEY.exec(sent)) || []
  const key = quoted ?? bare
  if (key === undefined)
    throw new RequestInvalid([
      valueError(['header', 'idempotency-key'], 'a key has 1 to 255 visible ASCII characters', sent),
    ])
  return { key, hash: await hashRequest(request), expiresAt: Date.now() + idempotencyMs }
}

/** Equal for requests with the same method, path and JSON, whatever the order of its names. */
async function hashRequest(request: FastifyRequest): Promise<string> {
  const { method, body } = request
  const hash = createHash('sha256').update(`${method} ${pathOf(request)}\n`)
  const fields = isObject(body) ? Object.entries(body).sort(byName) : [['', body] as const]
  const pace = new Pace()
  for (const [name, value] of fields) {
    hash.update(`\n${JSON.stringify(name)}`)
    for (const part of Array.isArray(value) ? [value.length, ...value] : [value]) {
      hash.update(',')
      for (const piece of sortedPieces(part)) {
        hash.update(piece)
        const next = pace.step()
        if (next !== undefined) await next
      }
    }
  }
  return hash.digest('base64url')
}

/** The JSON of `sorted(value)`, in pieces. */
function* sortedPieces(value: unknown): Generator<string> {
  if (typeof value === 'string' || isShortJson(value)) yield* writePieces(sorted(value))
  else if (Array.isArray(value)) {
    for (const [index, part] of value.entries()) {
      yield index === 0 ? '[' : ','
      yield* sortedPieces(part)
    }
    yield ']'
  } else {
    let separator = '{'
    for (const [name, part] of Object.entries(value as object).sort(byName)) {
      yield `${separator}${JSON.stringify(name)}:`
      yield* sortedPieces(part)
      separator = ','
    }
    yield '}'
  }
}

/** A copy with the names of objects in order, at any depth. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(byName)
      .map(([name, part]) => [name, sorted(part)]),
  )
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]) => (a < b ? -1 : a > b ? 1 : 0)

/** A Last-Event-ID: the number of a frame, or empty for none. */
export const EVENT_ID = /^[0-9]{0,15}$/

/** The last frame that a reader has, and where its request says so. */
export interface LastFrame {
  /** 0: none. */
  number: number
  loc: readonly string[]
}

/** `Last-Event-ID`, or `starting_after`. @throws RequestInvalid */
export function lastFrameOf({ headers }: FastifyRequest, startingAfter = 0): LastFrame {
  const sent = headers['last-event-id']
  if (sent === undefined || sent === '') return { number: startingAfter, loc: ['query', 'starting_after'] }
  const loc = ['header', 'last-event-id']
  if (typeof sent === 'string' && EVENT_ID.test(sent)) return { number: Number(sent), loc }
  throw new RequestInvalid([valueError(loc, 'an event id is a number', sent)])
}

/** The run that the path names. */
export const idOf = async (
  { ownedBy }: { ownedBy(request: FastifyRequest): Promise<Owned> },
  request: FastifyRequest,
): Promise<RunId> => ({
  ...(await ownedBy(request)),
  runId: (request.params as { run_id: string }).run_id,
})

/** The path of a request without its query. */
export const pathOf = ({ url }: FastifyRequest): string => url.replace(/\?.*/s, '')

/** Says that the answer is that of an earlier request with the same key. */
export function markReplay(reply: FastifyReply, replayed: boolean): FastifyReply {
  return replayed ? reply.header('idempotent-replayed', 'true') : reply
}
