/** The panel with the agency's graph. */
import { Background, Controls, ReactFlow, useReactFlow } from '@xyflow/react'
import type { AgencyMetadata } from 'agency-swarm-js/client'
import '@xyflow/react/dist/base.css'
import './graph.css'
import { type RefObject, useEffect, useMemo, useRef, useState } from 'react'
import { findAgent } from '../agents.tsx'
import { readActivity } from '../run/activity.ts'
import type { RunView } from '../run/run.ts'
import { useCosts } from '../run/use-costs.ts'
import { type Split, Splitter, useSplit } from '../shell/splitter.tsx'
import { AgentBox } from './agent-box.tsx'
import { AgentEdge } from './agent-edge.tsx'
import { AgentTable } from './agent-table.tsx'
import type { Selection } from './detail.ts'
import { GraphDetail } from './graph-detail.tsx'
import { kindsOf, type Layout, layOut, toFlow } from './layout.ts'
import { Legend } from './legend.tsx'
import type { Room } from './place.ts'

const BOXES = { agent: AgentBox }
const LINES = { agent: AgentEdge }
const DETAIL: Split = { name: 'graph details', axis: 'y', usual: 260, min: 80, max: 900 }

interface GraphPanelProps {
  metadata: AgencyMetadata
  runs: readonly RunView[]
  /** Opens the view of an agent's prompt and schemas; absent where the page has none. */
  onAgent?: (name: string) => void
}

/** Shows the agency as a graph with the state and usage of each agent, and the details of what is selected. */
export function GraphPanel({ metadata, runs, onAgent }: GraphPanelProps) {
  const [whole, setWhole] = useState(true)
  const [tools, setTools] = useState(true)
  const [picked, setPicked] = useState<Selection>()
  const [height, setHeight] = useSplit(DETAIL)
  const box = useRef<HTMLDivElement>(null)
  const room = useRoom(box)
  const counted = useMemo(() => (whole ? runs : runs.slice(-1)), [runs, whole])
  const costOf = useCosts(runs)
  const activity = useMemo(() => readActivity(counted, costOf), [counted, costOf])
  const layout = useMemo(() => room && layOut(metadata, tools, room), [metadata, tools, room])
  const selected = isServed(metadata, picked) ? picked : undefined
  const close = () => {
    const id = selected?.kind === 'flow' ? `${selected.from}->${selected.to}` : selected?.name
    setPicked(undefined)
    if (id !== undefined) box.current?.querySelector<HTMLElement>(`[data-id="${CSS.escape(id)}"]`)?.focus()
  }
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
        {layout?.compact !== true && (
          <label className="check">
            <input type="checkbox" checked={tools} onChange={(event) => setTools(event.target.checked)} /> Tools
          </label>
        )}
      </div>
      <div
        className="graph"
        ref={box}
        // React Flow would take the focus from the box.
        onKeyDownCapture={(event) => {
          if (event.key !== 'Escape' || selected === undefined) return
          event.preventDefault()
          event.stopPropagation()
          close()
        }}
      >
        {layout !== undefined && (
          <Flow layout={layout} metadata={metadata} flow={toFlow(layout, activity, selected)} onPick={setPicked} />
        )}
        <Legend flows={layout?.flows ?? []} />
      </div>
      <Splitter {...DETAIL} label="Height of the details" size={height} onSize={setHeight} />
      <div className="graph-below" style={{ flexBasis: height }}>
        {selected === undefined ? (
          <AgentTable metadata={metadata} activity={activity} onPick={(name) => setPicked({ kind: 'agent', name })} />
        ) : (
          <GraphDetail
            key={JSON.stringify(selected)}
            selected={selected}
            agent={selected.kind === 'agent' ? findAgent(metadata, selected.name) : undefined}
            kinds={selected.kind === 'flow' ? kindsBetween(metadata, selected) : []}
            activity={activity}
            runs={counted}
            onClose={close}
            {...(onAgent && { onAgent })}
          />
        )}
      </div>
    </div>
  )
}

function isServed({ nodes, edges }: AgencyMetadata, selected: Selection | undefined): boolean {
  if (selected?.kind !== 'flow') return nodes.some(({ id, type }) => type === 'agent' && id === selected?.name)
  return edges.some(({ source, target }) => source === selected.from && target === selected.to)
}

const kindsBetween = ({ edges }: AgencyMetadata, { from, to }: Selection & { kind: 'flow' }) =>
  edges.filter(({ source, target }) => source === from && target === to).flatMap(kindsOf)

interface FlowProps {
  layout: Layout
  metadata: AgencyMetadata
  flow: ReturnType<typeof toFlow>
  onPick: (selected: Selection | undefined) => void
}

function Flow({ layout, metadata, flow: { nodes, edges }, onPick }: FlowProps) {
  const pickEdge = (id: string) => {
    const flow = layout.flows.find((one) => one.id === id)
    if (flow !== undefined) onPick({ kind: 'flow', from: flow.source, to: flow.target })
  }
  return (
    <ReactFlow
      key={metadata.metadata.agencyName}
      nodes={nodes}
      edges={edges}
      nodeTypes={BOXES}
      edgeTypes={LINES}
      minZoom={0.1}
      maxZoom={2}
      nodesDraggable={false}
      nodesConnectable={false}
      deleteKeyCode={null}
      multiSelectionKeyCode={null}
      selectionKeyCode={null}
      zoomOnScroll={false}
      preventScrolling={false}
      // Enter and Space on a box or line select it, too.
      onNodesChange={(changes) => {
        for (const change of changes)
          if (change.type === 'select' && change.selected) onPick({ kind: 'agent', name: change.id })
      }}
      onEdgesChange={(changes) => {
        for (const change of changes) if (change.type === 'select' && change.selected) pickEdge(change.id)
      }}
      onPaneClick={() => onPick(undefined)}
      aria-label={`The agency ${metadata.metadata.agencyName} as a graph`}
    >
      <Background gap={20} />
      <Controls showInteractive={false} showFitView={false}>
        <FitButton layout={layout} />
      </Controls>
    </ReactFlow>
  )
}

/** The space around the graph in pixels; more below, where the controls and the legend are. */
const AROUND = { x: 14, top: 14, bottom: 44 }
/** A larger graph is not shrunk below this scale, so that names stay readable; it is moved by dragging instead. */
const LEAST = 0.42

/** Fits the graph into its panel, at first, after each change of its layout, and when pressed. */
function FitButton({ layout: { placed } }: { layout: Layout }) {
  const { setViewport } = useReactFlow()
  const mark = useRef<HTMLButtonElement>(null)
  const fit = useRef(() => {})
  fit.current = () => {
    const graph = mark.current?.closest('.graph')
    if (graph == null) return
    const { clientWidth: width, clientHeight: height } = graph
    const [across, down] = [width - 2 * AROUND.x, height - AROUND.top - AROUND.bottom]
    const zoom = Math.min(1.05, Math.max(LEAST, Math.min(across / placed.width, down / placed.height)))
    const x = AROUND.x + Math.max(0, (across - placed.width * zoom) / 2)
    const y = AROUND.top + Math.max(0, (down - placed.height * zoom) / 2)
    void setViewport({ x, y, zoom })
  }
  // biome-ignore lint/correctness/useExhaustiveDependencies: fits each new layout
  useEffect(() => fit.current(), [placed])
  return (
    <button
      ref={mark}
      type="button"
      className="react-flow__controls-button"
      aria-label="Fit the graph"
      title="Fit the graph"
      onClick={() => fit.current()}
    >
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <path d="M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5" fill="none" stroke="currentColor" strokeWidth="3" />
      </svg>
    </button>
  )
}

/** Sizes are rounded to so many pixels: a layout for each of them would be too many while a divider is dragged. */
const ROUNDED = 40

/** The size of an element; undefined while it is hidden. */
function useRoom(box: RefObject<HTMLElement | null>): Room | undefined {
  const [room, setRoom] = useState<Room>()
  useEffect(() => {
    if (box.current === null) return undefined
    const observer = new ResizeObserver(([entry]) => {
      if (entry === undefined || entry.contentRect.width === 0) return
      const [width, height] = [entry.contentRect.width, entry.contentRect.height].map(
        (size) => Math.max(1, Math.round(size / ROUNDED)) * ROUNDED,
      ) as [number, number]
      setRoom((before) => (before?.width === width && before.height === height ? before : { width, height }))
    })
    observer.observe(box.current)
    return () => observer.disconnect()
  }, [box])
  return room
}
