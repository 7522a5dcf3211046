/** The panel with the agency's graph. */
import { Background, Controls, type FitViewOptions, ReactFlow, useReactFlow } from '@xyflow/react'
import type { AgencyMetadata } from 'agency-swarm-js/client'
import '@xyflow/react/dist/base.css'
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { AgentName } from '../agents.tsx'
import { formatCount, formatUsd } from '../figures.ts'
import { type Activity, readActivity } from '../run/activity.ts'
import type { RunView } from '../run/run.ts'
import { useCosts } from '../run/use-costs.ts'
import { AgentBox } from './agent-box.tsx'
import { AgentEdge } from './agent-edge.tsx'
import { toFlow } from './layout.ts'
import { ARC_ROOM } from './route.ts'

const BOXES = { agent: AgentBox }
const LINES = { agent: AgentEdge }
const FIT: FitViewOptions = { padding: 0.08, maxZoom: 1.1 }
/** Extra space above the first row: fitting considers boxes only, not the arcs above them. */
const FIT_ARCS: FitViewOptions = { padding: { top: `${ARC_ROOM}px`, x: 0.08, bottom: 0.08 }, maxZoom: 1 }

/** Shows the agency as a graph with the state and usage of each agent. */
export function GraphPanel({ metadata, runs }: { metadata: AgencyMetadata; runs: readonly RunView[] }) {
  const [whole, setWhole] = useState(true)
  const [tools, setTools] = useState(true)
  const box = useRef<HTMLDivElement>(null)
  const costOf = useCosts(runs)
  const activity = useMemo(() => readActivity(whole ? runs : runs.slice(-1), costOf), [runs, whole, costOf])
  const { nodes, edges } = useMemo(() => toFlow(metadata, activity, tools), [metadata, activity, tools])
  const fit = edges.some(({ data }) => data?.way === 'over') ? FIT_ARCS : FIT
  return (
    <div className="graph-panel">
      <div className="panel-bar">
        <label>
          <span>Usage</span>
          <select value={whole ? 'all' : 'last'} onChange={(event) => setWhole(event.target.value === 'all')}>
            <option value="all">Conversation</option>
            <option value="last">Last run</option>
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={tools} onChange={(event) => setTools(event.target.checked)} /> Tools
        </label>
      </div>
      <div className="graph" ref={box}>
        <ReactFlow
          key={`${metadata.metadata.agencyName} ${tools}`}
          nodes={nodes}
          edges={edges}
          nodeTypes={BOXES}
          edgeTypes={LINES}
          fitView
          fitViewOptions={fit}
          minZoom={0.15}
          nodesDraggable={false}
          nodesConnectable={false}
          nodesFocusable={false}
          elementsSelectable={false}
          zoomOnScroll={false}
          preventScrolling={false}
          aria-label={`The agency ${metadata.metadata.agencyName} as a graph`}
        >
          <Background gap={20} />
          <Controls showInteractive={false} />
          <Refit box={box} fit={fit} />
        </ReactFlow>
      </div>
      <AgentTable metadata={metadata} activity={activity} />
    </div>
  )
}

/** Fits the graph again when its size changes, such as after it was hidden. */
function Refit({ box, fit }: { box: RefObject<HTMLDivElement | null>; fit: FitViewOptions }) {
  const { fitView } = useReactFlow()
  useEffect(() => {
    if (box.current === null) return undefined
    const observer = new ResizeObserver(() => void fitView(fit))
    observer.observe(box.current)
    return () => observer.disconnect()
  }, [box, fit, fitView])
  return null
}

/** The same figures as a table: exact numbers, and readable by screen readers. */
function AgentTable({ metadata, activity }: { metadata: AgencyMetadata; activity: Activity }) {
  return (
    <table className="figures-table">
      <caption className="visually-hidden">Usage by agent</caption>
      <thead>
        <tr>
          <th>Agent</th>
          <th>Now</th>
          <th>Answers</th>
          <th title="Input tokens">In</th>
          <th title="Output tokens">Out</th>
          <th>Cost</th>
        </tr>
      </thead>
      <tbody>
        {metadata.metadata.agents.map((name) => {
          const figures = activity.agents.get(name)
          return (
            <tr key={name}>
              <th scope="row">
                <AgentName name={name} />
              </th>
              <td>{figures?.state ?? 'idle'}</td>
              <td>{formatCount(figures?.answers ?? 0)}</td>
              <td>{formatCount(figures?.inputTokens ?? 0)}</td>
              <td>{formatCount(figures?.outputTokens ?? 0)}</td>
              <td title={figures !== undefined && figures.costUsd === undefined ? 'Unknown' : undefined}>
                {figures?.costUsd === undefined
                  ? '–'
                  : `${formatUsd(figures.costUsd)}${figures.estimated ? ' (estimated)' : ''}`}
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
