import type { Edge, Node } from '@xyflow/react'
import type { AgencyMetadata, AgentNode } from 'agency-swarm-js/client'
import { formatCount, formatUsd, plural } from '../figures.ts'
import { type Activity, type AgentActivity, type EdgeActivity, edgeKey, type ToolActivity } from '../run/activity.ts'

export interface ToolLine {
  name: string
  description: string
  activity: ToolActivity | undefined
}

export type AgentBoxNode = Node<
  { agent: AgentNode['data']; activity: AgentActivity | undefined; tools: readonly ToolLine[]; more: number },
  'agent'
> & { measured: { width: number; height: number } }

/** Pixels; the styles have the same. */
const WIDTH = 204
const HEAD = 78
const TOOLS = 5
const TOOL = 22
const BETWEEN = 76
const MAX_TOOLS = 8

/**
 * The metadata's graph with what goes on in it, in the shape that React Flow draws: agents stand where the metadata puts
 * them, row by row, and hold their tools.
 */
export function toFlow(
  metadata: AgencyMetadata,
  activity: Activity,
  withTools: boolean,
): { nodes: AgentBoxNode[]; edges: Edge[] } {
  const agents = metadata.nodes.filter((node): node is AgentNode => node.type === 'agent')
  const boxes = agents.map((agent) => toBox(agent, toolLines(metadata, agent, activity), activity, withTools))
  const rows = Map.groupBy(boxes, (box) => box.position.y)
  let y = 0
  for (const [, row] of [...rows].sort(([a], [b]) => a - b)) {
    for (const box of row) box.position.y = y
    y += Math.max(...row.map((box) => box.measured.height)) + BETWEEN
  }
  const heights = new Map(boxes.map((box) => [box.id, box.position.y]))
  const edges = metadata.edges
    .filter((edge) => heights.has(edge.source) && heights.has(edge.target))
    .map((edge) => toEdge(edge, activity, (heights.get(edge.source) ?? 0) <= (heights.get(edge.target) ?? 0)))
  return { nodes: boxes, edges }
}

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
    // Said beforehand: a box that is changed would be hidden until it is measured again.
    measured: { width: WIDTH, height: heightOf(shown.length + (more > 0 ? 1 : 0)) },
    data: { agent: agent.data, activity: agents.get(agent.id), tools: shown, more },
  }
}

function toEdge(
  { id, source, target }: { id: string; source: string; target: string },
  { edges }: Activity,
  down: boolean,
): Edge {
  const what = edges.get(edgeKey(source, target))
  return {
    id,
    source,
    target,
    sourceHandle: down ? 'bottom' : 'top-out',
    targetHandle: down ? 'top' : 'bottom-in',
    className: [what && 'used', what?.active && 'active'].filter(Boolean).join(' '),
    animated: what?.active ?? false,
    label: what === undefined ? undefined : edgeLabel(what),
    labelBgPadding: [5, 3],
    labelBgBorderRadius: 4,
    ariaLabel: `${source} can talk to ${target}${what === undefined ? '' : `: ${edgeLabel(what)}`}`,
    focusable: false,
  }
}

function edgeLabel({ messages, tokens, costUsd }: EdgeActivity): string {
  const used = [`${formatCount(tokens)} tok`, ...(costUsd === undefined ? [] : [formatUsd(costUsd)])]
  return [plural(messages, 'message'), ...(tokens > 0 ? used : [])].join(' · ')
}
