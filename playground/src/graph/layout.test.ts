import { createClient } from 'agency-swarm-js/client'
import { expect, test } from 'vitest'
import { Agency, Agent } from '../../../src/index.ts'
import { startServer } from '../../../tests/support/client.ts'
import { type Activity, edgeKey } from '../run/activity.ts'
import { toFlow } from './layout.ts'

test('lines have heads, directions and short labels', async () => {
  const [lead, left, right] = ['Lead', 'Left', 'Right'].map((name) => new Agent({ name, model: 'demo' })) as [
    Agent,
    Agent,
    Agent,
  ]
  const flows = [
    [lead, left],
    [lead, right],
    [left, right],
    [right, lead],
  ] as const
  const team = new Agency(lead, { name: 'team', communicationFlows: flows.map(([from, to]) => [from, to]) })
  const { url } = await startServer({ agencies: { team } })
  const metadata = await createClient({ baseUrl: url }).agency('team').metadata()
  const used = { messages: 2, failed: 0, active: false, tokens: 3120, costUsd: 0.0153 }
  const edges = new Map([
    [edgeKey('Lead', 'Right'), used],
    [edgeKey('Left', 'Right'), { ...used, tokens: 0, failed: 1 }],
  ])
  const activity: Activity = { agents: new Map(), tools: new Map(), edges }
  const lines = toFlow(metadata, activity, true).edges
  expect(lines.map(({ id, label, data }) => [id, data?.way, label])).toEqual([
    ['Lead->Left', 'down', undefined],
    ['Lead->Right', 'down', '2× · 3.1k tok · $0.0153'],
    ['Left->Right', 'over', '2× · 1 failed'],
    ['Right->Lead', 'up', undefined],
  ])
  for (const { markerEnd } of lines) expect(markerEnd).toMatchObject({ type: 'arrowclosed' })
})
