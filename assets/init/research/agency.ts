import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'

/** "demo" answers offline. For a real model: OPENAI_API_KEY and AGENCY_MODEL=gpt-5.4 in .env. */
const model = process.env.AGENCY_MODEL || 'demo'

const TOPICS = ['batteries', 'heat pumps', 'insulation'] as const
const byTopic = z.object({ topic: z.enum(TOPICS) })

const searchNews = tool({
  name: 'search_news',
  description: `Search the news of this month. Topics: ${TOPICS.join(', ')}.`,
  parameters: byTopic,
  execute: ({ topic }) => `3 reports on ${topic}, the newest from this week`,
})

const findPapers = tool({
  name: 'find_papers',
  description: `Find scientific papers. Topics: ${TOPICS.join(', ')}.`,
  parameters: byTopic,
  execute: ({ topic }) => `2 papers on ${topic}: a field study and a survey`,
})

const lead = new Agent({
  name: 'Lead',
  description: 'Plans the work and writes the summary',
  instructions: 'You are the Lead. Ask the Scout for news and the Librarian for papers, both at once. Then write a summary.',
  model,
  conversationStarters: ['Ask the Scout and the Librarian about heat pumps'],
})
const scout = new Agent({
  name: 'Scout',
  description: 'Follows the news',
  instructions: 'You are the Scout. Search the news with your tools and answer in one sentence.',
  model,
  tools: [searchNews],
})
const librarian = new Agent({
  name: 'Librarian',
  description: 'Finds papers',
  instructions: 'You are the Librarian. Find papers with your tools and answer in one sentence.',
  model,
  tools: [findPapers],
})

/** Served at /__AGENCY__. Agents that the Lead asks in one turn work at the same time. */
export const agency = new Agency(lead, {
  name: '__AGENCY__',
  communicationFlows: [
    [lead, scout],
    [lead, librarian],
  ],
})
