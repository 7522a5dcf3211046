/** Positions and labels of the graph. */
import { type Edge, MarkerType, type Node } from '@xyflow/react'
import type { AgencyMetadata, AgentNode } from 'agency-swarm-js/client'
import { formatShort, formatUsd } from '../figures.ts'
import { type Activity, type AgentActivity, type EdgeActivity, edgeKey, type ToolActivity } from '../run/activity.ts'
import type { Way } from './route.ts'

export interface ToolLine {
  name: string
  description: string
  activity: ToolActivity | undefined
}

export type AgentBoxNode = Node<
  { agent: AgentNode['data']; activity: AgentActivity | undefined; tools: readonly ToolLine[]; more: number },
  'agent'
> & { measured: { width: number; height: number } }

/** `place` is the index of its label among those at the same target. */
export type AgentLine = Edge<{ way: Way; place: number }, 'agent'>

/** Sizes in pixels; the styles use the same values. */
const WIDTH = 204
const HEAD = 78
const TOOLS = 5
const TOOL = 22
const BETWEEN = 100
const MAX_TOOLS = 8

/**
 * Converts the metadata's graph and its activity to nodes and edges of React Flow. Agents keep the rows of the metadata, and
 * boxes contain their tools.
 */
export function toFlow(
  metadata: AgencyMetadata,
  activity: Activity,
  withTools: boolean,
): { nodes: AgentBoxNode[]; edges: AgentLine[] } {
  const agents = metadata.nodes.filter((node): node is AgentNode => node.type === 'agent')
  const boxes = agents.map((agent) => toBox(agent, toolLines(metadata, agent, activity), activity, withTools))
  const rows = Map.groupBy(boxes, (box) => box.position.y)
  let y = 0
  for (const [, row] of [...rows].sort(([a], [b]) => a - b)) {
    for (const box of row) box.position.y = y
    y += Math.max(...row.map((box) => box.measured.height)) + BETWEEN
  }
  const heights = new Map(boxes.map((box) => [box.id, box.position.y]))
  const labels = new Map<string, number>()
  const edges = metadata.edges
    .filter((edge) => heights.has(edge.source) && heights.has(edge.target))
    .map((edge) => {
      const way = wayOf((heights.get(edge.target) ?? 0) - (heights.get(edge.source) ?? 0))
      const what = activity.edges.get(edgeKey(edge.source, edge.target))
      const there = `${way} ${edge.target}`
      const place = labels.get(there) ?? 0
      if (what !== undefined) labels.set(there, place + 1)
      return toEdge(edge, what, { way, place })
    })
  return { nodes: boxes, edges }
}

const wayOf = (down: number): Way => (down === 0 ? 'over' : down > 0 ? 'down' : 'up')

const heightOf = (lines: number) => HEAD + (lines > 0 ? TOOLS + TOOL * lines : 0)

const toolLines = ({ nodes }: AgencyMetadata, agent: AgentNode, { tools }: Activity): ToolLine[] =>
  nodes.flatMap((node) =>
    node.type === 'tool' && node.data.parentAgent === agent.id
      ? [
          {
            name: node.data.label,
            description: node.data.description,
            activity: tools.get(edgeKey(agent.id, node.data.label)),
          },
        ]
      : [],
  )

function toBox(agent: AgentNode, tools: ToolLine[], { agents }: Activity, withTools: boolean): AgentBoxNode {
  const shown = withTools ? tools.slice(0, MAX_TOOLS) : []
  const more = withTools ? tools.length - shown.length : 0
  return {
    id: agent.id,
    type: 'agent',
    position: { ...agent.position },
    // Sizes are set here, because React Flow hides a changed box until it is measured again.
    measured: { width: WIDTH, height: heightOf(shown.length + (more > 0 ? 1 : 0)) },
    data: { agent: agent.data, activity: agents.get(agent.id), tools: shown, more },
  }
}

function toEdge(
  { id, source, target }: { id: string; source: string; target: string },
  what: EdgeActivity | undefined,
  data: { way: Way; place: number },
): AgentLine {
  return {
    id,
    type: 'agent',
    source,
    target,
    data,
    sourceHandle: data.way === 'down' ? 'bottom' : 'top-out',
    targetHandle: data.way === 'up' ? 'bottom-in' : 'top',
    markerEnd: {
      type: MarkerType.ArrowClosed,
      color: what === undefined ? 'var(--line-strong)' : what.failed > 0 ? 'var(--bad)' : 'var(--accent)',
      markerUnits: 'userSpaceOnUse',
      width: 32,
      height: 32,
    },
    className: [what && 'used', what?.active && 'active', what && what.failed > 0 && 'failed']
      .filter(Boolean)
      .join(' '),
    animated: what?.active ?? false,
    label: what === undefined ? undefined : edgeLabel(what),
    ariaLabel: `${source} can talk to ${target}${what === undefined ? '' : `: ${edgeLabel(what)}`}`,
    focusable: false,
  }
}

function edgeLabel({ messages, failed, tokens, costUsd }: EdgeActivity): string {
  const used = [`${formatShort(tokens)} tok`, ...(costUsd === undefined ? [] : [formatUsd(costUsd)])]
  return [`${messages}×`, ...(failed > 0 ? [`${failed} failed`] : []), ...(tokens > 0 ? used : [])].join(' · ')
}
