import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'

const refund = tool({
  name: 'refund_order',
  description: 'Refund an order.',
  parameters: z.object({ order: z.int() }),
  needsApproval: true,
  execute: ({ order }) => `Order ${order} is refunded`,
})

const model = process.env.AGENCY_MODEL || 'demo'
const clerk = new Agent({ name: 'Clerk', instructions: 'You are the clerk of a shop.', model, tools: [refund] })

export const agency = new Agency(clerk, { name: 'shop' })
