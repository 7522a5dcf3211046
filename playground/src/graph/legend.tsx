/** What the lines of the graph mean. */
import type { AgencyMetadata } from 'agency-swarm-js/client'
import { kindsOf } from './layout.ts'

/** Names the kinds of lines; nothing for a graph without lines. */
export function Legend({ flows }: { flows: AgencyMetadata['edges'] }) {
  const kinds = new Set(flows.flatMap(kindsOf))
  if (kinds.size === 0) return null
  return (
    <p className="legend">
      {kinds.has('send_message') && (
        <span>
          <i className="legend-line" /> asks and waits
        </span>
      )}
      {kinds.has('handoff') && (
        <span>
          <i className="legend-line hands-over" /> hands over
        </span>
      )}
    </p>
  )
}
