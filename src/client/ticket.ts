/** A ticket in a page: fetched once, and again shortly before it expires. */
import type { TicketAnswer } from '../wire/tickets.ts'

/** A right to use one run or thread without the token. `ticket` is the text to send. */
export type Ticket = TicketAnswer

/** The part of a ticket's time after which the next one is fetched. Counted from its arrival: clocks of pages are wrong. */
const USED = 0.8

/** A function that gives a ticket's text, and fetches the next ticket in time. Callers at the same time share one fetch. */
export function renewTicket(fetchTicket: () => Ticket | Promise<Ticket>): () => Promise<string> {
  let current: { ticket: Promise<Ticket>; until: number } | undefined
  return async () => {
    if (current === undefined || current.until <= performance.now()) {
      const next = { ticket: Promise.resolve().then(fetchTicket), until: Number.POSITIVE_INFINITY }
      current = next
      next.ticket.then(
        ({ expires_in }) => {
          next.until = performance.now() + expires_in * 1000 * USED
        },
        () => {
          if (current === next) current = undefined // the next request tries again
        },
      )
    }
    return (await current.ticket).ticket
  }
}
