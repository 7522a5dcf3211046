/** Makes what signs tickets, from the environment, and lets a ticket say whose request it is. */
import { invalidOption } from '../base/start-errors.ts'
import { deriveTicketKey, Tickets } from '../runs/tickets.ts'
import type { Identify } from '../services.ts'
import { SHARED_SECRET_VARIABLE } from '../workers/worker.ts'

/** The environment variable with the secret that signs tickets. */
export const TICKET_SECRET = 'AGENCY_TICKET_SECRET'
/** A ticket is in the hands of a page, which could find a shorter secret by trying. */
const MIN_SECRET_CHARS = 32

/**
 * The secret is AGENCY_TICKET_SECRET, else AGENCY_STORE_KEY, else a long token, else a random one, which other processes (beside
 * the workers of one primary) and the next start do not have.
 * @throws INVALID_OPTION for an AGENCY_TICKET_SECRET that is too short
 */
export function createTickets(token: string | undefined): Tickets {
  const {
    [TICKET_SECRET]: own = '',
    AGENCY_STORE_KEY: storeKey = '',
    [SHARED_SECRET_VARIABLE]: shared = '',
  } = process.env
  if (own !== '' && own.length < MIN_SECRET_CHARS)
    throw invalidOption(
      `${TICKET_SECRET} has to have at least ${MIN_SECRET_CHARS} characters, such as those of: openssl rand -base64 32`,
    )
  const secret = [own, storeKey, token ?? '', shared].find((text) => text.length >= MIN_SECRET_CHARS)
  return new Tickets(deriveTicketKey(secret), Date.now)
}

/** The owner of a request: that of its ticket, else what `identify` says. */
export const identifyByTicket = (tickets: Tickets, identify: Identify | undefined): Identify | undefined =>
  identify && ((request) => tickets.of(request)?.owner ?? identify(request))
