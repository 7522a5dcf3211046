/** The details of a selected agent or edge of the graph. */
import type { AgentNode } from 'agency-swarm-js/client'
import type { ReactNode } from 'react'
import { AgentName, useAgentClass } from '../agents.tsx'
import { Code, Facts, Fold, IconButton } from '../controls.tsx'
import { formatCount, formatMs, formatUsd, plural, prettyJson } from '../figures.ts'
import { Markdown } from '../markdown/markdown.tsx'
import { type Activity, type AgentActivity, edgeKey } from '../run/activity.ts'
import type { RunView } from '../run/run.ts'
import { type Deed, deedsOf, type Exchange, exchangesOf, type Selection } from './detail.ts'
import type { FlowKind } from './layout.ts'

interface DetailProps {
  selected: Selection
  agent: AgentNode['data'] | undefined
  /** The kinds of a selected edge. */
  kinds: readonly FlowKind[]
  activity: Activity
  runs: readonly RunView[]
  onClose: () => void
  /** Opens the view of an agent's prompt and schemas; absent where the page has none. */
  onAgent?: (name: string) => void
}

/** Shows a selected agent with its prompt, tools and messages, or a selected edge with the messages between its agents. */
export function GraphDetail({ selected, agent, kinds, activity, runs, onClose, onAgent }: DetailProps) {
  if (selected.kind === 'flow')
    return (
      <Section label={`From ${selected.from} to ${selected.to}`} onClose={onClose} title={<FlowTitle {...selected} />}>
        <FlowDetail selected={selected} kinds={kinds} activity={activity} runs={runs} />
      </Section>
    )
  if (agent === undefined) return null
  return (
    <Section
      label={`Agent ${agent.label}`}
      onClose={onClose}
      title={<AgentName name={agent.label} />}
      more={
        onAgent !== undefined && (
          <button type="button" className="text-button framed" onClick={() => onAgent(agent.label)}>
            Open in Agents
          </button>
        )
      }
    >
      <AgentDetail agent={agent} activity={activity} deeds={deedsOf(runs, agent.label)} />
    </Section>
  )
}

interface SectionProps {
  label: string
  title: ReactNode
  more?: ReactNode
  onClose: () => void
  children: ReactNode
}

const Section = ({ label, title, more, onClose, children }: SectionProps) => (
  <section className="graph-detail" aria-label={label}>
    <header className="graph-detail-head">
      <h2>{title}</h2>
      {more}
      <IconButton icon="close" label="Close the details" onClick={onClose} />
    </header>
    <div className="graph-detail-body">{children}</div>
  </section>
)

const FlowTitle = ({ from, to }: { from: string; to: string }) => (
  <>
    <AgentName name={from} /> <span aria-hidden="true">→</span> <AgentName name={to} />
  </>
)

const usageFacts = ({ answers, inputTokens, outputTokens, costUsd, estimated }: AgentActivity): [string, string][] => [
  ['Answers', formatCount(answers)],
  ['Tokens in', formatCount(inputTokens)],
  ['Tokens out', formatCount(outputTokens)],
  ...(costUsd === undefined ? [] : ([['Cost', `${estimated ? '≈ ' : ''}${formatUsd(costUsd)}`]] as [string, string][])),
]

interface AgentDetailProps {
  agent: AgentNode['data']
  activity: Activity
  deeds: readonly Deed[]
}

function AgentDetail({ agent, activity, deeds }: AgentDetailProps) {
  const used = activity.agents.get(agent.label)
  return (
    <>
      {agent.description !== '' && <p className="muted">{agent.description}</p>}
      <Facts
        facts={[
          ['Model', agent.model],
          ['State', used?.state ?? 'idle'],
          ...(agent.isEntryPoint ? ([['Entry', 'yes']] as const) : []),
          ...(used === undefined ? [] : usageFacts(used)),
        ]}
      />
      <Fold className="part" summary="Prompt" open={deeds.length === 0}>
        {agent.instructions === '' ? (
          <p className="muted">A function writes its instructions for each run, or it has none.</p>
        ) : (
          <Code text={agent.instructions} label={`Prompt of ${agent.label}`} />
        )}
      </Fold>
      {agent.tools.length > 0 && (
        <Fold className="part" summary={plural(agent.tools.length, 'tool')} open={false}>
          <ul className="detail-tools">
            {agent.tools.map((tool) => (
              <li key={tool.name}>
                <ToolDetail tool={tool} used={activity.tools.get(edgeKey(agent.label, tool.name))} />
              </li>
            ))}
          </ul>
        </Fold>
      )}
      <Fold className="part" summary={plural(deeds.length, 'message')} open={deeds.length > 0}>
        {deeds.length === 0 && <p className="muted">It has said nothing in this conversation.</p>}
        <ol className="deeds" aria-label={`Messages of ${agent.label}`}>
          {deeds.map((deed, index) => (
            <li key={index}>
              <DeedView deed={deed} />
            </li>
          ))}
        </ol>
      </Fold>
    </>
  )
}

interface ToolDetailProps {
  tool: AgentNode['data']['tools'][number]
  used: { calls: number; failed: number; ms: number } | undefined
}

const ToolDetail = ({ tool, used }: ToolDetailProps) => (
  <Fold
    open={false}
    summary={
      <>
        <span className="card-name">{tool.name}</span>
        <span className="fold-preview">{tool.description}</span>
        {used !== undefined && (
          <span className={used.failed > 0 ? 'call-state failed' : 'call-state'}>
            {used.calls}×{used.failed > 0 && ` ${used.failed} failed`} {used.ms > 0 && formatMs(used.ms)}
          </span>
        )}
      </>
    }
  >
    {tool.description !== '' && <p>{tool.description}</p>}
    {tool.inputSchema === undefined ? (
      <p className="muted">The provider runs this tool.</p>
    ) : (
      <Code text={JSON.stringify(tool.inputSchema, null, 2)} label={`Schema of ${tool.name}`} />
    )}
  </Fold>
)

function DeedView({ deed: { run, entry, askedBy } }: { deed: Deed }) {
  const where = `Run ${run}${askedBy === undefined ? '' : `, asked by ${askedBy.agent}`}`
  switch (entry.kind) {
    case 'text':
    case 'reasoning':
      return (
        <>
          <p className="label">
            {where}
            {entry.kind === 'reasoning' && ', reasoning'}
          </p>
          <Markdown text={entry.text} />
        </>
      )
    case 'call':
      return (
        <>
          <p className={entry.failure === undefined ? 'label' : 'label failed'}>
            {where}, called <span className="card-name">{entry.name}</span>
            {entry.state === 'open' && ', running'}
          </p>
          <Code text={prettyJson(entry.args) || 'none'} label={`Arguments of ${entry.name}`} />
          {entry.output !== undefined && (
            <Code text={prettyJson(textIn(entry.output))} label={`Result of ${entry.name}`} />
          )}
        </>
      )
    case 'handoff':
      return (
        <p className="label">{`${where}, handed the conversation ${entry.to === undefined ? 'over' : `to ${entry.to}`}`}</p>
      )
    case 'error':
      return <p className="problem">{entry.text}</p>
    default:
      return entry satisfies never
  }
}

const textIn = (output: unknown) => (typeof output === 'string' ? output : JSON.stringify(output))

const KIND_WORDS: { [kind in FlowKind]: string } = { send_message: 'asks and waits', handoff: 'hands over' }

interface FlowDetailProps {
  selected: Selection & { kind: 'flow' }
  kinds: readonly FlowKind[]
  activity: Activity
  runs: readonly RunView[]
}

function FlowDetail({ selected: { from, to }, kinds, activity, runs }: FlowDetailProps) {
  const used = activity.edges.get(edgeKey(from, to))
  const exchanges = exchangesOf(runs, from, to)
  return (
    <>
      <Facts
        facts={[
          ['How', kinds.map((kind) => KIND_WORDS[kind]).join(', ')],
          ['Messages', formatCount(used?.messages ?? 0)],
          ...(used !== undefined && used.failed > 0 ? ([['Failed', formatCount(used.failed)]] as const) : []),
          ...(used !== undefined && used.tokens > 0 ? ([['Tokens', formatCount(used.tokens)]] as const) : []),
          ...(used?.costUsd === undefined ? [] : ([['Cost', formatUsd(used.costUsd)]] as const)),
        ]}
      />
      {exchanges.length === 0 && <p className="muted">No message went this way in this conversation.</p>}
      <ol className="deeds" aria-label={`Messages from ${from} to ${to}`}>
        {exchanges.map((exchange, index) => (
          <li key={index}>
            <ExchangeView exchange={exchange} from={from} to={to} />
          </li>
        ))}
      </ol>
    </>
  )
}

function ExchangeView({ exchange, from, to }: { exchange: Exchange; from: string; to: string }) {
  const { run, handoff, question, answer, failed, active } = exchange
  const colour = useAgentClass(to)
  if (handoff) return <p className="label">{`Run ${run}: ${from} handed the conversation to ${to}`}</p>
  return (
    <>
      <p className="label">{`Run ${run}: ${from} asked`}</p>
      <Markdown text={question} />
      <div className={`exchange-answer ${colour}`} data-failed={failed}>
        <p className="label">{active ? `${to} is working` : failed ? `${to} failed` : `${to} answered`}</p>
        {answer !== undefined && <Markdown text={answer} />}
      </div>
    </>
  )
}
