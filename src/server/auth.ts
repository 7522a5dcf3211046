/** Checks the bearer token, or the ticket, of requests. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ticketInvalid } from '../base/errors.ts'
import { isTicket, type Tickets } from '../runs/tickets.ts'
import type { TicketVerb } from '../wire/tickets.ts'
import { sendJson } from './error-handler.ts'

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/** What a route says about tickets: the verb that a ticket needs there. No ticket is valid on other routes. */
export interface TicketRoute {
  ticket?: TicketVerb
}

/**
 * Creates a hook that requires `Authorization: Bearer <token>` before the body is read, where a token is set. The comparison takes
 * constant time. A ticket takes the place of the token on the routes that it allows, also as `?ticket=`, since an EventSource
 * sends no headers; a request with a ticket has no more rights than that, even where no token is set. The response bodies are
 * those of the original (docs/wire.md, "Authentication").
 */
export function createAuth(token: string | undefined, tickets: Tickets) {
  const expected = token === undefined ? undefined : digest(Buffer.from(token))
  // Node reads headers as Latin-1, so these are the bytes that the caller sent.
  const isToken = (text: string) =>
    expected !== undefined && timingSafeEqual(digest(Buffer.from(text, 'latin1')), expected)

  return async (request: FastifyRequest, reply: FastifyReply) => {
    const bearer = /^bearer +([^ ].*)$/i.exec(request.headers.authorization ?? '')?.[1]
    const ticket =
      ticketIn(request.query) ?? (bearer !== undefined && isTicket(bearer) && !isToken(bearer) ? bearer : undefined)
    if (ticket !== undefined) {
      const { ticket: verb } = request.routeOptions.config as TicketRoute
      return tickets.admit(request, tickets.read(ticket), verb)
    }
    if (expected === undefined) return undefined
    if (bearer === undefined)
      return sendJson(reply.header('www-authenticate', 'Bearer'), 401, { detail: 'Not authenticated' })
    return isToken(bearer) ? undefined : sendJson(reply, 401, { detail: 'Unauthorized' })
  }
}

/** The ticket of a query; other values of `ticket` belong to the route. @throws TICKET_INVALID for several tickets */
function ticketIn(query: unknown): string | undefined {
  const sent = [(query as { ticket?: string | string[] }).ticket ?? []].flat().filter(isTicket)
  if (sent.length > 1) throw ticketInvalid()
  return sent[0]
}
