/** One span in full: what it was sent, what came back, and how it ended. */
import type { ModelSpan, TraceSpan } from 'agency-swarm-js/client'
import { type ReactNode, useState } from 'react'
import { Code, CopyButton, Facts, Fold } from '../controls.tsx'
import { formatCount, formatMs, formatUsd, plural } from '../figures.ts'
import { Tabs } from '../shell/tabs.tsx'
import { compareCalls } from './compare.ts'
import { Items, Text, Tools, toJson } from './items.tsx'
import { KIND_TITLES, nameOf, type SpanRow, sumOf } from './spans.ts'

export function SpanDetail({ row: { span, before } }: { row: SpanRow }) {
  return (
    <section className="span-detail" aria-label={`${KIND_TITLES[span.kind]} ${nameOf(span)}`}>
      <h3>
        <span className="kind">{KIND_TITLES[span.kind]}</span> {nameOf(span)}
      </h3>
      <SpanFacts span={span} />
      {span.error !== null && (
        <p className="failure" role="note">
          <strong>{span.error.type}</strong> {span.error.message}
        </p>
      )}
      {span.kind === 'model' && <ModelDetail key={span.span_id} span={span} before={before} />}
      {span.kind === 'tool' && (
        <>
          <Part title="Arguments" value={span.arguments} />
          {span.output !== undefined && <Part title="Output" value={span.output} />}
        </>
      )}
    </section>
  )
}

function SpanFacts({ span }: { span: TraceSpan }) {
  const { tokens, cost } = sumOf(span)
  const facts: [name: string, value: string][] = [['Status', span.status.replace('_', ' ')]]
  if (span.ms !== null) facts.push(['Time', formatMs(span.ms)])
  facts.push(['Started', new Date(span.started_at).toLocaleTimeString()])
  if (span.kind === 'agent' && span.caller_agent !== null) facts.push(['Asked by', span.caller_agent])
  if (span.kind === 'model') {
    if (span.first_delta_ms !== null) facts.push(['First delta', formatMs(span.first_delta_ms)])
    if (span.usage !== null) facts.push(...tokenFacts(span.usage))
  } else if (tokens > 0) facts.push(['Tokens', formatCount(tokens)])
  if (cost > 0) facts.push(['Cost', `${span.kind === 'model' && span.estimated ? '≈ ' : ''}${formatUsd(cost)}`])
  return <Facts facts={facts} />
}

const tokenFacts = (usage: NonNullable<ModelSpan['usage']>): [string, string][] => [
  ['Input tokens', formatCount(usage.input_tokens)],
  ['of them cached', formatCount(usage.cached_tokens)],
  ['Output tokens', formatCount(usage.output_tokens)],
]

const VIEWS = ['sent', 'received', 'difference', 'raw'] as const
const TITLES = { sent: 'Sent', received: 'Received', difference: 'Difference', raw: 'Raw JSON' }

function ModelDetail({ span, before }: { span: ModelSpan; before: ModelSpan | undefined }) {
  const [view, setView] = useState<(typeof VIEWS)[number]>('sent')
  return (
    <>
      <Tabs
        label="Model call"
        names={VIEWS}
        titles={TITLES}
        chosen={view}
        onChoose={setView}
        panelId={(name) => `call-${name}`}
      />
      <div id={`call-${view}`} role="tabpanel" aria-labelledby={`tab-${view}`}>
        {view === 'sent' && <Sent sent={span.sent} />}
        {view === 'received' && <Received span={span} />}
        {view === 'difference' && <DifferenceToBefore span={span} before={before} />}
        {view === 'raw' && (
          <>
            <CopyButton label="Copy" text={() => toJson(withoutChildren(span))} />
            <Code text={toJson(withoutChildren(span))} label="Model call as JSON" />
          </>
        )}
      </div>
    </>
  )
}

const withoutChildren = ({ spans: _spans, ...span }: ModelSpan) => span

function Sent({ sent }: { sent: ModelSpan['sent'] }) {
  const tools = [...sent.tools, ...sent.hosted_tools]
  return (
    <>
      {sent.instructions !== undefined && <Part title="Instructions" value={sent.instructions} />}
      <Block title={plural(sent.input.length, 'message')}>
        <Items items={sent.input} label="Messages that were sent" />
      </Block>
      {tools.length > 0 && (
        <Block title={plural(tools.length, 'tool')}>
          <Tools tools={tools} />
        </Block>
      )}
      {sent.output_schema !== undefined && <Part title="Output schema" value={sent.output_schema} />}
      <Part title="Settings" value={sent.settings} />
    </>
  )
}

function Received({ span: { received, status } }: { span: ModelSpan }) {
  if (received !== null) return <Items items={received.items} label="Items that came back" />
  return <p className="empty">{status === 'in_progress' ? 'The call goes on.' : 'No whole answer came back.'}</p>
}

function DifferenceToBefore({ span, before }: { span: ModelSpan; before: ModelSpan | undefined }) {
  if (before === undefined) return <p className="empty">This is the first call of its agent here.</p>
  const { kept, removed, added, parts } = compareCalls(before.sent, span.sent)
  return (
    <>
      <p className="muted">{plural(kept, 'message')} as in the call before.</p>
      {removed.length > 0 && (
        <Block title={`${plural(removed.length, 'message')} no longer sent`} mark="removed">
          <Items items={removed} label="Messages no longer sent" />
        </Block>
      )}
      {added.length > 0 && (
        <Block title={`${plural(added.length, 'message')} added`} mark="added">
          <Items items={added} label="Messages added" />
        </Block>
      )}
      {parts.map(({ title, before: was, after: is }) => (
        <div key={title}>
          <Part title={`${title} before`} value={was} mark="removed" />
          <Part title={`${title} now`} value={is} mark="added" />
        </div>
      ))}
    </>
  )
}

const Block = ({ title, mark = '', children }: { title: string; mark?: string; children: ReactNode }) => (
  <Fold className={`trace-part ${mark}`} summary={title} open>
    {children}
  </Fold>
)

const Part = ({ title, value, mark }: { title: string; value: unknown; mark?: string }) => (
  <Block title={title} {...(mark === undefined ? {} : { mark })}>
    <Text text={typeof value === 'string' ? value : toJson(value)} />
  </Block>
)
