import { Agency, Agent } from 'agency-swarm-js'
import { z } from 'zod'

/** What the agent answers with. Models read the descriptions. */
export const ticket = z.object({
  title: z.string().describe('The problem in one line'),
  topic: z.enum(['billing', 'shipping', 'other']),
  urgent: z.boolean().describe('True when the customer cannot wait until tomorrow'),
  order_number: z.number().int().nullable().describe('Null when the customer names none'),
})

const clerk = new Agent({
  name: 'Clerk',
  description: 'Turns messages of customers into tickets',
  instructions: 'You are the Clerk of a support desk. Turn each message into a ticket.',
  model: process.env.AGENCY_MODEL || 'demo',
  outputType: ticket,
  conversationStarters: ['My shipping for order 1234 is late'],
})

export const agency = new Agency(clerk, { name: 'tickets' })
