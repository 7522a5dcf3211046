/** Tickets over HTTP: the schemas of their request and answer. */
import { z } from 'zod'
import { parse } from './requests.ts'
import { threadId } from './runs.ts'
import { RequestInvalid, valueError } from './validation.ts'

const verb = z.enum(['watch', 'cancel', 'approve', 'steer', 'post'])
/**
 * What a ticket allows: `watch` reads state, events and messages, `cancel` stops runs, `approve` decides about calls, `steer`
 * sends messages to agents of live runs and pauses them, `post` starts runs on the thread.
 */
export type TicketVerb = z.infer<typeof verb>

const DEFAULT_SECONDS = 600

export const ticketRequest = z
  .object({
    run_id: z.string().min(1).max(256).nullish().describe('The run that the ticket is for. Either this or thread_id.'),
    thread_id: threadId.nullish().describe('The thread that the ticket is for, with all its runs.'),
    verbs: z
      .array(verb)
      .min(1)
      .max(verb.options.length)
      .describe('What the ticket allows: watch, cancel, approve, steer, and post for a thread.'),
    expires_in: z.int().min(1).nullish().describe("Seconds. At most the server's limit. Default: 600."),
  })
  .meta({ id: 'TicketRequest' })
export type TicketRequest = z.infer<typeof ticketRequest>

export const ticketAnswer = z
  .object({
    ticket: z.string().describe('Send it as `Authorization: Bearer`, or as `?ticket=` where headers cannot be set.'),
    run_id: z.string().exactOptional(),
    thread_id: z.string().exactOptional(),
    verbs: z.array(verb),
    expires_in: z.int().describe('Seconds.'),
    expires_at: z.string().meta({ description: 'ISO 8601, UTC.', format: 'date-time' }),
  })
  .meta({ id: 'Ticket' })
export type TicketAnswer = z.infer<typeof ticketAnswer>

/** A checked request for a ticket. */
export interface TicketOrder {
  target: { runId: string } | { threadId: string }
  verbs: readonly TicketVerb[]
  seconds: number
}

/** The body of POST /tickets. @throws RequestInvalid */
export function parseTicketRequest(body: unknown, { ticketMs }: { ticketMs: number }): TicketOrder {
  const { run_id, thread_id, verbs, expires_in } = parse(ticketRequest, body, 'body')
  const most = Math.floor(ticketMs / 1000)
  const seconds = expires_in ?? Math.min(DEFAULT_SECONDS, most)
  if (seconds > most)
    throw new RequestInvalid([valueError(['body', 'expires_in'], `a ticket lasts at most ${most} seconds`, expires_in)])
  const order = { verbs: [...new Set(verbs)], seconds }
  if (run_id != null && thread_id == null) {
    if (!verbs.includes('post')) return { ...order, target: { runId: run_id } }
    throw new RequestInvalid([valueError(['body', 'verbs'], 'post needs a ticket for a thread', verbs)])
  }
  if (thread_id != null && run_id == null) return { ...order, target: { threadId: thread_id } }
  throw new RequestInvalid([valueError(['body', 'run_id'], 'a ticket is for a run_id or a thread_id', run_id)])
}
