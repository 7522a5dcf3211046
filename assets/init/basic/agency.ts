import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'

/** "demo" answers offline. For a real model: OPENAI_API_KEY and AGENCY_MODEL=gpt-5.4 in .env. */
const model = process.env.AGENCY_MODEL || 'demo'

const getWeather = tool({
  name: 'get_weather',
  description: 'Get the weather forecast for a city.',
  parameters: z.object({ city: z.string() }),
  execute: ({ city }) => `In ${city} it is sunny and ${10 + (city.length % 15)} °C`,
})

const guide = new Agent({
  name: 'Guide',
  description: 'Greets people and finds who can help',
  instructions: 'You are the Guide. Answer small questions yourself, and ask the Researcher about the weather.',
  model,
  conversationStarters: ['Ask the Researcher about the weather in Paris'],
})
const researcher = new Agent({
  name: 'Researcher',
  description: 'Looks things up, such as the weather',
  instructions: 'You are the Researcher. Look things up with your tools and answer in one sentence.',
  model,
  tools: [getWeather],
})

/** Served at /__AGENCY__. The Guide may ask the Researcher. */
export const agency = new Agency(guide, {
  name: '__AGENCY__',
  communicationFlows: [[guide, researcher]],
})
