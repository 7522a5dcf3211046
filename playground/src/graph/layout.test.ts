import { createClient } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { Agency, Agent, Handoff } from '../../../src/index.ts'
import { startServer } from '../../../tests/support/client.ts'
import { type Activity, edgeKey } from '../run/activity.ts'
import { layOut, toFlow } from './layout.ts'

async function startTeam() {
  const [lead, left, right] = ['Lead', 'Left', 'Right'].map((name) => new Agent({ name, model: 'demo' })) as [
    Agent,
    Agent,
    Agent,
  ]
  const communicationFlows = [
    [lead, left],
    [lead, right],
    [lead, right, Handoff],
    [left, right, Handoff],
  ] as never
  const { url } = await startServer({ agencies: { team: new Agency(lead, { name: 'team', communicationFlows }) } })
  return layOut(await createClient({ baseUrl: url }).agency('team').metadata(), true, { width: 600, height: 500 })
}

const used = { messages: 2, failed: 0, active: false, tokens: 3120, costUsd: 0.0153 }
const activity: Activity = {
  agents: new Map(),
  tools: new Map(),
  edges: new Map([
    [edgeKey('Lead', 'Right'), used],
    [edgeKey('Left', 'Right'), { ...used, tokens: 0, failed: 1 }],
  ]),
}

test('lines tell messages from handoffs, and have short labels', async () => {
  const { edges } = toFlow(await startTeam(), activity, undefined)
  expect(edges.map(({ id, className, label, ariaLabel }) => [id, className, label, ariaLabel])).toEqual([
    ['Lead->Left', '', undefined, 'Lead can ask Left'],
    [
      'Lead->Right',
      'used',
      '2× · 3.1k tok · $0.0153',
      'Lead can ask and can hand over to Right: 2× · 3.1k tok · $0.0153',
    ],
    ['Left->Right', 'hands-over used failed', '2× · 1 failed', 'Left can hand over to Right: 2× · 1 failed'],
  ])
  for (const { markerEnd } of edges) expect(markerEnd).toMatchObject({ type: expect.stringMatching(/^arrow/) })
})

test('what is not joined to the selected agent or line is dimmed', async () => {
  const layout = await startTeam()
  const agent = toFlow(layout, activity, { kind: 'agent', name: 'Left' })
  expect(agent.edges.map(({ className }) => /dimmed/.test(className ?? ''))).toEqual([false, true, false])
  expect(agent.nodes.every(({ data }) => !data.dimmed)).toBe(true)
  const flow = toFlow(layout, activity, { kind: 'flow', from: 'Lead', to: 'Left' })
  expect(flow.nodes.map(({ id, data }) => [id, data.dimmed])).toEqual([
    ['Lead', false],
    ['Left', false],
    ['Right', true],
  ])
  expect(flow.edges.map(({ selected }) => selected)).toEqual([true, false, false])
})
