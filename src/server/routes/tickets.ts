/** `POST /{agency}/tickets`: a short-lived right to use one run or thread, for pages that must not have the token. */
import type { FastifyInstance } from 'fastify'
import { parseTicketRequest, type TicketAnswer } from '../../wire/tickets.ts'
import { sendJson } from '../error-handler.ts'
import { CODED, type RunRoutes } from '../run-routes.ts'

export function registerTickets(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { limits, ownedBy, services } = context
  const { store } = context.runs
  app.post(`${base}/tickets`, CODED, async (request, reply) => {
    const owned = await ownedBy(request)
    const { target, verbs, seconds } = parseTicketRequest(request.body, limits)
    if ('runId' in target) await store.read({ kind: 'run', ...owned, ...target })
    else await store.read({ kind: 'thread', ...owned, ...target })
    const expiresAt = Date.now() + seconds * 1000
    const answer: TicketAnswer = {
      ticket: services.tickets.sign({ ...owned, target, verbs, expiresAt }),
      ...('runId' in target ? { run_id: target.runId } : { thread_id: target.threadId }),
      verbs: [...verbs],
      expires_in: seconds,
      expires_at: new Date(expiresAt).toISOString(),
    }
    return sendJson(reply.header('cache-control', 'no-store'), 201, answer)
  })
}
