import { Agency, Agent, Handoff, type ServeOptions, sqlite, tool } from 'agency-swarm-js'
import { z } from 'zod'

/** "demo" answers offline. For a real model: OPENAI_API_KEY and AGENCY_MODEL=gpt-5.4 in .env. */
const model = process.env.AGENCY_MODEL || 'demo'

const findOrder = tool({
  name: 'find_order',
  description: 'Find an order by its number.',
  parameters: z.object({ order: z.int() }),
  execute: ({ order }) => `Order ${order}: 120 euros, delivered`,
})

/** Waits until a person has approved the call. */
const refundOrder = tool({
  name: 'refund_order',
  description: 'Refund an order.',
  parameters: z.object({ order: z.int() }),
  needsApproval: true,
  execute: ({ order }) => `Order ${order} is refunded`,
})

const desk = new Agent({
  name: 'Desk',
  description: 'Greets customers and finds their orders',
  instructions: 'You are the Desk. Find orders with your tools, and hand the customer to Billing for refunds.',
  model,
  tools: [findOrder],
  conversationStarters: ['Find order 17', 'I want to talk to Billing: refund order 17'],
})
const billing = new Agent({
  name: 'Billing',
  description: 'Refunds orders',
  instructions: 'You are Billing. Refund orders with your tools.',
  model,
  tools: [refundOrder],
})

/** Served at /__AGENCY__. The Desk gives the conversation to Billing. */
export const agency = new Agency(desk, {
  name: '__AGENCY__',
  communicationFlows: [[desk, billing, Handoff]],
})

/** Runs, conversations and approvals are kept in this file. */
export default { runs: { store: sqlite(process.env.RUNS_DB || './runs.db') } } satisfies ServeOptions
