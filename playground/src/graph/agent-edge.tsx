/** The arrow between two agents in the graph. */
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from '@xyflow/react'
import type { AgentLine } from './layout.ts'
import { route } from './route.ts'

/** Draws an arrow from the sender to the recipient. Its label is above all lines. */
export function AgentEdge({ id, sourceX, sourceY, targetX, targetY, data, label, markerEnd }: EdgeProps<AgentLine>) {
  const { way = 'down', place = 0 } = data ?? {}
  const { path, labelX, labelY } = route({ x: sourceX, y: sourceY }, { x: targetX, y: targetY }, way, place)
  return (
    <>
      <BaseEdge id={id} path={path} {...(markerEnd === undefined ? {} : { markerEnd })} />
      {label !== undefined && (
        <EdgeLabelRenderer>
          <span
            className="edge-label"
            data-edge={id}
            aria-hidden="true"
            style={{ transform: `translate(${labelX}px, ${labelY}px) translate(-50%, -50%)` }}
          >
            {label}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  )
}
