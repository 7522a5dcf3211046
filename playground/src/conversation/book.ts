import type { Frame, RequestBody } from 'agency-swarm-js/client'
import { addFrames, noTrace, type Trace } from '../run/trace.ts'
import { type Conversation, type ConversationAction, followConversation } from './conversation.ts'

/** A request of this page and the events it was answered with. Kept while the page is open, never stored: it may hold keys. */
export interface Recording {
  agency: string
  request: RequestBody
  trace: Trace
}

/** All conversations of this page, and which one is open. */
export interface Book {
  /** Newest first. */
  conversations: readonly Conversation[]
  openId: string | undefined
  /** Turn -> what crossed the wire for it. */
  recordings: ReadonlyMap<string, Recording>
}

export const emptyBook: Book = { conversations: [], openId: undefined, recordings: new Map() }

/** Events are large; those of older runs go. */
const MAX_RECORDINGS = 10

export type BookAction =
  /** What the browser has kept; conversations that began meanwhile stay. */
  | { type: 'loaded'; conversations: readonly Conversation[]; openId: string | undefined }
  | { type: 'open'; id: string | undefined }
  | { type: 'add'; conversation: Conversation }
  | { type: 'remove'; id: string }
  | { type: 'talk'; id: string; action: ConversationAction }
  | { type: 'record'; turnId: string; agency: string; request: RequestBody }
  | { type: 'frames'; turnId: string; frames: readonly { frame: Frame; atMs: number }[] }

/** The book after an action. Pure. */
export function turnPage(book: Book, action: BookAction): Book {
  const { conversations, recordings } = book
  switch (action.type) {
    case 'loaded': {
      const known = new Set(conversations.map(({ id }) => id))
      const all = [...conversations, ...action.conversations.filter(({ id }) => !known.has(id))]
      const kept = all.some(({ id }) => id === action.openId) ? action.openId : undefined
      return { ...book, conversations: all, openId: book.openId ?? kept }
    }
    case 'open':
      return { ...book, openId: action.id }
    case 'add':
      return { ...book, conversations: [action.conversation, ...conversations], openId: action.conversation.id }
    case 'remove':
      return {
        ...book,
        conversations: conversations.filter(({ id }) => id !== action.id),
        openId: book.openId === action.id ? undefined : book.openId,
      }
    case 'talk': {
      const index = conversations.findIndex(({ id }) => id === action.id)
      const before = conversations[index]
      if (before === undefined) return book
      const after = followConversation(before, action.action)
      if (after === before) return book
      const rest = conversations.toSpliced(index, 1)
      return {
        ...book,
        conversations: action.action.type === 'ask' ? [after, ...rest] : conversations.with(index, after),
      }
    }
    case 'record': {
      const { turnId, agency, request } = action
      const kept = [...recordings].slice(1 - MAX_RECORDINGS)
      return { ...book, recordings: new Map(kept).set(turnId, { agency, request, trace: noTrace }) }
    }
    case 'frames': {
      const recording = recordings.get(action.turnId)
      if (recording === undefined) return book
      const trace = addFrames(recording.trace, action.frames)
      return { ...book, recordings: new Map(recordings).set(action.turnId, { ...recording, trace }) }
    }
    default:
      return action satisfies never
  }
}
