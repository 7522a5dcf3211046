/** The arrow between two agents in the graph. */
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from '@xyflow/react'
import type { AgentLine } from './layout.ts'
import { drawLine } from './route.ts'

/** Draws an arrow from the sender to the recipient. Its label is above all lines. */
export function AgentEdge({ id, data, label, markerEnd, interactionWidth }: EdgeProps<AgentLine>) {
  const { path, label: at } = drawLine(data?.points ?? [], data?.place ?? 0)
  return (
    <>
      <BaseEdge
        id={id}
        path={path}
        interactionWidth={interactionWidth ?? 18}
        {...(markerEnd === undefined ? {} : { markerEnd })}
      />
      {label !== undefined && (
        <EdgeLabelRenderer>
          <span
            className="edge-label"
            data-edge={id}
            aria-hidden="true"
            style={{ transform: `translate(${at.x}px, ${at.y}px) translate(-50%, -50%)` }}
          >
            {label}
          </span>
        </EdgeLabelRenderer>
      )}
    </>
  )
}
