/** The conversations of the page, wherever they are kept: what its panels need of them. */
import type { ApproveOptions, CancelMode, RejectOptions } from 'agency-swarm-js/client'
import type { Recording } from './book.ts'
import type { Conversation, Input } from './conversation.ts'

/** One line of the list of conversations. */
export interface ChatRow {
  id: string
  title: string
  /** How long it is, or what it waits for. */
  note: string
  /** Milliseconds since 1970. */
  updatedAt: number
  /** A run of it is live: it cannot be deleted. */
  isBusy: boolean
}

export interface Chats {
  /** Those of the chosen agency, newest first. */
  rows: readonly ChatRow[]
  /** The open conversation, or a new one. */
  conversation: Conversation
  /** Undefined for a new one. */
  openId: string | undefined
  /** False until the open conversation has been read. */
  isLoaded: boolean
  recordings: ReadonlyMap<string, Recording>
  /** Why conversations cannot be kept, or the open one not be read. */
  problem: string | undefined
  /** The conversation that was deleted last, while that can be undone. */
  removed: { title: string } | undefined
  /** Shows an empty conversation of an agency. */
  begin(agency: string): void
  open(id: string): void
  /** @param rewindTo the turn that the message takes the place of */
  ask(input: Input, rewindTo?: string): void
  stop(turnId: string, mode: CancelMode): void
  /** Chooses the recipient of the next message; undefined means the entry agent. */
  address(recipient: string | undefined): void
  rename(id: string, title: string): void
  remove(id: string): void
  undo(): void
  /** Adds a conversation from a file. @throws Error with a message to show */
  add(text: string): Promise<void>
  /** Set where the server keeps the conversations. */
  kept: KeptChats | undefined
}

/** What only conversations on the server can do. */
export interface KeptChats {
  /** Older conversations can be read. */
  hasMore: boolean
  more(): void
  /** Reads all conversations, for a search. */
  all(): void
  /** The conversation that the open one is a branch of. */
  branchOf: string | undefined
  /** Decides a call that waits in a run. @throws ClientError */
  approve(runId: string, approvalId: string, options?: ApproveOptions): Promise<void>
  reject(runId: string, approvalId: string, options?: RejectOptions): Promise<void>
}
