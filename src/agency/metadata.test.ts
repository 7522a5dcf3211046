import { expect, test } from 'vitest'
import { tool } from '../tools/define.ts'
import { AgencyGraph } from './agency.ts'
import { Agent } from './agent.ts'
import { Handoff, SendMessage } from './flows.ts'
import { describeAgency } from './metadata.ts'

const tools = (count: number) =>
  Array.from({ length: count }, (_, index) => tool({ name: `tool_${index}`, execute: () => '' }))
const agent = (name: string, options = {}) => new Agent({ name, model: 'demo', ...options })

/** Where each node stands, and which agents have sub-agents. */
function layoutOf(agency: AgencyGraph) {
  const { nodes } = describeAgency(agency)
  return {
    at: Object.fromEntries(nodes.map(({ id, position: { x, y } }) => [id, [x, y]])),
    leads: nodes.flatMap((node) => (node.type === 'agent' && node.data.hasSubagents ? [node.id] : [])),
  }
}

test('tools are placed around their agent or below it', () => {
  const [lead, a, b, lone] = [
    agent('Lead', { tools: tools(3) }),
    agent('A', { tools: tools(1) }),
    agent('B', { tools: tools(1) }),
    agent('Lone'),
  ]
  const flows = [
    [lead, a],
    [lead, b],
    [a, b],
    [a, b, Handoff],
    [b, lead, Handoff],
  ] as const
  const { at, leads } = layoutOf(new AgencyGraph(lead, { communicationFlows: [...flows, [lone, a, SendMessage]] }))
  const [x, y] = at.Lead as [number, number]
  expect([0, 1, 2].map((index) => at[`Lead_tool_${index}`])).toEqual([
    [x + 30, y],
    [x + 150, y],
    [x + 270, y],
  ])
  const [ax, ay] = at.A as [number, number]
  expect(at.A_tool_0, 'two flows to one agent are one neighbour').toEqual([ax - 60, ay + 115])
  expect(leads, 'who only hands over has no sub-agents').toEqual(['Lead', 'A', 'Lone'])
  expect(at.Lone?.[1], 'whom nobody reaches stands below all others').toBe(80 + 180 * 2)
})
