/** All conversations of this page, and the actions that change them. */
import type { Frame, RequestBody } from 'agency-swarm-js/client'
import { addFrames, noTrace, type Trace } from '../run/trace.ts'
import { type Conversation, type ConversationAction, followConversation } from './conversation.ts'
import { isSame, mergeConversations } from './merge.ts'
import type { Saved } from './store.ts'

/** A request of this page and the events of its answer. Kept while the page is open and never stored: it may contain keys. */
export interface Recording {
  agency: string
  request: RequestBody
  trace: Trace
}

/** All conversations of this page, and the open one. */
export interface Book {
  /** Newest first. */
  conversations: readonly Conversation[]
  openId: string | undefined
  /** Turn -> its request and events. */
  recordings: ReadonlyMap<string, Recording>
  /** Conversation -> its stored copy when this tab last read or wrote it. */
  saved: ReadonlyMap<string, Saved>
}

export const emptyBook: Book = { conversations: [], openId: undefined, recordings: new Map(), saved: new Map() }

/** Most turns whose events are kept; those of older turns are dropped, because events are large. */
const MAX_RECORDINGS = 10

export type BookAction =
  /** The stored conversations were loaded; conversations started meanwhile stay. */
  | { type: 'loaded'; found: readonly Saved[]; openId: string | undefined }
  | { type: 'open'; id: string | undefined }
  | { type: 'add'; conversation: Conversation }
  /** Adds a conversation, or replaces the one with its id. */
  | { type: 'put'; conversation: Conversation }
  | { type: 'remove'; id: string }
  /** The store's current copy. `base` is the copy this tab wrote; default: the one it last read or wrote. */
  | { type: 'stored'; saved: Saved; base?: Conversation }
  /** The conversation was removed from the store. */
  | { type: 'forgotten'; id: string }
  | { type: 'talk'; id: string; action: ConversationAction }
  | { type: 'record'; turnId: string; agency: string; request: RequestBody }
  | { type: 'frames'; turnId: string; frames: readonly { frame: Frame; atMs: number }[] }

/** The book after an action. Pure. */
export function turnPage(book: Book, action: BookAction): Book {
  const { conversations, recordings } = book
  switch (action.type) {
    case 'loaded': {
      const known = new Set(conversations.map(({ id }) => id))
      const found = action.found.map(({ conversation }) => conversation)
      const all = [...conversations, ...found.filter(({ id }) => !known.has(id))]
      const kept = all.some(({ id }) => id === action.openId) ? action.openId : undefined
      const saved = new Map(action.found.map((one) => [one.conversation.id, one]))
      return { ...book, conversations: all, saved, openId: book.openId ?? kept }
    }
    case 'open':
      return { ...book, openId: action.id }
    case 'add':
      return { ...book, conversations: [action.conversation, ...conversations], openId: action.conversation.id }
    case 'put':
      return {
        ...book,
        conversations: [action.conversation, ...conversations.filter(({ id }) => id !== action.conversation.id)],
      }
    case 'remove':
      return {
        ...book,
        conversations: conversations.filter(({ id }) => id !== action.id),
        openId: book.openId === action.id ? undefined : book.openId,
      }
    case 'stored': {
      const { saved, base = book.saved.get(saved.conversation.id)?.conversation } = action
      const theirs = saved.conversation
      const known = { ...book, saved: new Map(book.saved).set(theirs.id, saved) }
      const index = conversations.findIndex(({ id }) => id === theirs.id)
      const ours = conversations[index]
      if (ours === undefined)
        return base === undefined ? { ...known, conversations: [theirs, ...conversations] } : known // this tab removed it meanwhile
      const merged = mergeConversations(ours, theirs, base)
      return isSame(merged, ours) ? known : { ...known, conversations: conversations.with(index, merged) }
    }
    case 'forgotten': {
      const saved = new Map(book.saved)
      saved.delete(action.id)
      return { ...book, saved }
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
