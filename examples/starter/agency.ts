import { Agency, Agent, BaseTool, Handoff, tool } from 'agency-swarm-js'
import { z } from 'zod'

const model = process.env.AGENCY_MODEL || 'demo'

const getWeather = tool({
  name: 'get_weather',
  description: 'Get the weather forecast for a city.',
  parameters: z.object({ city: z.string() }),
  execute: ({ city }) =>
    `In ${city} it is ${['sunny', 'cloudy', 'rainy'][city.length % 3]}, ${10 + (city.length % 15)} °C`,
})

const addNumbers = tool({
  name: 'add_numbers',
  description: 'Add two numbers: the sum of a plus b.',
  parameters: z.object({ a: z.number(), b: z.number() }),
  execute: ({ a, b }) => `${a} + ${b} = ${a + b}`,
})

const trackOrder = tool({
  name: 'track_order',
  description: 'Track an order by its number.',
  parameters: z.object({ order_number: z.number().int() }),
  execute: ({ order_number }) => `Order ${order_number} left the warehouse and arrives tomorrow`,
})

/** A tool as a class; it is served on its own at /tool/FormatAddress. */
export class FormatAddress extends BaseTool.define({
  street: z.string().describe('Street and number'),
  city: z.string().describe('City'),
}) {
  static override description = 'Formats a postal address.'
  run() {
    return `${this.street}\n${this.city}`
  }
}

export const tools = [FormatAddress]

const guide = new Agent({
  name: 'Guide',
  description: 'Greets people and finds who can help',
  instructions:
    'You are the Guide. Help with small things yourself, ask the Researcher about the weather, and hand questions about orders to Support.',
  model,
  tools: [addNumbers],
  conversationStarters: [
    'Ask the Researcher about the weather in Paris',
    'What is 17 plus 25?',
    'I want to talk to Support about order 1234',
  ],
})
const researcher = new Agent({
  name: 'Researcher',
  description: 'Looks things up, such as the weather',
  instructions: 'You are the Researcher. Look things up with your tools and answer in one sentence.',
  model,
  tools: [getWeather],
})
const support = new Agent({
  name: 'Support',
  description: 'Tracks orders and answers complaints',
  instructions: 'You are Support. Look up orders with your tools, and apologize when one is late.',
  model,
  tools: [trackOrder],
})

export const agency = new Agency(guide, {
  name: 'starter',
  communicationFlows: [
    [guide, researcher],
    [guide, support, Handoff],
  ],
})
