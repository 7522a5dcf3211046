/** The conversation with its composer. */
import type { AgencyMetadata, CancelMode } from 'agency-swarm-js/client'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { AgentName, findAgent } from '../agents.tsx'
import { Composer } from '../composer/composer.tsx'
import { type Draft, emptyDraft, toDraft, toInput } from '../composer/draft.ts'
import { useAttachments } from '../composer/use-attachments.ts'
import { IconButton, Scroll } from '../controls.tsx'
import type { KeptChats } from '../conversation/chats.ts'
import { type Conversation, type Input, recipientOf, runningTurn, type Turn } from '../conversation/conversation.ts'
import { writeRoute } from '../route.ts'
import { ErrorBoundary } from '../shell/error-boundary.tsx'
import { Notice } from './notice.tsx'
import { type TurnActions, TurnView } from './turn.tsx'
import { useFileDrop } from './use-file-drop.ts'
import { usePinned } from './use-pinned.ts'

export interface ChatProps {
  conversation: Conversation
  metadata: AgencyMetadata
  /** Why nothing can be sent now; undefined when sending is possible. */
  blocked: string | undefined
  /** Set where the server keeps the conversation. */
  kept: KeptChats | undefined
  /** False until the conversation has been read. */
  isLoaded: boolean
  onAsk: (input: Input, rewindTo?: string) => void
  onStop: (turnId: string, mode: CancelMode) => void
  onAddress: (agent: string | undefined) => void
  onInspect: (turnId: string) => void
}

/** Shows the conversation and the composer for its next message. */
export function Chat(props: ChatProps) {
  const { conversation, metadata, blocked, kept, isLoaded, onAsk, onStop, onAddress, onInspect } = props
  const [draft, setDraft] = useState<Draft>(emptyDraft)
  const [editing, setEditing] = useState<string>()
  const { attach, problem } = useAttachments(draft, setDraft)
  const running = runningTurn(conversation)
  const { turns } = conversation
  const { box, atEnd, toEnd } = usePinned(turns)
  const dragging = useFileDrop(attach)
  const entry = metadata.metadata.entryPoints[0]
  const recipient = recipientOf(conversation, metadata.metadata.agents) ?? entry
  const agent = findAgent(metadata, recipient)

  const send = (input: Input) => {
    if (running !== undefined || blocked !== undefined) return
    onAsk(input, editing)
    setDraft(emptyDraft)
    setEditing(undefined)
    toEnd()
  }
  const leaveEdit = () => {
    setEditing(undefined)
    setDraft(emptyDraft)
  }
  const edit = useCallback((turn: Turn) => {
    setDraft(toDraft(turn.input))
    setEditing(turn.id)
    document.getElementById('message')?.focus()
  }, [])
  const again = useRef((_turn: Turn) => {})
  again.current = (turn) => {
    if (blocked !== undefined) return
    if (editing !== undefined) leaveEdit()
    onAsk(turn.input, turn.id)
  }
  const latestKept = useRef(kept)
  latestKept.current = kept
  const actions = useMemo(
    (): TurnActions => ({
      onApprove: async (runId, ...decision) => latestKept.current?.approve(runId, ...decision),
      onReject: async (runId, ...decision) => latestKept.current?.reject(runId, ...decision),
      onEdit: edit,
      onAgain: (turn: Turn) => again.current(turn),
      onInspect: (turn: Turn) => onInspect(turn.id),
    }),
    [edit, onInspect],
  )

  // After a switch to another conversation, the edited turn belongs to the previous one.
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the id changes
  useEffect(() => {
    setEditing(undefined)
    setDraft(emptyDraft)
  }, [conversation.id])

  const last = turns.at(-1)
  const quickReplies = last?.run.phase === 'ended' ? (agent?.quickReplies ?? []) : []

  return (
    <section className="chat" aria-label="Conversation" data-dragging={dragging}>
      <Scroll className="transcript" label="Messages" box={box}>
        {kept?.branchOf !== undefined && (
          <p className="note">
            A branch of{' '}
            <a href={writeRoute({ view: 'chat', agency: conversation.agency, thread: kept.branchOf })}>
              another conversation
            </a>
            , which stays as it is.
          </p>
        )}
        {!isLoaded ? (
          <p className="loading">Loading the conversation…</p>
        ) : turns.length === 0 ? (
          <Welcome metadata={metadata} recipient={recipient} onPick={(text) => send({ message: text, fileUrls: {} })} />
        ) : (
          turns.map((turn, index) => (
            <ErrorBoundary key={turn.id} fallback={(error) => <BrokenTurn number={index + 1} error={error} />}>
              <TurnView turn={turn} number={index + 1} busy={running !== undefined} actions={actions} />
            </ErrorBoundary>
          ))
        )}
      </Scroll>
      {!atEnd && (
        <div className="to-end">
          <IconButton icon="down" label="Scroll to the latest message" onClick={toEnd} />
        </div>
      )}
      <Composer
        draft={draft}
        onDraft={setDraft}
        onSend={() => send(toInput(draft))}
        onFiles={attach}
        problem={blocked ?? problem}
        blocked={blocked !== undefined}
        running={running}
        onStop={(mode) => running && onStop(running.id, mode)}
        agents={metadata.metadata.agents}
        entry={entry}
        recipient={recipient}
        onAddress={(name) => onAddress(name === entry ? undefined : name)}
        quickReplies={quickReplies}
        onQuickReply={(text) => send({ message: text, fileUrls: {} })}
        editing={editing === undefined ? undefined : kept === undefined ? 'replace' : 'branch'}
        onCancelEdit={leaveEdit}
        onEditLast={() => last !== undefined && running === undefined && edit(last)}
      />
      {dragging && <div className="drop-hint">Drop files to attach them</div>}
    </section>
  )
}

/** A turn inside an error boundary: an error in one turn does not hide the others. */
const BrokenTurn = ({ number, error }: { number: number; error: unknown }) => (
  <article className="turn" aria-label={`Turn ${number}`}>
    <Notice
      sentence={`This page cannot draw turn ${number}: ${String(error)}`}
      wayOut="The turn is still part of the conversation. Export the conversation to read it."
    />
  </article>
)

function Welcome({
  metadata,
  recipient,
  onPick,
}: {
  metadata: AgencyMetadata
  recipient: string | undefined
  onPick: (text: string) => void
}) {
  const agent = findAgent(metadata, recipient)
  const starters = agent?.conversationStarters ?? []
  return (
    <div className="welcome">
      <h2>Talk to {recipient === undefined ? 'this agency' : <AgentName name={recipient} />}</h2>
      {agent?.description && <p>{agent.description}</p>}
      {starters.length > 0 && (
        <ul className="starters" aria-label="Conversation starters">
          {starters.map((text) => (
            <li key={text}>
              <button type="button" onClick={() => onPick(text)}>
                {text}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  )
}
