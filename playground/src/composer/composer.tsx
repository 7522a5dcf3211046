/** The text box for the next message. */
import type { CancelMode } from 'agency-swarm-js/client'
import { type ClipboardEvent, type Dispatch, type KeyboardEvent, type SetStateAction, useRef, useState } from 'react'
import { IconButton } from '../controls.tsx'
import type { Turn } from '../conversation/conversation.ts'
import { Icon } from '../icons.tsx'
import { AddressForm } from './address-form.tsx'
import { type Draft, isEmpty } from './draft.ts'
import { Enclosures } from './enclosures.tsx'

interface ComposerProps {
  draft: Draft
  onDraft: Dispatch<SetStateAction<Draft>>
  onSend: () => void
  onFiles: (files: Iterable<File>) => void
  problem: string | undefined
  blocked: boolean
  running: Turn | undefined
  onStop: (mode: CancelMode) => void
  agents: readonly string[]
  entry: string | undefined
  recipient: string | undefined
  onAddress: (agent: string) => void
  quickReplies: readonly string[]
  onQuickReply: (text: string) => void
  /** What sending does with the turn that is edited; undefined while none is. */
  editing: 'replace' | 'branch' | undefined
  onCancelEdit: () => void
  onEditLast: () => void
}

/** The box for the next message. Enter sends it, Shift+Enter starts a new line. */
export function Composer(props: ComposerProps) {
  const { draft, onDraft, onSend, onFiles, running, onStop, problem } = props
  const [adding, setAdding] = useState(false)
  const picker = useRef<HTMLInputElement>(null)
  const ready = !isEmpty(draft) && running === undefined && !props.blocked

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      if (ready) onSend()
    } else if (event.key === 'ArrowUp' && isEmpty(draft)) {
      event.preventDefault()
      props.onEditLast()
    } else if (event.key === 'Escape' && running === undefined && props.editing !== undefined) props.onCancelEdit()
  }
  const onPaste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return
    event.preventDefault()
    onFiles(event.clipboardData.files)
  }

  return (
    <form
      className="composer"
      aria-label="Message"
      onSubmit={(event) => {
        event.preventDefault()
        if (ready) onSend()
      }}
    >
      {props.quickReplies.length > 0 && (
        <ul className="quick-replies" aria-label="Quick replies">
          {props.quickReplies.map((text) => (
            <li key={text}>
              <button
                type="button"
                className="chip-button"
                disabled={props.blocked}
                onClick={() => props.onQuickReply(text)}
              >
                {text}
              </button>
            </li>
          ))}
        </ul>
      )}
      {props.editing !== undefined && (
        <p className="editing">
          {props.editing === 'branch'
            ? 'Sending begins a branch in front of this turn; this conversation stays as it is.'
            : 'Sending replaces this turn and removes all later ones.'}
          <button type="button" className="text-button" onClick={props.onCancelEdit}>
            Cancel
          </button>
        </p>
      )}
      {problem !== undefined && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <div className="composer-box">
        <Enclosures draft={draft} onDraft={onDraft} />
        <textarea
          id="message"
          rows={1}
          value={draft.text}
          placeholder={props.recipient === undefined ? 'Message' : `Message ${props.recipient}`}
          aria-label="Message"
          onChange={(event) => onDraft({ ...draft, text: event.target.value })}
          onKeyDown={onKeyDown}
          onPaste={onPaste}
        />
        <div className="composer-tools">
          <input
            ref={picker}
            type="file"
            multiple
            hidden
            aria-label="Files to attach"
            onChange={(event) => {
              onFiles([...(event.target.files ?? [])])
              event.target.value = ''
            }}
          />
          <IconButton icon="clip" label="Attach files or pictures" onClick={() => picker.current?.click()} />
          <IconButton
            icon="link"
            label="Attach a file by URL"
            aria-expanded={adding}
            onClick={() => setAdding(!adding)}
          />
          <label className="to">
            <span>To</span>
            <select value={props.recipient} onChange={(event) => props.onAddress(event.target.value)}>
              {props.agents.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <span className="spring" />
          {running === undefined ? (
            <button type="submit" className="send" disabled={!ready}>
              <Icon name="send" /> <span>Send</span>
            </button>
          ) : (
            <StopButtons running={running} onStop={onStop} />
          )}
        </div>
        {adding && (
          <AddressForm
            onAdd={(name, url) => {
              onDraft((before) => ({ ...before, fileUrls: { ...before.fileUrls, [name]: url } }))
              setAdding(false)
            }}
            onClose={() => setAdding(false)}
          />
        )}
      </div>
    </form>
  )
}

function StopButtons({ running, onStop }: { running: Turn; onStop: (mode: CancelMode) => void }) {
  const { stopping, runId } = running.run
  return (
    <>
      <button
        type="button"
        className="text-button framed"
        disabled={stopping !== undefined || runId === undefined}
        title="Stop when this turn, its tools and sub-agents are done"
        onClick={() => onStop('after_turn')}
      >
        Stop after this turn
      </button>
      <button
        type="button"
        className="stop"
        disabled={stopping === 'immediate'}
        title="Stop immediately (Escape)"
        onClick={() => onStop('immediate')}
      >
        <Icon name="stop" /> <span>Stop</span>
      </button>
    </>
  )
}
