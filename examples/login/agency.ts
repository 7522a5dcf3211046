import { AsyncLocalStorage } from 'node:async_hooks'
import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'
import { type Place, readThread, writeThread } from './store.ts'

/** Who asks, and in which conversation: set for each request after its session was checked. Models cannot change it. */
export const asking = new AsyncLocalStorage<Place>()

function place(): Place {
  const found = asking.getStore()
  if (found === undefined) throw new Error('Nobody is logged in.')
  return found
}

const orders = new Map([
  ['ann', ['a lamp', 'two chairs']],
  ['bob', ['a bicycle']],
])

const listOrders = tool({
  name: 'list_orders',
  description: 'List the orders of the customer.',
  parameters: z.object({}),
  execute: () => `Orders of ${place().user}: ${orders.get(place().user)?.join(', ') ?? 'none'}`,
})

const assistant = new Agent({
  name: 'Assistant',
  description: 'Helps customers with their orders',
  instructions: 'You are the Assistant of a shop. Look up orders with your tools.',
  model: process.env.AGENCY_MODEL || 'demo',
  tools: [listOrders],
})

export const agency = new Agency(assistant, {
  name: 'assistant',
  loadThreads: () => readThread(place()),
  saveThreads: (messages) => writeThread(place(), messages),
})
