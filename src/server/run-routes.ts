/** What the routes of runs, approvals and threads share. */
import type { FastifyRequest } from 'fastify'
import type { ServedAgency } from '../agency/served.ts'
import type { Limits } from '../base/limits.ts'
import type { Owned } from '../runs/run-store.ts'
import type { StoredRuns } from '../runs/stored/service.ts'
import type { Services } from '../services.ts'
import type { RequestRules } from '../wire/requests.ts'
import type { TicketVerb } from '../wire/tickets.ts'
import { ownerOf } from './run-requests.ts'
import { checkTicket } from './ticket-scope.ts'

export interface RunRoutes {
  readonly runs: StoredRuns
  readonly limits: Limits
  readonly requestRules: RequestRules
  readonly services: Services
  agencyOf(request: FastifyRequest): ServedAgency
  /** In whose name a request asks. @throws NOT_IDENTIFIED, and TICKET_SCOPE when its ticket is for something else */
  ownedBy(request: FastifyRequest): Promise<Owned>
}

/** Routes whose refusals carry the code of the error and what belongs to it. */
export const CODED = { config: { coded: true } }
/** The same for routes that a ticket with this verb opens. */
export const openTo = (ticket: TicketVerb) => ({ config: { coded: true, ticket } })

export const createRunRoutes = (services: Services, agencyOf: RunRoutes['agencyOf']): RunRoutes => ({
  runs: services.stored.runs,
  limits: services.limits,
  requestRules: services.requestRules,
  services,
  agencyOf,
  ownedBy: async (request) => {
    const owned = { agency: agencyOf(request).path, owner: await ownerOf(services.stored.identify, request) }
    const ticket = services.tickets.of(request)
    if (ticket !== undefined) await checkTicket(ticket, request, { owned, store: services.stored.runs.store })
    return owned
  },
})
