import { Agency, Agent } from 'agency-swarm-js'

const analyst = new Agent({
  name: 'Analyst',
  description: 'Reads documents and tables',
  instructions: 'You are the Analyst. Answer from the files that come with a message.',
  model: process.env.AGENCY_MODEL || 'demo',
  conversationStarters: ['What do the figures say?'],
})

export const agency = new Agency(analyst, { name: 'analyst' })
