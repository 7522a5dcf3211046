/** Unstyled components over the hooks: plain elements with roles and labels, and a class for each part. */
import { type FormEvent, type KeyboardEvent, type ReactNode, useId, useState } from 'react'
import type { RequestedApproval } from '../client/run-events.ts'
import type { AgentPart, AgentWork, ToolPart } from './agent-tree.ts'
import type { ThreadHandle } from './hooks.ts'
import type { ThreadMessage } from './thread-store.ts'

/** What every component takes. */
export interface PartProps {
  /** Class of the outermost element. @default none */
  className?: string | undefined
}

/** Props of `Thread`. */
export interface ThreadProps<Answer = unknown> extends PartProps {
  /** What `useThread` returned. */
  thread: ThreadHandle<Answer>
  /** Names the conversation for screen readers. @default 'Conversation' */
  label?: string
  /** Draws a message. @default `<Message>` */
  renderMessage?: (message: ThreadMessage) => ReactNode
  /** Draws a call that waits for a decision. @default `<ApprovalCard>` */
  renderApproval?: (approval: RequestedApproval) => ReactNode
}

/** The messages of a conversation, and the calls that wait for a decision. Screen readers hear answers when they are whole. */
export function Thread<Answer>({
  thread,
  label = 'Conversation',
  renderMessage,
  renderApproval,
  className,
}: ThreadProps<Answer>) {
  const { messages, isLoading, isLive, error, run, approve, reject } = thread
  return (
    <section className={className} aria-label={label}>
      <div role="log" aria-live="polite" aria-busy={isLive || isLoading}>
        <ol>
          {messages.map((message) => (
            <li key={message.key}>{renderMessage?.(message) ?? <Message message={message} />}</li>
          ))}
        </ol>
      </div>
      {run?.approvals.map((approval) => (
        <div key={approval.approval_id}>
          {renderApproval?.(approval) ?? <ApprovalCard approval={approval} onApprove={approve} onReject={reject} />}
        </div>
      ))}
      {run?.isReconnecting === true && <p role="status">Reconnecting…</p>}
      {error !== undefined && <p role="alert">{error.message}</p>}
    </section>
  )
}

/** Props of `Message`. */
export interface MessageProps extends PartProps {
  message: ThreadMessage
  /** Draws the text, such as from Markdown. @default the text itself */
  renderText?: (text: string) => ReactNode
}

/** A message, with who speaks. `data-role` and `data-state` are there for styles. */
export function Message({ message: { role, agent, state, text }, renderText, className }: MessageProps) {
  const speaker = role === 'user' ? 'You' : (agent ?? 'Agent')
  return (
    <article className={className} aria-label={speaker} data-role={role} data-state={state}>
      <header>{speaker}</header>
      <div style={renderText === undefined ? { whiteSpace: 'pre-wrap' } : undefined}>{renderText?.(text) ?? text}</div>
      {state === 'failed' && <p role="alert">This message was not sent.</p>}
    </article>
  )
}

/** Props of `AgentTree`. */
export interface AgentTreeProps extends PartProps {
  /** `tree` of a run. */
  tree: readonly AgentWork[]
  /** Draws a piece of an agent's work; undefined draws the default. */
  renderPart?: (part: AgentPart) => ReactNode
}

/** The agents of a run as nested lists: what they say, the tools that they call, and the agents in those calls. */
export function AgentTree({ tree, renderPart, className }: AgentTreeProps) {
  return (
    <ul className={className}>
      {tree.map(({ key, agent, parts }) => (
        <li key={key}>
          <strong>{agent ?? 'Guardrail'}</strong>
          <ol>
            {parts.map((part) => (
              <li key={part.key}>{renderPart?.(part) ?? <Part part={part} renderPart={renderPart} />}</li>
            ))}
          </ol>
        </li>
      ))}
    </ul>
  )
}

function Part({ part, renderPart }: { part: AgentPart; renderPart: AgentTreeProps['renderPart'] }) {
  switch (part.kind) {
    case 'text':
      return <span style={{ whiteSpace: 'pre-wrap' }}>{part.text}</span>
    case 'tool':
      return (
        <ToolCall call={part}>
          {part.agents.length > 0 && <AgentTree tree={part.agents} {...(renderPart && { renderPart })} />}
        </ToolCall>
      )
    case 'handoff':
      return <span>Hands over to {part.target}</span>
    case 'failure':
      return <span role="alert">{part.text}</span>
    default:
      return part satisfies never
  }
}

/** Props of `ToolCall`. */
export interface ToolCallProps extends PartProps {
  call: ToolPart
  /** Drawn between the arguments and the output, such as the agents that the call asked. */
  children?: ReactNode
}

/** A call of a tool that opens to show its arguments and output. */
export function ToolCall({ call: { name, arguments: sent, output }, children, className }: ToolCallProps) {
  const isRunning = output === undefined
  return (
    <details className={className} data-state={isRunning ? 'running' : 'done'}>
      <summary>
        {name} {isRunning ? '(running)' : ''}
      </summary>
      <pre>
        <code>{sent}</code>
      </pre>
      {children}
      {!isRunning && <pre>{typeof output === 'string' ? output : JSON.stringify(output, null, 2)}</pre>}
    </details>
  )
}

/** Props of `Composer`. */
export interface ComposerProps<Answer = unknown> extends PartProps {
  /** What `useThread` returned. */
  thread: Pick<ThreadHandle<Answer>, 'send' | 'stop' | 'isLive'>
  /** @default 'Message' */
  label?: string
}

/** A field to write in. Enter sends, Shift+Enter begins a line; while a run is live a button stops it. */
export function Composer<Answer>({ thread, label = 'Message', className }: ComposerProps<Answer>) {
  const id = useId()
  const [text, setText] = useState('')
  const send = (event: FormEvent) => {
    event.preventDefault()
    if (text.trim() === '') return
    setText('')
    void thread.send(text)
  }
  const sendOnEnter = (event: KeyboardEvent) => {
    // Enter also ends the composition of a character, for example in Japanese.
    if (event.key === 'Enter' && !event.shiftKey && !isComposing(event)) send(event)
  }
  return (
    <form className={className} onSubmit={send}>
      <label htmlFor={id}>{label}</label>
      <textarea id={id} value={text} onChange={(event) => setText(textOf(event))} onKeyDown={sendOnEnter} />
      <button type="submit" disabled={text.trim() === ''}>
        Send
      </button>
      {thread.isLive && (
        <button type="button" onClick={() => void thread.stop().catch(() => {})}>
          Stop
        </button>
      )}
    </form>
  )
}

/** Props of `ApprovalCard`. */
export interface ApprovalCardProps extends PartProps {
  approval: RequestedApproval
  /** `approve` of a run or thread. */
  onApprove: (approvalId: string, options?: { arguments?: { [name: string]: unknown } }) => Promise<void>
  /** `reject` of a run or thread. */
  onReject: (approvalId: string, options?: { reason?: string }) => Promise<void>
}

/** A call that waits for a decision: its arguments can be edited before it is approved, and a reason given when it is rejected. */
export function ApprovalCard({ approval, onApprove, onReject, className }: ApprovalCardProps) {
  const { approval_id, agent, tool, arguments: asked } = approval
  const id = useId()
  const original = JSON.stringify(asked, null, 2)
  const [text, setText] = useState(original)
  const [reason, setReason] = useState('')
  const [problem, setProblem] = useState<string>()
  const [isDeciding, setDeciding] = useState(false)

  const decide = async (send: () => Promise<void>) => {
    setDeciding(true)
    setProblem(undefined)
    try {
      await send()
    } catch (error) {
      setProblem((error as Error).message)
    }
    setDeciding(false)
  }
  const approve = () =>
    decide(async () => {
      await onApprove(approval_id, text === original ? {} : { arguments: JSON.parse(text) })
    })
  return (
    <fieldset className={className} disabled={isDeciding}>
      <legend>
        {agent} asks to run {tool}
      </legend>
      <label htmlFor={`${id}-arguments`}>Arguments</label>
      <textarea id={`${id}-arguments`} value={text} onChange={(event) => setText(textOf(event))} />
      <label htmlFor={`${id}-reason`}>Reason for a rejection</label>
      <input id={`${id}-reason`} value={reason} onChange={(event) => setReason(textOf(event))} />
      <button type="button" onClick={() => void approve()}>
        Approve
      </button>
      <button type="button" onClick={() => void decide(() => onReject(approval_id, reason === '' ? {} : { reason }))}>
        Reject
      </button>
      {problem !== undefined && <p role="alert">{problem}</p>}
    </fieldset>
  )
}

// Read without the types of a browser, which the server in this package must not have.
const textOf = ({ target }: { target: object }) => (target as { value: string }).value
const isComposing = ({ nativeEvent }: KeyboardEvent) => (nativeEvent as { isComposing?: boolean }).isComposing === true
