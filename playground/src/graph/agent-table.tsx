/** The graph's figures as a table: exact numbers, and readable by screen readers. */
import type { AgencyMetadata } from 'agency-swarm-js/client'
import { AgentName } from '../agents.tsx'
import { formatCount, formatUsd } from '../figures.ts'
import type { Activity } from '../run/activity.ts'

interface AgentTableProps {
  metadata: AgencyMetadata
  activity: Activity
  /** Selects an agent in the graph. */
  onPick: (name: string) => void
}

export function AgentTable({ metadata, activity, onPick }: AgentTableProps) {
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
            <tr key={name} data-state={figures?.state ?? 'idle'}>
              <th scope="row">
                <button type="button" title={`Details of ${name}`} onClick={() => onPick(name)}>
                  <AgentName name={name} />
                </button>
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
