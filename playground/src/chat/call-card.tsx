/** The card of a tool call or of a question to a sub-agent. */
import type { ReactNode } from 'react'
import { AgentName, useAgentClass } from '../agents.tsx'
import { Code, Fold } from '../controls.tsx'
import { formatMs, plural, prettyJson } from '../figures.ts'
import { Icon } from '../icons.tsx'
import { Markdown } from '../markdown/markdown.tsx'
import type { CallEntry, Entry, RunView } from '../run/run.ts'

interface CallCardProps {
  call: CallEntry
  run: RunView
  /** Renders a sub-agent's thread. Passed in, because a thread renders call cards itself. */
  drawThread: (id: string) => ReactNode
}

/** Shows a tool call, or a question to a sub-agent with the sub-agent's whole thread. */
export function CallCard({ call, run, drawThread }: CallCardProps) {
  const asked = readArguments(call.args)
  const callee = run.speakers.get(call.id) ?? recipientOf(asked)
  return callee === undefined ? (
    <ToolCard call={call} asked={asked} />
  ) : (
    <AskCard call={call} asked={asked} callee={callee} run={run} drawThread={drawThread} />
  )
}

type Arguments = { [name: string]: unknown } | undefined

function ToolCard({ call, asked }: { call: CallEntry; asked: Arguments }) {
  const line = (
    <>
      <span className="fold-title">
        <Icon name="tool" /> <span className="card-name">{call.name}</span>
      </span>
      <span className="fold-preview">{call.failure ?? preview(call, asked)}</span>
      <CallState call={call} />
    </>
  )
  return (
    <Fold className={call.failure === undefined ? 'card' : 'card failed'} open={false} summary={line}>
      <Labelled title="Arguments">
        <Code text={prettyJson(call.args) || 'none'} label="Arguments" />
      </Labelled>
      {call.output !== undefined && (
        <Labelled title={call.failure === undefined ? 'Result' : 'Error'}>
          <Output value={call.output} />
        </Labelled>
      )}
    </Fold>
  )
}

function AskCard({ call, asked, callee, run, drawThread }: CallCardProps & { asked: Arguments; callee: string }) {
  const entries = run.threads.get(call.id) ?? []
  const colour = useAgentClass(callee)
  const message = typeof asked?.message === 'string' ? asked.message : ''
  const line = (
    <>
      <span className="fold-title">
        <Icon name="people" />
        <span>
          <AgentName name={call.agent} /> asked <AgentName name={callee} />
        </span>
      </span>
      <span className="fold-preview">{call.failure ?? live(call, callee, entries) ?? message}</span>
      <CallState call={call} />
    </>
  )
  return (
    <Fold
      className={`card ask ${colour} ${call.failure === undefined ? '' : 'failed'}`}
      open={call.state === 'open' && entries.length > 0}
      summary={line}
    >
      {message !== '' && (
        <div className="asked">
          <p className="said-by">
            <AgentName name={call.agent} />
          </p>
          <Markdown text={message} />
        </div>
      )}
      {drawThread(call.id)}
      {call.output !== undefined && !wasSaid(call.output, entries) && (
        <Labelled title={call.failure === undefined ? `Answer to ${call.agent}` : 'Error'}>
          <Output value={call.output} />
        </Labelled>
      )}
    </Fold>
  )
}

function CallState({ call }: { call: CallEntry }) {
  if (call.state === 'open') return <span className="call-state busy">running</span>
  if (call.state === 'cut') return <span className="call-state">stopped</span>
  const { startedAt, endedAt, failure } = call
  const took = startedAt !== undefined && endedAt !== undefined ? formatMs(endedAt - startedAt) : undefined
  if (failure !== undefined)
    return <span className="call-state failed">{took === undefined ? 'failed' : `failed after ${took}`}</span>
  return <span className="call-state">{took ?? 'done'}</span>
}

const Labelled = ({ title, children }: { title: string; children: ReactNode }) => (
  <div className="labelled">
    <p className="label">{title}</p>
    {children}
  </div>
)

/** Shows a tool's result: a text, parts with images, or JSON. */
function Output({ value }: { value: unknown }) {
  const pictures = picturesOf(value)
  const text = typeof value === 'string' ? prettyJson(value) : JSON.stringify(value, shorten, 2)
  return (
    <>
      {pictures.map((source, index) => (
        <img key={index} className="picture" src={source} alt={`Result ${index + 1}`} />
      ))}
      <Code text={text || 'nothing'} label="Result" />
    </>
  )
}

const PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,/

function picturesOf(value: unknown): string[] {
  const parts = Array.isArray(value) ? value : [value]
  return parts.flatMap((part: { image_url?: unknown; type?: unknown; result?: unknown } | null) => {
    if (typeof part?.image_url === 'string' && PICTURE.test(part.image_url)) return [part.image_url]
    const made = part?.type === 'image_generation_call' && typeof part.result === 'string'
    return made ? [`data:image/png;base64,${part.result as string}`] : []
  })
}

/** Shortens the bytes of an image. */
const shorten = (_key: string, value: unknown) =>
  typeof value === 'string' && value.length > 20_000 ? `${value.slice(0, 200)}… (${value.length} characters)` : value

function readArguments(text: string): Arguments {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Arguments) : undefined
  } catch {
    return undefined // not complete yet
  }
}

const recipientOf = (asked: Arguments) =>
  typeof asked?.recipient_agent === 'string' && typeof asked.message === 'string' ? asked.recipient_agent : undefined

function preview(call: CallEntry, asked: Arguments): string {
  if (asked === undefined) return call.args
  return Object.entries(asked)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(', ')
}

/** What a sub-agent is doing, in a few words; undefined when it is done. */
function live(call: CallEntry, callee: string, entries: readonly Entry[]): string | undefined {
  if (call.state !== 'open') return undefined
  const last = entries.at(-1)
  if (last?.kind === 'text') return `${callee} is writing…`
  if (last?.kind === 'call' && last.state === 'open') return `${callee} uses ${last.name}…`
  return entries.length > 0 ? `${callee} works, ${plural(entries.length, 'step')} so far…` : undefined
}

/** The output repeats the last text of the sub-agent, which is already shown above. */
const wasSaid = (output: unknown, entries: readonly Entry[]) =>
  entries.some((entry) => entry.kind === 'text' && entry.text.trim() === String(output).trim())
