/** The boxes and lines of an agency's graph, for React Flow. */
import { type Edge, MarkerType, type Node } from '@xyflow/react'
import type { AgencyMetadata, AgentNode, ToolNode } from 'agency-swarm-js/client'
import { formatShort, formatUsd } from '../figures.ts'
import { type Activity, type AgentActivity, type EdgeActivity, edgeKey, type ToolActivity } from '../run/activity.ts'
import type { Selection } from './detail.ts'
import { type Placed, place, type Room } from './place.ts'
import type { Point } from './route.ts'

export interface ToolLine {
  name: string
  description: string
  activity: ToolActivity | undefined
}

/** How an agent reaches another. */
export type FlowKind = 'send_message' | 'handoff'

interface BoxData {
  [key: string]: unknown
  agent: AgentNode['data']
  activity: AgentActivity | undefined
  tools: readonly ToolLine[]
  more: number
  compact: boolean
  /** Another box or line is selected, and this one is no part of it. */
  dimmed: boolean
}

export type AgentBoxNode = Node<BoxData, 'agent'> & { measured: { width: number; height: number } }

/** `place` is the index of its label among those at the same target. */
export type AgentLine = Edge<{ points: readonly Point[]; place: number }, 'agent'>

/** An agency's graph with its positions. */
export interface Layout {
  agents: readonly AgentNode[]
  tools: readonly ToolNode[]
  flows: AgencyMetadata['edges']
  placed: Placed
  compact: boolean
  withTools: boolean
}

/** Sizes in pixels; the styles use the same values. */
const WIDTH = 204
const HEAD = 78
const COMPACT = { width: 156, height: 46 }
const TOOLS = 5
const TOOL = 22
const MAX_TOOLS = 8
/** Larger graphs have small boxes, with names and states only. */
const MOST_FULL_BOXES = 7

/** Computes the positions of an agency's agents for a panel of this size. */
export function layOut(metadata: AgencyMetadata, withTools: boolean, room: Room): Layout {
  const agents = metadata.nodes.filter((node) => node.type === 'agent')
  const tools = metadata.nodes.filter((node) => node.type === 'tool')
  const known = new Set(agents.map(({ id }) => id))
  const flows = metadata.edges.filter(
    ({ type, source, target }) => type === 'communication' && known.has(source) && known.has(target),
  )
  const compact = agents.length > MOST_FULL_BOXES
  const boxes = agents.map(({ id, data }) => ({
    id,
    isEntry: data.isEntryPoint,
    ...(compact ? COMPACT : { width: WIDTH, height: heightOf(withTools ? data.toolCount : 0) }),
  }))
  return { agents, tools, flows, placed: place(boxes, flows, room), compact, withTools: withTools && !compact }
}

const heightOf = (tools: number) => HEAD + (tools > 0 ? TOOLS + TOOL * Math.min(tools, MAX_TOOLS + 1) : 0)

/** Adds activity and selection to a layout. */
export function toFlow(
  layout: Layout,
  activity: Activity,
  selected: Selection | undefined,
): { nodes: AgentBoxNode[]; edges: AgentLine[] } {
  const { flows } = layout
  const near = nearTo(flows, selected)
  const nodes = layout.agents.map((agent) => toBox(agent, layout, activity, selected, near))
  const labels = new Map<string, number>()
  const edges = flows.map((flow) => {
    const what = activity.edges.get(edgeKey(flow.source, flow.target))
    const place = labels.get(flow.target) ?? 0
    if (what !== undefined) labels.set(flow.target, place + 1)
    const chosen = selected?.kind === 'flow' && selected.from === flow.source && selected.to === flow.target
    const touched = selected === undefined || chosen || (selected.kind === 'agent' && touches(flow, selected.name))
    return toLine(flow, what, { points: layout.placed.lines.get(flow.id) ?? [], place }, { chosen, dimmed: !touched })
  })
  return { nodes, edges }
}

type Flow = AgencyMetadata['edges'][number]

const touches = ({ source, target }: Flow, name: string) => source === name || target === name

/** The agents that belong to what is selected; undefined when nothing is. */
function nearTo(flows: readonly Flow[], selected: Selection | undefined): ReadonlySet<string> | undefined {
  if (selected === undefined) return undefined
  if (selected.kind === 'flow') return new Set([selected.from, selected.to])
  const joined = flows.filter((flow) => touches(flow, selected.name))
  return new Set([selected.name, ...joined.flatMap(({ source, target }) => [source, target])])
}

function toBox(
  agent: AgentNode,
  { tools: all, placed, compact, withTools }: Layout,
  { agents, tools: used }: Activity,
  selected: Selection | undefined,
  near: ReadonlySet<string> | undefined,
): AgentBoxNode {
  const own = withTools ? all.filter(({ data }) => data.parentAgent === agent.id) : []
  const tools = own.slice(0, MAX_TOOLS).map(({ data: { label: name, description } }) => {
    return { name, description, activity: used.get(edgeKey(agent.id, name)) }
  })
  return {
    id: agent.id,
    type: 'agent',
    position: placed.boxes.get(agent.id) ?? { x: 0, y: 0 },
    // Sizes are set here, because React Flow hides a changed box until it is measured again.
    measured: compact ? COMPACT : { width: WIDTH, height: heightOf(own.length) },
    selected: selected?.kind === 'agent' && selected.name === agent.id,
    ariaLabel: `${agent.id}, ${agents.get(agent.id)?.state ?? 'idle'}`,
    data: {
      agent: agent.data,
      activity: agents.get(agent.id),
      tools,
      more: own.length - tools.length,
      compact,
      dimmed: near !== undefined && !near.has(agent.id),
    },
  }
}

/** The ways in which an edge's agent reaches the other. */
export const kindsOf = ({ data }: Flow): readonly FlowKind[] => data?.kinds ?? ['send_message']

const colourOf = (what: EdgeActivity | undefined) =>
  what === undefined ? 'var(--line-strong)' : what.failed > 0 ? 'var(--bad)' : 'var(--accent)'

function toLine(
  flow: Flow,
  what: EdgeActivity | undefined,
  data: { points: readonly Point[]; place: number },
  { chosen, dimmed }: { chosen: boolean; dimmed: boolean },
): AgentLine {
  const { id, source, target } = flow
  const kinds = kindsOf(flow)
  const onlyHandsOver = !kinds.includes('send_message')
  const classes = [
    onlyHandsOver && 'hands-over',
    what && 'used',
    what?.active && 'active',
    what && what.failed > 0 && 'failed',
    chosen && 'chosen',
    dimmed && 'dimmed',
  ]
  const can = [kinds.includes('send_message') && 'can ask', kinds.includes('handoff') && 'can hand over to']
  return {
    id,
    type: 'agent',
    source,
    target,
    data,
    selected: chosen,
    sourceHandle: 'out',
    targetHandle: 'in',
    markerEnd: {
      type: onlyHandsOver ? MarkerType.Arrow : MarkerType.ArrowClosed,
      color: colourOf(what),
      markerUnits: 'userSpaceOnUse',
      width: onlyHandsOver ? 20 : 26,
      height: onlyHandsOver ? 20 : 26,
      ...(onlyHandsOver && { strokeWidth: 1.5 }),
    },
    className: classes.filter(Boolean).join(' '),
    label: what === undefined || dimmed ? undefined : edgeLabel(what),
    ariaLabel: `${source} ${can.filter(Boolean).join(' and ')} ${target}${what === undefined ? '' : `: ${edgeLabel(what)}`}`,
    interactionWidth: 18,
  }
}

function edgeLabel({ messages, failed, tokens, costUsd }: EdgeActivity): string {
  const used = [`${formatShort(tokens)} tok`, ...(costUsd === undefined ? [] : [formatUsd(costUsd)])]
  return [`${messages}×`, ...(failed > 0 ? [`${failed} failed`] : []), ...(tokens > 0 ? used : [])].join(' · ')
}
