/** The panel with the stored conversations. */
import { useRef, useState } from 'react'
import { IconButton } from '../controls.tsx'
import type { Conversation } from '../conversation/conversation.ts'
import { runningTurn } from '../conversation/conversation.ts'
import { writeConversationFile } from '../conversation/file.ts'
import { formatWhen, plural } from '../figures.ts'
import { Icon } from '../icons.tsx'
import { useLandmark } from './narrow.ts'

interface ChatsPanelProps {
  conversations: readonly Conversation[]
  openId: string | undefined
  problem: string | undefined
  onNew: () => void
  onOpen: (id: string) => void
  onRemove: (id: string) => void
  /** @throws Error with a message to show */
  onImport: (text: string) => void
}

/** Lists the conversations stored in this browser. */
export function ChatsPanel({ conversations, openId, problem, onNew, onOpen, onRemove, onImport }: ChatsPanelProps) {
  const [importProblem, setImportProblem] = useState<string>()
  const picker = useRef<HTMLInputElement>(null)
  const open = conversations.find(({ id }) => id === openId)
  const importFile = async (file: File) => {
    try {
      onImport(await file.text())
      setImportProblem(undefined)
    } catch (error) {
      setImportProblem(`${file.name} cannot be imported. ${(error as Error).message}`)
    }
  }
  return (
    <section className="chats" role={useLandmark('navigation')} aria-label="Conversations">
      <button type="button" className="new-chat" onClick={onNew}>
        <Icon name="plus" /> New conversation
      </button>
      {conversations.length === 0 && <p className="empty">Conversations appear here. They stay in this browser.</p>}
      <ul>
        {conversations.map((conversation) => (
          <li key={conversation.id} data-open={conversation.id === openId}>
            <button
              type="button"
              className="chat-link"
              aria-current={conversation.id === openId}
              onClick={() => onOpen(conversation.id)}
            >
              <span className="chat-title">{conversation.title || 'New conversation'}</span>
              <small>
                {runningTurn(conversation) ? 'running' : plural(conversation.turns.length, 'turn')} ·{' '}
                {formatWhen(conversation.updatedAt)}
              </small>
            </button>
            <IconButton
              icon="trash"
              label={`Delete ${conversation.title}`}
              disabled={runningTurn(conversation) !== undefined}
              onClick={() => onRemove(conversation.id)}
            />
          </li>
        ))}
      </ul>
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
          disabled={open === undefined}
          onClick={() => open && download(open)}
        >
          <Icon name="save" /> Export
        </button>
      </div>
    </section>
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
