/** Conversations that this browser keeps: their history is sent with each message. */
import type { AgencyMetadata, Client } from 'agency-swarm-js/client'
import { useState } from 'react'
import { plural } from '../figures.ts'
import { newId } from '../new-id.ts'
import type { Settings } from '../request/settings.ts'
import { useUndo } from '../shell/undo.tsx'
import { useRuns } from '../use-runs.ts'
import type { Chats } from './chats.ts'
import { type Conversation, followConversation, newConversation, runningTurn } from './conversation.ts'
import { readConversationFile } from './file.ts'
import { useBook } from './use-book.ts'

interface BrowserChatsOptions {
  client: Client
  agencies: ReadonlyMap<string, AgencyMetadata>
  /** The agency of a new conversation. */
  chosen: string
  settings: Settings
  onLocked: () => void
}

/** @returns also the agency of the open conversation, and whether the conversations have been loaded */
export function useBrowserChats({ client, agencies, chosen, settings, onLocked }: BrowserChatsOptions) {
  const { book, dispatch, loaded, problem } = useBook()
  const { ask, stop } = useRuns({ client, dispatch, onLocked })
  const undo = useUndo()
  // A conversation whose agency is no longer served stays in the book but cannot be open.
  const opened = book.conversations.find((one) => one.id === book.openId && agencies.has(one.agency))
  const agency = opened?.agency ?? chosen
  // A conversation is added to the book with its first message.
  const [fresh, setFresh] = useState<Conversation>(() => newConversation(newId(), agency, Date.now()))
  const renew = (name: string) => setFresh(newConversation(newId(), name, Date.now()))
  const conversation = opened ?? { ...fresh, agency }

  const chats: Chats = {
    rows: book.conversations.filter((one) => one.agency === agency).map(toRow),
    conversation,
    openId: opened?.id,
    isLoaded: true,
    recordings: book.recordings,
    problem,
    removed: undo.removed,
    begin(name) {
      renew(name)
      dispatch({ type: 'open', id: undefined })
    },
    open: (id) => dispatch({ type: 'open', id }),
    ask(input, rewindTo) {
      let from = conversation
      if (opened === undefined) {
        dispatch({ type: 'add', conversation })
        renew(agency) // two conversations with one id would be stored as one
      }
      if (rewindTo !== undefined) {
        dispatch({ type: 'talk', id: conversation.id, action: { type: 'rewind', turnId: rewindTo } })
        from = followConversation(conversation, { type: 'rewind', turnId: rewindTo })
      }
      ask(from, agencies.get(agency)?.metadata.agents ?? [], input, settings)
    },
    stop: (turnId, mode) => void stop(conversation.id, turnId, mode),
    address: (recipient) =>
      opened === undefined
        ? setFresh({ ...fresh, recipient })
        : dispatch({ type: 'talk', id: conversation.id, action: { type: 'address', recipient } }),
    rename: (id, title) => dispatch({ type: 'talk', id, action: { type: 'rename', title } }),
    remove(id) {
      if (id === opened?.id) renew(agency)
      undo.setRemoved(book.conversations.find((one) => one.id === id))
      dispatch({ type: 'remove', id })
    },
    undo() {
      if (undo.removed !== undefined) dispatch({ type: 'add', conversation: undo.removed })
      undo.clear()
    },
    async add(text) {
      const about = { agency, served: [...agencies.keys()], newId, at: Date.now() }
      dispatch({ type: 'add', conversation: readConversationFile(text, about) })
    },
    kept: undefined,
  }
  return { chats, agency, isLoaded: loaded }
}

function toRow(conversation: Conversation): Chats['rows'][number] {
  const { id, title, updatedAt, turns } = conversation
  const isBusy = runningTurn(conversation) !== undefined
  return {
    id,
    title: title || 'New conversation',
    note: isBusy ? 'running' : plural(turns.length, 'turn'),
    updatedAt,
    isBusy,
  }
}
