/** The entries of one thread of a run. */
import { memo } from 'react'
import { AgentName, useAgentClass } from '../agents.tsx'
import { Fold } from '../controls.tsx'
import { formatMs } from '../figures.ts'
import { Icon } from '../icons.tsx'
import { Markdown } from '../markdown/markdown.tsx'
import { wayOutOf } from '../run/failure.ts'
import type { Entry, RunView } from '../run/run.ts'
import { CallCard } from './call-card.tsx'
import { Notice } from './notice.tsx'

/** Shows one thread of a run; threads of sub-agents are shown inside the calls that opened them. */
export function Thread({ run, id }: { run: RunView; id: string }) {
  const entries = run.threads.get(id) ?? []
  return (
    <div className="thread">
      {entries.map((entry, index) =>
        entry.kind === 'call' ? (
          <CallCard key={index} call={entry} run={run} drawThread={(id) => <Thread run={run} id={id} />} />
        ) : (
          <Said
            key={index}
            entry={entry}
            named={entry.kind === 'text' && !spokeJustNow(entries[index - 1], entry.agent)}
          />
        ),
      )}
    </div>
  )
}

const spokeJustNow = (entry: Entry | undefined, agent: string) => entry?.kind === 'text' && entry.agent === agent

type SaidEntry = Exclude<Entry, { kind: 'call' }>

const Said = memo(function Said({ entry, named }: { entry: SaidEntry; named: boolean }) {
  switch (entry.kind) {
    case 'text':
      return <Text entry={entry} named={named} />
    case 'reasoning':
      return <Reasoning entry={entry} />
    case 'handoff':
      return (
        <p className="handoff">
          <Icon name="arrow" />
          <span>
            <AgentName name={entry.from} /> handed the conversation{' '}
            {entry.to === undefined ? (
              'over'
            ) : (
              <>
                to <AgentName name={entry.to} />
              </>
            )}
          </span>
        </p>
      )
    case 'error':
      return <Notice sentence={entry.text} wayOut={entry.agent === null ? wayOutOf(entry.text) : undefined} />
    default:
      return entry satisfies never
  }
})

function Text({ entry, named }: { entry: Entry & { kind: 'text' }; named: boolean }) {
  const colour = useAgentClass(entry.agent)
  return (
    <div className={`said ${colour}`} data-state={entry.state}>
      {named && entry.agent !== '' && (
        <p className="said-by">
          <AgentName name={entry.agent} />
        </p>
      )}
      <Markdown text={entry.text} />
      {entry.state === 'cut' && <p className="cut">Stopped here. This part is not saved in the history.</p>}
    </div>
  )
}

function Reasoning({ entry }: { entry: Entry & { kind: 'reasoning' } }) {
  const { startedAt, endedAt } = entry
  const ms = (endedAt ?? 0) - (startedAt ?? endedAt ?? 0)
  const took = ms > 0 ? ` for ${formatMs(ms)}` : ''
  return (
    <Fold
      className="reasoning"
      open={false}
      summary={
        <span className="fold-title">
          <Icon name="thought" />{' '}
          {entry.state === 'open' ? `${entry.agent} is thinking…` : `${entry.agent} thought${took}`}
        </span>
      }
    >
      <Markdown text={entry.text} />
    </Fold>
  )
}
