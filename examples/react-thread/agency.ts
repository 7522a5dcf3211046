import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'

const model = process.env.AGENCY_MODEL || 'demo'

const refundOrder = tool({
  name: 'refund_order',
  description: 'Refund an order by its number.',
  parameters: z.object({ order_number: z.number().int() }),
  needsApproval: true,
  execute: ({ order_number }) => `Order ${order_number} is refunded`,
})

const clerk = new Agent({
  name: 'Clerk',
  instructions: 'You are the Clerk. Refund orders, and ask the Poet for poems.',
  model,
  tools: [refundOrder],
})
const poet = new Agent({
  name: 'Poet',
  description: 'Writes poems',
  instructions: 'You are the Poet. Answer with a short poem.',
  model,
})

export const agency = new Agency(clerk, { name: 'shop', communicationFlows: [[clerk, poet]] })
