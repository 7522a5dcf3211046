/** Tickets: signed texts with which a page may use one run or thread, and nothing else, for a short time. */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { ticketExpired, ticketInvalid, ticketScope } from '../base/errors.ts'
import type { TicketVerb } from '../wire/tickets.ts'
import type { Owned } from './run-store.ts'

/** What a ticket allows, and in whose name. */
export interface Ticket extends Owned {
  /** The run or the thread that it is for. */
  target: { runId: string } | { threadId: string }
  verbs: readonly TicketVerb[]
  /** Milliseconds since 1970. */
  expiresAt: number
}

/** The beginning of a ticket, which distinguishes it from the token. */
const PREFIX = 'agt_'
/** Longer texts are not read: the ids in a ticket have at most 256 characters. */
const MAX_CHARS = 4_096

export const isTicket = (text: string): boolean => text.startsWith(PREFIX)

/** Signs tickets and reads them, with HMAC-SHA256. Knows which requests came with one. */
export class Tickets {
  readonly #key: Buffer
  readonly #now: () => number
  readonly #admitted = new WeakMap<object, Ticket>()

  /** @param key at least 32 bytes */
  constructor(key: Buffer, now: () => number) {
    this.#key = key
    this.#now = now
  }

  sign(ticket: Ticket): string {
    const body = Buffer.from(JSON.stringify(ticket)).toString('base64url')
    return `${PREFIX}${body}.${this.#mac(body).toString('base64url')}`
  }

  /** @throws TICKET_INVALID, TICKET_EXPIRED */
  read(text: string): Ticket {
    const [body = '', mac = '', ...more] = text.length > MAX_CHARS ? [] : text.slice(PREFIX.length).split('.')
    const sent = Buffer.from(mac, 'base64url')
    const expected = this.#mac(body)
    if (more.length > 0 || sent.length !== expected.length || !timingSafeEqual(sent, expected)) throw ticketInvalid()
    const ticket = JSON.parse(Buffer.from(body, 'base64url').toString()) as Ticket // only `sign` makes a text with this mac
    if (ticket.expiresAt <= this.#now()) throw ticketExpired()
    return ticket
  }

  /** Lets a request in that needs this verb; undefined for a request that no ticket allows. @throws TICKET_SCOPE */
  admit(request: object, ticket: Ticket, verb: TicketVerb | undefined): void {
    if (verb === undefined || !ticket.verbs.includes(verb)) throw ticketScope(describe(ticket))
    this.#admitted.set(request, ticket)
  }

  /** The ticket of a request that was let in with one. */
  of(request: object): Ticket | undefined {
    return this.#admitted.get(request)
  }

  #mac(body: string): Buffer {
    return createHmac('sha256', this.#key).update(body).digest()
  }
}

/** What a ticket allows, in words. */
export const describe = ({ target, verbs }: Ticket): string =>
  `${verbs.join(', ')} on ${'runId' in target ? `run ${target.runId}` : `thread ${target.threadId}`}`

/** A key of its own from a secret that has another purpose too; without a secret a random one, which ends with the process. */
export const deriveTicketKey = (secret: string | undefined): Buffer =>
  secret === undefined ? randomBytes(32) : Buffer.from(hkdfSync('sha256', secret, '', 'agency-swarm-js tickets', 32))
