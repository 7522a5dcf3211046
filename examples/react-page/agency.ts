import { Agency, Agent } from 'agency-swarm-js'

const model = process.env.AGENCY_MODEL || 'demo'
const guide = new Agent({ name: 'Guide', instructions: 'You are the Guide. Ask the Poet for poems.', model })
const poet = new Agent({
  name: 'Poet',
  description: 'Writes poems',
  instructions: 'You are the Poet. Answer with a short poem.',
  model,
})

export const agency = new Agency(guide, { name: 'guide', communicationFlows: [[guide, poet]] })
