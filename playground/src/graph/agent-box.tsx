/** The box of an agent in the graph. */
import { Handle, type NodeProps, Position } from '@xyflow/react'
import { useAgentClass } from '../agents.tsx'
import { formatCount, formatMs, formatUsd } from '../figures.ts'
import { Icon } from '../icons.tsx'
import type { AgentActivity } from '../run/activity.ts'
import type { AgentBoxNode, ToolLine } from './layout.ts'

/** Shows an agent in the graph: its name and state; a large box also has its model, usage and tools. */
export function AgentBox({ data, selected }: NodeProps<AgentBoxNode>) {
  const { agent, activity, tools, more, compact, dimmed } = data
  const state = activity?.state ?? 'idle'
  const said = state !== 'idle' ? state : agent.isEntryPoint ? 'entry' : ''
  return (
    <div
      className={`agent-box ${useAgentClass(agent.label)}`}
      data-state={state}
      data-agent={agent.label}
      data-compact={compact}
      data-dimmed={dimmed}
      data-selected={selected}
    >
      <Handle id="in" type="target" position={Position.Top} />
      <p className="agent-box-name" title={agent.description}>
        <span className="agent-dot" /> <span>{agent.label}</span>
        {!compact && <small>{said}</small>}
      </p>
      {compact ? (
        <p className="agent-box-figures">{said || usageOf(activity) || agent.model}</p>
      ) : (
        <>
          <p className="agent-box-model">{agent.model}</p>
          <p className="agent-box-figures">{usageOf(activity) || 'not used yet'}</p>
        </>
      )}
      {tools.length > 0 && (
        <ul>
          {tools.map((tool) => (
            <ToolRow key={tool.name} tool={tool} />
          ))}
          {more > 0 && <li>and {more} more</li>}
        </ul>
      )}
      <Handle id="out" type="source" position={Position.Bottom} />
    </div>
  )
}

/** Tokens and cost in a few words; empty while there are none. */
function usageOf(activity: AgentActivity | undefined): string {
  const tokens = (activity?.inputTokens ?? 0) + (activity?.outputTokens ?? 0)
  if (activity === undefined || tokens === 0) return ''
  const cost =
    activity.costUsd === undefined ? '' : ` · ${activity.estimated ? '≈ ' : ''}${formatUsd(activity.costUsd)}`
  return `${formatCount(tokens)} tok${cost}`
}

const ToolRow = ({ tool: { name, description, activity } }: { tool: ToolLine }) => (
  <li
    className="tool-row"
    data-tool={name}
    data-active={activity?.active ?? false}
    data-failed={(activity?.failed ?? 0) > 0}
    title={description}
  >
    <Icon name="tool" /> <span>{name}</span>
    {activity !== undefined && (
      <small>
        {activity.calls}×{activity.failed > 0 && <b> {activity.failed} failed</b>}
        {activity.ms > 0 ? ` ${formatMs(activity.ms)}` : ''}
      </small>
    )}
  </li>
)
