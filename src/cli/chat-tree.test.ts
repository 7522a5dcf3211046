import { expect, test } from 'vitest'
import { describeAgency } from '../agency/metadata.ts'
import { Agency, Agent, Handoff, tool } from '../index.ts'
import { drawAgents } from './chat-tree.ts'

test('agents are drawn once, below the first that reaches them', () => {
  const look = tool({ name: 'look', execute: () => '' })
  const [lead, clerk, scout] = ['Lead', 'Clerk', 'Scout'].map(
    (name) => new Agent({ name, model: 'demo', tools: name === 'Scout' ? [look] : [] }),
  ) as [Agent, Agent, Agent]
  const agency = new Agency(lead, {
    communicationFlows: [
      [lead, clerk],
      [clerk, scout, Handoff],
      [lead, scout],
    ],
  })
  expect(drawAgents(describeAgency(agency) as never)).toEqual([
    'Lead',
    '├─ Clerk',
    '│  └─ Scout [look]',
    '└─ Scout (above)',
  ])
})
