/** Each agent as its model gets it: instructions, tools with their schemas, model, settings, and whom it reaches. */
import type { ReactNode } from 'react'
import { AgentName } from '../agents.tsx'
import { Notice } from '../chat/notice.tsx'
import { Code, CopyButton, Fold } from '../controls.tsx'
import { plural } from '../figures.ts'
import { writeRoute } from '../route.ts'
import { ListPage } from '../shell/page-list.tsx'
import type { Served } from '../use-server.ts'
import { type AgentTool, type AgentView, useAgentView } from './use-agent-view.ts'
import './agents.css'

interface AgentsViewProps {
  served: Served
  agency: string
  /** Undefined: the entry agent. */
  agent: string | undefined
  onLocked: () => void
}

export function AgentsView({ served, agency, agent, onLocked }: AgentsViewProps) {
  const { agents = [], entryPoints = [] } = served.agencies.get(agency)?.metadata ?? {}
  const name = agent ?? entryPoints[0] ?? agents[0]
  const isKnown = name !== undefined && agents.includes(name)
  const { view, problem } = useAgentView(agency, isKnown ? name : undefined, onLocked)
  const groups = [...served.agencies].map(([path, { metadata }]) => ({
    title: path,
    links: metadata.agents.map((one) => ({
      href: writeRoute({ view: 'agents', agency: path, agent: one }),
      title: one,
      ...(metadata.entryPoints.includes(one) ? { note: 'entry' } : {}),
      isCurrent: path === agency && one === name,
    })),
  }))
  return (
    <ListPage title="Agents" groups={groups} className="agents-view">
      {!isKnown ? (
        <p className="empty">There is no agent “{name}” here. Choose one from the list.</p>
      ) : problem !== undefined ? (
        <Notice sentence={problem} />
      ) : view === undefined ? (
        <p className="empty">Loading the agent…</p>
      ) : (
        <Agent view={view} agency={agency} />
      )}
    </ListPage>
  )
}

function Agent({ view, agency }: { view: AgentView; agency: string }) {
  const { agent, description, model, settings, instructions, dynamic, problems } = view
  const handoffs = view.tools.filter(({ from }) => from === 'handoff').flatMap(({ reaches }) => reaches)
  const messages = view.tools.filter(({ from }) => from === 'message').flatMap(({ reaches }) => reaches)
  return (
    <article>
      <h2 className="agent-title">
        <AgentName name={agent} />
      </h2>
      {description !== '' && <p className="muted">{description}</p>}
      {problems.map((problem) => (
        <Notice key={problem} sentence={problem} />
      ))}
      <dl className="facts">
        <Fact name="Model">{model}</Fact>
        {Object.entries(settings).map(([name, value]) => (
          <Fact key={name} name={name}>
            {typeof value === 'string' ? value : JSON.stringify(value)}
          </Fact>
        ))}
        <Fact name="Sends messages to">
          <Names names={messages} agency={agency} />
        </Fact>
        <Fact name="Hands over to">
          <Names names={handoffs} agency={agency} />
        </Fact>
        <Fact name="Reached from">
          <Names names={view.reached_from} agency={agency} />
        </Fact>
      </dl>
      <section aria-labelledby="instructions">
        <h3 id="instructions">
          Instructions as sent
          {instructions !== null && <CopyButton label="Copy" text={() => instructions} />}
        </h3>
        {dynamic && (
          <p className="muted">
            A function makes them for each model call; these are for the context that a run starts with. A trace has
            those of a call.
          </p>
        )}
        {instructions === null ? (
          <p className="empty">{problems.length > 0 ? 'They cannot be made without a run.' : 'None.'}</p>
        ) : (
          <Code text={instructions} label="Instructions" />
        )}
      </section>
      <section aria-labelledby="tools">
        <h3 id="tools">{view.tools.length === 0 ? 'No tools' : plural(view.tools.length, 'tool')}</h3>
        {view.tools.map((tool) => (
          <Tool key={tool.name} tool={tool} agency={agency} agent={agent} />
        ))}
      </section>
      {view.hosted_tools.length > 0 && (
        <section aria-labelledby="hosted">
          <h3 id="hosted">Run by the provider</h3>
          <Code text={JSON.stringify(view.hosted_tools, null, 2)} label="Tools that the provider runs" />
        </section>
      )}
      {view.output_schema !== null && (
        <section aria-labelledby="output">
          <h3 id="output">Schema of the answer</h3>
          <Code text={JSON.stringify(view.output_schema, null, 2)} label="Schema of the answer" />
        </section>
      )}
    </article>
  )
}

const Fact = ({ name, children }: { name: string; children: ReactNode }) => (
  <div>
    <dt>{name}</dt>
    <dd>{children}</dd>
  </div>
)

const Names = ({ names, agency }: { names: readonly string[]; agency: string }) =>
  names.length === 0
    ? 'nobody'
    : names.map((agent, index) => (
        <span key={agent}>
          {index > 0 && ', '}
          <a href={writeRoute({ view: 'agents', agency, agent })}>{agent}</a>
        </span>
      ))

const FROM: { [from: string]: string | undefined } = { own: undefined, message: 'message', handoff: 'handoff' }

function Tool({ tool, agency, agent }: { tool: AgentTool; agency: string; agent: string }) {
  const { name, description, parameters, strict, from, needs_approval: needsApproval, runs } = tool
  const tags = [
    from in FROM ? FROM[from] : `MCP: ${from}`,
    needsApproval ? 'needs approval' : undefined,
    strict ? 'strict' : undefined,
  ].filter((tag) => tag !== undefined)
  const line = (
    <>
      <span className="fold-title">
        <span className="card-name">{name}</span>
      </span>
      <span className="fold-preview">{description}</span>
      <span className="call-state">{tags.join(' · ')}</span>
    </>
  )
  return (
    <Fold className="card" open={false} summary={line}>
      {description !== '' && <p>{description}</p>}
      <Code text={JSON.stringify(parameters, null, 2)} label={`Schema of ${name}`} />
      {runs && (
        <p>
          <a href={writeRoute({ view: 'tools', agency, agent, tool: name })}>Run this tool</a>
        </p>
      )}
    </Fold>
  )
}
