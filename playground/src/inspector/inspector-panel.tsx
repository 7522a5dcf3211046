/** The panel that inspects one run. */
import { useMemo, useState } from 'react'
import { Code, CopyButton, Facts } from '../controls.tsx'
import type { Recording } from '../conversation/book.ts'
import { type Conversation, inputText, type Turn } from '../conversation/conversation.ts'
import { formatCount, formatMs, formatUsd, plural, prettyJson } from '../figures.ts'
import { failureOf, type RunView } from '../run/run.ts'
import { asClientCode, asCurl } from '../run/snippets.ts'
import { filterTrace, noTrace, traceText } from '../run/trace.ts'
import { BASE_URL, readToken } from '../server.ts'
import { EventList } from './event-list.tsx'
import { Timeline } from './timeline.tsx'

interface InspectorProps {
  conversation: Conversation
  recordings: ReadonlyMap<string, Recording>
  /** The turn whose run is shown; undefined for the last one. */
  turnId: string | undefined
  onTurn: (turnId: string) => void
}

/** Shows the request and the events of one run. */
export function InspectorPanel({ conversation, recordings, turnId, onTurn }: InspectorProps) {
  const { turns } = conversation
  const turn = turns.find(({ id }) => id === turnId) ?? turns.at(-1)
  if (turn === undefined) return <p className="empty">The events of a run appear here as they arrive.</p>
  return (
    <div className="inspector">
      <div className="panel-bar">
        <label>
          <span>Run</span>
          <select value={turn.id} onChange={(event) => onTurn(event.target.value)}>
            {turns.map((one, index) => (
              <option key={one.id} value={one.id}>
                {index + 1}. {inputText(one.input).slice(0, 50) || 'Files'}
              </option>
            ))}
          </select>
        </label>
      </div>
      <Summary turn={turn} />
      <Timeline run={turn.run} />
      <Events key={turn.id} turn={turn} recording={recordings.get(turn.id)} />
    </div>
  )
}

function stateOf(run: RunView): string {
  if (run.phase === 'running') return 'running'
  if (failureOf(run) !== undefined) return 'failed'
  return run.cancelled ? 'stopped' : 'done'
}

function Summary({ turn: { run } }: { turn: Turn }) {
  const { usage, startedAt, endedAt, runId } = run
  const facts: [name: string, value: string][] = [
    ['State', stateOf(run)],
    ...(startedAt !== undefined && endedAt !== undefined
      ? ([['Time', formatMs(endedAt - startedAt)]] as [string, string][])
      : []),
    ...(usage === undefined
      ? []
      : ([
          ['Model calls', formatCount(usage.request_count)],
          [
            'Tokens in',
            `${formatCount(usage.input_tokens)}${usage.cached_tokens > 0 ? ` (${formatCount(usage.cached_tokens)} cached)` : ''}`,
          ],
          [
            'Tokens out',
            `${formatCount(usage.output_tokens)}${usage.reasoning_tokens ? ` (${formatCount(usage.reasoning_tokens)} reasoning)` : ''}`,
          ],
          ['Cost', `${formatUsd(usage.total_cost)}${usage.estimated ? ', estimated' : ''}`],
        ] as [string, string][])),
    ['Messages', formatCount(run.messages.length)],
    ...(runId === undefined ? [] : ([['Run id', runId]] as [string, string][])),
  ]
  return <Facts facts={facts} />
}

function Events({ turn, recording }: { turn: Turn; recording: Recording | undefined }) {
  const [agent, setAgent] = useState('')
  const [type, setType] = useState('')
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState<number>()
  const trace = recording?.trace ?? noTrace
  const agents = useMemo(() => distinct(trace.entries.map((entry) => entry.agent)), [trace])
  const types = useMemo(() => distinct(trace.entries.map((entry) => entry.type)), [trace])
  const shown = useMemo(() => filterTrace(trace, { agent, type, text }), [trace, agent, type, text])
  const entry = shown.find(({ number }) => number === chosen)
  if (recording === undefined)
    return (
      <p className="empty">
        Events of the last ten runs are kept while the page is open. Run this turn again to see its events.
      </p>
    )
  const snippet = {
    baseUrl: BASE_URL,
    agency: recording.agency,
    request: recording.request,
    token: readToken() !== undefined,
  }
  return (
    <>
      <div className="panel-bar filters">
        <select aria-label="Agent" value={agent} onChange={(event) => setAgent(event.target.value)}>
          <option value="">all agents</option>
          {agents.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <select aria-label="Type" value={type} onChange={(event) => setType(event.target.value)}>
          <option value="">all types</option>
          {types.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <input
          type="search"
          aria-label="Search events"
          placeholder="Search"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <span className="counted" role="status">
          {shown.length === trace.entries.length
            ? plural(shown.length, 'event')
            : `${formatCount(shown.length)} of ${plural(trace.entries.length, 'event')}`}
          {trace.dropped > 0 && `, ${formatCount(trace.dropped)} older events dropped`}
        </span>
      </div>
      <EventList
        entries={shown}
        chosen={chosen}
        onChoose={setChosen}
        follow={turn.run.phase === 'running' && chosen === undefined}
      />
      {entry !== undefined && <Code text={prettyJson(entry.data)} label={`Event ${entry.number}`} />}
      <div className="panel-bar foot">
        <CopyButton label="Copy as curl" text={() => asCurl(snippet)} />
        <CopyButton label="Copy as code" text={() => asClientCode(snippet)} />
        <CopyButton label="Copy events" text={() => traceText(trace)} />
      </div>
    </>
  )
}

const distinct = (names: readonly (string | undefined)[]): string[] =>
  [...new Set(names)].filter((name) => name !== undefined).sort()
