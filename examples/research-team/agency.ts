import { Agency, Agent, tool } from 'agency-swarm-js'
import { z } from 'zod'

const model = process.env.AGENCY_MODEL || 'demo'
const TOPICS = ['heat pumps', 'batteries', 'insulation'] as const
const byTopic = z.object({ topic: z.enum(TOPICS) })

const searchNews = tool({
  name: 'search_news',
  description: `Search this month's news. Topics: ${TOPICS.join(', ')}.`,
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
  instructions: 'You are the Lead. Ask the Scout for news and the Analyst for evidence, both at once, then sum up.',
  model,
  conversationStarters: ['Ask the Scout and the Analyst, who asks the Librarian, about heat pumps'],
})
const scout = new Agent({
  name: 'Scout',
  description: 'Follows the news',
  instructions: 'You are the Scout. Look for news.',
  model,
  tools: [searchNews],
})
const analyst = new Agent({
  name: 'Analyst',
  description: 'Weighs evidence',
  instructions: 'You are the Analyst. Ask the Librarian for papers, then say what they are worth.',
  model,
})
const librarian = new Agent({
  name: 'Librarian',
  description: 'Finds papers',
  instructions: 'You are the Librarian. Find papers.',
  model,
  tools: [findPapers],
})

export const agency = new Agency(lead, {
  name: 'research',
  communicationFlows: [
    [lead, scout],
    [lead, analyst],
    [analyst, librarian],
  ],
})
