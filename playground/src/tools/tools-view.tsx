/** Every tool of every agent, and every standalone tool, to be run by hand. */
import type { Client } from 'agency-swarm-js/client'
import { useAgentView } from '../agents/use-agent-view.ts'
import { Notice } from '../chat/notice.tsx'
import { plural } from '../figures.ts'
import { type Route, writeRoute } from '../route.ts'
import { type ListGroup, ListPage } from '../shell/page-list.tsx'
import type { Served } from '../use-server.ts'
import { type RunnableTool, ToolForm } from './tool-form.tsx'
import '../agents/agents.css'
import './tools.css'

interface ToolsViewProps {
  client: Client
  served: Served
  route: Route & { view: 'tools' }
  onLocked: () => void
}

export function ToolsView({ client, served, route, onLocked }: ToolsViewProps) {
  const { agency, agent, tool: name } = { ...firstOwner(served), ...route }
  const isOwned = agency !== undefined && agent !== undefined
  const { view, problem } = useAgentView(agency ?? '', isOwned ? agent : undefined, onLocked)
  const tools: RunnableTool[] | undefined = isOwned
    ? view?.tools
        .filter(({ runs }) => runs)
        .map((tool) => ({ ...tool, needsApproval: tool.needs_approval, owner: { agency, agent } }))
    : served.tools.map((tool) => ({ ...tool, needsApproval: false, owner: undefined }))
  const chosen = name === undefined ? tools?.[0] : tools?.find((tool) => tool.name === name)
  const addressOf = (tool: string) => writeRoute({ view: 'tools', ...(isOwned ? { agency, agent } : {}), tool })
  return (
    <ListPage title="Tools" groups={ownersOf(served, { agency, agent })} className="tools-view">
      {problem !== undefined && <Notice sentence={problem} />}
      {view?.problems.map((text) => (
        <Notice key={text} sentence={text} />
      ))}
      {tools === undefined && problem === undefined && <p className="empty">Loading the tools…</p>}
      {tools?.length === 0 && <p className="empty">{agent} has no tools of its own that run in this server.</p>}
      {tools !== undefined && tools.length > 0 && (
        <ul className="tool-tabs" aria-label={agent === undefined ? 'Standalone tools' : `Tools of ${agent}`}>
          {tools.map((tool) => (
            <li key={tool.name}>
              <a href={addressOf(tool.name)} aria-current={tool === chosen ? 'page' : undefined}>
                {tool.name}
              </a>
            </li>
          ))}
        </ul>
      )}
      {tools !== undefined && tools.length > 0 && chosen === undefined && (
        <p className="empty">There is no tool “{name}” here.</p>
      )}
      {chosen !== undefined && (
        <ToolForm key={addressOf(chosen.name)} client={client} tool={chosen} onLocked={onLocked} />
      )}
    </ListPage>
  )
}

/** The standalone tools, or the first agent that has a tool. */
function firstOwner({ agencies, tools }: Served): { agency?: string; agent?: string } {
  if (tools.length > 0) return {}
  for (const [agency, { nodes }] of agencies) {
    const agent =
      nodes.find((node) => node.type === 'agent' && node.data.toolCount > 0) ??
      nodes.find(({ type }) => type === 'agent')
    if (agent !== undefined) return { agency, agent: agent.id }
  }
  return {}
}

function ownersOf(
  { agencies, tools }: Served,
  current: { agency: string | undefined; agent: string | undefined },
): ListGroup[] {
  const standalone = {
    title: 'On their own',
    links: [
      {
        href: writeRoute({ view: 'tools', ...(tools[0] && { tool: tools[0].name }) }),
        title: 'Standalone tools',
        note: String(tools.length),
        isCurrent: current.agent === undefined,
      },
    ],
  }
  const owned = [...agencies].map(([agency, { nodes }]) => ({
    title: agency,
    links: nodes.flatMap((node) =>
      node.type === 'agent'
        ? [
            {
              href: writeRoute({ view: 'tools', agency, agent: node.id }),
              title: node.id,
              note: plural(node.data.toolCount, 'tool'),
              isCurrent: agency === current.agency && node.id === current.agent,
            },
          ]
        : [],
    ),
  }))
  return [...(tools.length > 0 ? [standalone] : []), ...owned]
}
