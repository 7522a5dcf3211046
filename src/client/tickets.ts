/** Makes tickets, in a back end that holds the token. */
import type { TicketRequest, TicketVerb } from '../wire/tickets.ts'
import type { CallOptions, Connection } from './http.ts'
import type { Ticket } from './ticket.ts'

export type { TicketVerb }
/** What a ticket is for: `run_id` or `thread_id`, and its verbs. */
export type TicketOptions = TicketRequest

/** Tickets of an agency. Only a holder of the token can make one. */
export interface TicketsClient {
  /**
   * Makes a ticket for a run or thread, for 10 minutes unless `expires_in` says otherwise. Give it to a page in place of the token.
   * @throws ClientError; kind `not_found` when the run or thread is unknown or belongs to somebody else
   *
   * @example
   * ```ts
   * import { createClient } from 'agency-swarm-js/client'
   *
   * const { tickets } = createClient({ baseUrl: 'http://localhost:8000', token: process.env.APP_TOKEN }).agency('my_agency')
   * const { ticket } = await tickets.create({ thread_id: 't-1', verbs: ['watch', 'post'] })
   * console.log(ticket.length)
   * ```
   */
  create(ticket: TicketOptions, options?: CallOptions): Promise<Ticket>
}

export const createTickets = (connection: Connection, base: string): TicketsClient => ({
  create: async (ticket, call = {}) =>
    (await connection.json({ ...call, path: `${base}/tickets`, body: ticket })) as Ticket,
})
