import { Agency, Agent } from '../../src/index.ts'

const analyst = new Agent({
  name: 'Analyst',
  description: 'Reads documents and tables',
  instructions: 'I am the Analyst and read what comes with a message.',
  model: process.env.AGENCY_MODEL ?? 'demo',
  conversationStarters: ['What do the figures say?'],
})

export const agency = new Agency(analyst, { name: 'analyst' })
