/** The box of an agent in the graph. */
import { Handle, type NodeProps, Position } from '@xyflow/react'
import { useAgentClass } from '../agents.tsx'
import { formatCount, formatMs, formatUsd } from '../figures.ts'
import { Icon } from '../icons.tsx'
import type { AgentBoxNode, ToolLine } from './layout.ts'

/** Shows an agent in the graph: its name, state, usage and tools. */
export function AgentBox({ data: { agent, activity, tools, more } }: NodeProps<AgentBoxNode>) {
  const state = activity?.state ?? 'idle'
  const tokens = (activity?.inputTokens ?? 0) + (activity?.outputTokens ?? 0)
  return (
    <div className={`agent-box ${useAgentClass(agent.label)}`} data-state={state} data-agent={agent.label}>
      <Handle id="top" type="target" position={Position.Top} />
      <Handle id="top-out" type="source" position={Position.Top} />
      <p className="agent-box-name" title={agent.description}>
        <span className="agent-dot" /> <span>{agent.label}</span>
        <small>{state === 'idle' ? (agent.isEntryPoint ? 'entry' : '') : state}</small>
      </p>
      <p className="agent-box-model">{agent.model}</p>
      <p className="agent-box-figures">
        {tokens === 0 ? '–' : `${formatCount(tokens)} tok`}
        {activity?.costUsd !== undefined && ` · ${activity.estimated ? '≈ ' : ''}${formatUsd(activity.costUsd)}`}
      </p>
      {tools.length > 0 && (
        <ul>
          {tools.map((tool) => (
            <ToolRow key={tool.name} tool={tool} />
          ))}
          {more > 0 && <li>and {more} more</li>}
        </ul>
      )}
      <Handle id="bottom" type="source" position={Position.Bottom} />
      <Handle id="bottom-in" type="target" position={Position.Bottom} />
    </div>
  )
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
