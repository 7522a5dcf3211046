/** One turn of the conversation. */
import type { ApproveOptions, RejectOptions } from 'agency-swarm-js/client'
import { memo, type ReactNode } from 'react'
import { Approval } from '../approvals/approval.tsx'
import { attachmentsOf } from '../composer/draft.ts'
import { CopyButton, IconButton } from '../controls.tsx'
import { inputText, type Turn } from '../conversation/conversation.ts'
import { formatBytes, formatCount, formatMs, formatUsd, plural } from '../figures.ts'
import { Icon } from '../icons.tsx'
import { type Entry, FRONT, type RunView } from '../run/run.ts'
import { Notice } from './notice.tsx'
import { Thread } from './thread.tsx'

export interface TurnActions {
  onEdit: (turn: Turn) => void
  onAgain: (turn: Turn) => void
  onInspect: (turn: Turn) => void
  onApprove: (runId: string, approvalId: string, options?: ApproveOptions) => Promise<void>
  onReject: (runId: string, approvalId: string, options?: RejectOptions) => Promise<void>
}

/** Shows a user message and the run that answers it. */
export const TurnView = memo(function TurnView({
  turn,
  number,
  busy,
  actions,
}: {
  turn: Turn
  number: number
  /** True while a run is active; turns cannot be edited then. */
  busy: boolean
  actions: TurnActions
}) {
  const { run } = turn
  const over = run.phase === 'ended'
  return (
    <article className="turn" aria-label={`Turn ${number}`}>
      {/* Headings of answers are below this one. */}
      <h2 className="visually-hidden">Turn {number}</h2>
      <UserMessage turn={turn}>
        {over && (
          <IconButton
            icon="edit"
            label={`Edit and resend message ${number}`}
            disabled={busy}
            onClick={() => actions.onEdit(turn)}
          />
        )}
      </UserMessage>
      <Thread run={run} id={FRONT} />
      {run.approvals.map((approval) => (
        <Approval
          key={approval.approval_id}
          approval={approval}
          onApprove={(...decision) => actions.onApprove(run.runId ?? '', ...decision)}
          onReject={(...decision) => actions.onReject(run.runId ?? '', ...decision)}
        />
      ))}
      {!over && <Pulse run={run} />}
      {run.failure && <Notice sentence={run.failure.sentence} wayOut={run.failure.wayOut} />}
      {run.cancelled && !run.failure && <p className="note">Stopped.</p>}
      {over && (
        <footer className="turn-foot">
          <Figures run={run} />
          <span className="turn-actions">
            {answerOf(run) !== '' && <CopyButton label="Copy answer" text={() => answerOf(run)} />}
            <IconButton
              icon="again"
              label={`Run turn ${number} again`}
              disabled={busy}
              onClick={() => actions.onAgain(turn)}
            />
            <IconButton icon="search" label={`Inspect turn ${number}`} onClick={() => actions.onInspect(turn)} />
          </span>
        </footer>
      )}
    </article>
  )
})

function UserMessage({ turn, children }: { turn: Turn; children: ReactNode }) {
  const text = inputText(turn.input)
  const attachments = attachmentsOf(turn.input.message)
  const urls = Object.entries(turn.input.fileUrls)
  return (
    <div className="user-message">
      {children}
      <span className="visually-hidden">You said:</span>
      {text !== '' && <p className="user-text">{text}</p>}
      {attachments.length + urls.length > 0 && (
        <ul className="enclosures" aria-label="Attached">
          {attachments.map(({ name, picture, bytes }, index) => (
            <li key={index}>
              {picture === undefined ? (
                <span className="chip">
                  <Icon name="clip" /> {name} {bytes !== undefined && <small>{formatBytes(bytes)}</small>}
                </span>
              ) : (
                <img className="thumbnail" src={picture} alt={name} />
              )}
            </li>
          ))}
          {urls.map(([name, url]) => (
            <li key={name}>
              <span className="chip" title={url}>
                <Icon name="link" /> {name}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** Shows that the run is still going while no text arrives. */
function Pulse({ run }: { run: RunView }) {
  const last = run.threads.get(FRONT)?.at(-1)
  const isCalm = run.stopping === undefined && run.reconnecting === undefined && run.approvals.length === 0
  if (isCalm && (last?.kind === 'text' || last?.kind === 'call') && last.state === 'open') return null
  return (
    <p className="pulse">
      <span className="pulse-dot" /> {sayState(run)}
    </p>
  )
}

function sayState({ stopping, reconnecting, approvals, queuePosition }: RunView): string {
  if (stopping !== undefined) return { immediate: 'Stopping…', after_turn: 'Stopping after this turn…' }[stopping]
  if (reconnecting) return 'The connection broke. Connecting again…'
  if (approvals.length > 0) return 'Waiting for your decision.'
  if (queuePosition !== undefined) return `Waiting for ${plural(queuePosition, 'run')} of this conversation…`
  return 'Waiting for the model…'
}

function Figures({ run }: { run: RunView }) {
  const { startedAt, endedAt, usage } = run
  const parts = [
    ...(startedAt !== undefined && endedAt !== undefined ? [formatMs(endedAt - startedAt)] : []),
    ...(usage === undefined
      ? []
      : [
          `${formatCount(usage.input_tokens)} in`,
          `${formatCount(usage.output_tokens)} out`,
          `${formatUsd(usage.total_cost)}${usage.estimated ? ' (estimated)' : ''}`,
        ]),
  ]
  return (
    <span className="figures" title="Time, input tokens, output tokens, cost">
      {parts.join(' · ')}
    </span>
  )
}

const answerOf = (run: RunView) =>
  (run.threads.get(FRONT) ?? [])
    .filter((entry): entry is Entry & { kind: 'text' } => entry.kind === 'text')
    .map((entry) => entry.text)
    .join('\n\n')
