/** Keeps the request of a ticket to the run or thread that the ticket is for. */
import type { FastifyRequest } from 'fastify'
import { ticketScope } from '../base/errors.ts'
import type { Owned, RunStore } from '../runs/run-store.ts'
import { describe, type Ticket } from '../runs/tickets.ts'
import { isObject } from '../wire/json.ts'

/** The fields of a run that a ticket may set: those of a user who writes, none that configures the run. */
const POST_FIELDS: ReadonlySet<string> = new Set([
  'message',
  'thread_id',
  'if_not_exists',
  'multitask_strategy',
  'stream',
  'on_disconnect',
  'disconnect_grace_ms',
  'metadata',
])
/** They cancel the run that is live. */
const CANCELLING: ReadonlySet<unknown> = new Set(['interrupt', 'rollback'])

/** @throws TICKET_SCOPE, and NOT_FOUND for an unknown run of a ticket for a thread */
export async function checkTicket(
  ticket: Ticket,
  request: FastifyRequest,
  { owned, store }: { owned: Owned; store: RunStore },
): Promise<void> {
  const allowed = ticket.agency === owned.agency && (await isInScope(ticket, request, { owned, store }))
  if (!allowed) throw ticketScope(describe(ticket))
}

async function isInScope(
  { target, verbs }: Ticket,
  { params, query, body, method }: FastifyRequest,
  { owned, store }: { owned: Owned; store: RunStore },
): Promise<boolean> {
  const { run_id: runId, thread_id: threadId } = params as { run_id?: string; thread_id?: string }
  if ('runId' in target) return runId === target.runId
  if (threadId !== undefined) return threadId === target.threadId
  if (runId !== undefined) return (await store.read({ kind: 'run', ...owned, runId })).threadId === target.threadId
  if (method === 'GET') return (query as { thread_id?: unknown }).thread_id === target.threadId
  return isObject(body) && body.thread_id === target.threadId && isPlainPost(body, verbs.includes('cancel'))
}

/** False for other items, such as a tool output that only claims to be the user's. */
const isUserMessage = (item: unknown) =>
  isObject(item) && item.role === 'user' && (item.type === undefined || item.type === 'message')

/** True for a message of a user, with nothing that changes how the run is done. */
function isPlainPost(body: { readonly [name: string]: unknown }, mayCancel: boolean): boolean {
  const { message, multitask_strategy } = body
  return (
    Object.keys(body).every((name) => POST_FIELDS.has(name)) &&
    (mayCancel || !CANCELLING.has(multitask_strategy)) &&
    (!Array.isArray(message) || message.every(isUserMessage))
  )
}
