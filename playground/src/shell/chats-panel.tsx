/** The panel with the kept conversations. */
import { type KeyboardEvent, useRef, useState } from 'react'
import { CopyButton, IconButton } from '../controls.tsx'
import type { ChatRow, Chats } from '../conversation/chats.ts'
import type { Conversation } from '../conversation/conversation.ts'
import { writeConversationFile } from '../conversation/file.ts'
import { formatWhen } from '../figures.ts'
import { Icon } from '../icons.tsx'
import { useLandmark } from './narrow.ts'

interface ChatsPanelProps {
  chats: Chats
  onNew: () => void
  onOpen: (id: string) => void
  /** A conversation was added from a file. */
  onAdded: () => void
}

/** Lists the conversations of the agency: those that the server keeps, or this browser. */
export function ChatsPanel({ chats, onNew, onOpen, onAdded }: ChatsPanelProps) {
  const { rows, openId, problem, kept } = chats
  const [importProblem, setImportProblem] = useState<string>()
  const [sought, setSought] = useState('')
  const picker = useRef<HTMLInputElement>(null)
  const importFile = async (file: File) => {
    try {
      await chats.add(await file.text())
      setImportProblem(undefined)
      onAdded()
    } catch (error) {
      setImportProblem(`${file.name} cannot be imported. ${(error as Error).message}`)
    }
  }
  const words = sought.trim().toLowerCase()
  const found = rows.filter(({ title }) => title.toLowerCase().includes(words))
  return (
    <section className="chats" role={useLandmark('navigation')} aria-label="Conversations">
      <button type="button" className="new-chat" onClick={onNew}>
        <Icon name="plus" /> New conversation
      </button>
      {rows.length === 0 && (
        <p className="empty">
          Conversations appear here. {kept === undefined ? 'They stay in this browser.' : 'The server keeps them.'}
        </p>
      )}
      {(rows.length > 4 || sought !== '') && (
        <input
          type="search"
          aria-label="Search conversations"
          placeholder="Search"
          value={sought}
          onFocus={() => kept?.all()}
          onChange={(event) => setSought(event.target.value)}
        />
      )}
      <ul>
        {found.map((row) => (
          <Row key={row.id} row={row} isOpen={row.id === openId} chats={chats} onOpen={onOpen} />
        ))}
      </ul>
      {words !== '' && (
        <p className="counted" role="status">
          {found.length === 0 ? 'No conversation has this in its name.' : `${found.length} found`}
        </p>
      )}
      {words === '' && kept?.hasMore && (
        <button type="button" className="text-button" onClick={kept.more}>
          Show older conversations
        </button>
      )}
      {[problem, importProblem].map(
        (text) =>
          text && (
            <p key={text} className="problem" role="alert">
              {text}
            </p>
          ),
      )}
      <div className="chats-foot">
        <input
          ref={picker}
          type="file"
          accept=".json,application/json"
          hidden
          aria-label="Conversation to import"
          onChange={(event) => {
            const file = event.target.files?.[0]
            event.target.value = ''
            if (file) void importFile(file)
          }}
        />
        <button type="button" className="text-button" onClick={() => picker.current?.click()}>
          <Icon name="open" /> Import
        </button>
        <button
          type="button"
          className="text-button"
          disabled={openId === undefined}
          onClick={() => download(chats.conversation)}
        >
          <Icon name="save" /> Export
        </button>
        {kept !== undefined && openId !== undefined && (
          <CopyButton label="Link" icon="link" text={() => location.href} />
        )}
      </div>
    </section>
  )
}

interface RowProps {
  row: ChatRow
  isOpen: boolean
  chats: Chats
  onOpen: (id: string) => void
}

function Row({ row: { id, title, note, updatedAt, isBusy }, isOpen, chats, onOpen }: RowProps) {
  const [name, setName] = useState<string>()
  const save = () => {
    if (name !== undefined && name.trim() !== '' && name.trim() !== title) chats.rename(id, name.trim())
    setName(undefined)
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter') save()
    else if (event.key === 'Escape') setName(undefined)
    else return
    event.preventDefault()
    event.stopPropagation()
  }
  return (
    <li data-open={isOpen}>
      {name === undefined ? (
        <button type="button" className="chat-link" aria-current={isOpen} onClick={() => onOpen(id)}>
          <span className="chat-title">{title}</span>
          <small>
            {note} · {formatWhen(updatedAt)}
          </small>
        </button>
      ) : (
        <input
          className="chat-name"
          aria-label={`New name of ${title}`}
          // biome-ignore lint/a11y/noAutofocus: the field takes the place of the button that was pressed
          autoFocus
          maxLength={200}
          value={name}
          onChange={(event) => setName(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={save}
        />
      )}
      <span className="chat-tools">
        <IconButton icon="edit" label={`Rename ${title}`} onClick={() => setName(title)} />
        <IconButton icon="trash" label={`Delete ${title}`} disabled={isBusy} onClick={() => chats.remove(id)} />
      </span>
    </li>
  )
}

function download(conversation: Conversation): void {
  const link = document.createElement('a')
  const address = URL.createObjectURL(new Blob([writeConversationFile(conversation)], { type: 'application/json' }))
  link.href = address
  link.download = `${conversation.title.replace(/[^\p{L}\d]+/gu, '-').slice(0, 50) || 'conversation'}.json`
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 10_000)
}
