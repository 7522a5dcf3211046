/** A conversation of the page, and the actions that change it. */
import type { CancelMode, InputItem, StoredMessage } from 'agency-swarm-js/client'
import type { Failure } from '../run/failure.ts'
import { type AnyEvent, followAnyEvent } from '../run/notices.ts'
import { agentInFront, beginRun, endRun, FRONT, type RunView, textOf } from '../run/run.ts'

/** The user's message in one turn. */
export interface Input {
  message: string | readonly InputItem[]
  /** Name -> address. */
  fileUrls: { readonly [name: string]: string }
}

/** One request and its run. */
export interface Turn {
  id: string
  input: Input
  /** The recipient; undefined means the entry agent. */
  addressed: string | undefined
  run: RunView
}

export interface Conversation {
  id: string
  agency: string
  title: string
  /** Milliseconds since 1970. */
  updatedAt: number
  turns: readonly Turn[]
  /** The recipient of the next turn; undefined means the entry agent. */
  recipient: string | undefined
}

export interface TimedEvent {
  event: AnyEvent
  /** Milliseconds since 1970. */
  at: number
}

export type ConversationAction =
  | { type: 'ask'; turnId: string; input: Input; at: number }
  | { type: 'events'; turnId: string; events: readonly TimedEvent[] }
  /** Another process has taken the run up: these events are what is still true of it. */
  | { type: 'restart'; turnId: string; events: readonly TimedEvent[] }
  /** The connection broke, and is being replaced. */
  | { type: 'reconnect'; turnId: string }
  /** What the user has said in a turn that another page began. */
  | { type: 'hear'; turnId: string; input: Input }
  | { type: 'rename'; title: string }
  | { type: 'fail'; turnId: string; failure: Failure; at: number }
  /** The server was asked to stop the run. `mode` is undefined when the server could not stop it. */
  | { type: 'stop'; turnId: string; mode: CancelMode | undefined }
  /** Removes this turn and all later ones. */
  | { type: 'rewind'; turnId: string }
  | { type: 'address'; recipient: string | undefined }

export const newConversation = (id: string, agency: string, at: number): Conversation => ({
  id,
  agency,
  title: '',
  updatedAt: at,
  turns: [],
  recipient: undefined,
})

/** A conversation after an action. Pure. */
export function followConversation(conversation: Conversation, action: ConversationAction): Conversation {
  switch (action.type) {
    case 'ask': {
      const { turnId: id, input, at } = action
      const turn: Turn = { id, input, addressed: conversation.recipient, run: beginRun(at) }
      const title = conversation.title || titleOfInput(input)
      return { ...conversation, title, updatedAt: at, turns: [...conversation.turns, turn] }
    }
    case 'events': {
      const after = changeRun(conversation, action.turnId, (run) =>
        action.events.reduce(followTimed, withoutReconnecting(run)),
      )
      return after === conversation ? after : settle(after, action.turnId)
    }
    case 'restart':
      return changeRun(conversation, action.turnId, ({ startedAt }) =>
        action.events.reduce(followTimed, beginRun(startedAt)),
      )
    case 'reconnect':
      return changeRun(conversation, action.turnId, (run) => ({ ...run, reconnecting: true }))
    case 'hear':
      return {
        ...conversation,
        turns: conversation.turns.map((turn) => (turn.id === action.turnId ? { ...turn, input: action.input } : turn)),
      }
    case 'rename':
      return { ...conversation, title: action.title }
    case 'fail':
      return settle(
        changeRun(conversation, action.turnId, (run) => endRun(run, action.at, action.failure)),
        action.turnId,
      )
    case 'stop':
      return changeRun(conversation, action.turnId, ({ stopping: _, ...run }) =>
        action.mode === undefined ? run : { ...run, stopping: action.mode },
      )
    case 'rewind': {
      const index = conversation.turns.findIndex((turn) => turn.id === action.turnId)
      const turn = conversation.turns[index]
      if (turn === undefined) return conversation
      return { ...conversation, turns: conversation.turns.slice(0, index), recipient: turn.addressed }
    }
    case 'address':
      return { ...conversation, recipient: action.recipient }
    default:
      return action satisfies never
  }
}

const followTimed = (run: RunView, { event, at }: TimedEvent): RunView => followAnyEvent(run, event, at)

const withoutReconnecting = ({ reconnecting: _, ...run }: RunView): RunView => run

/** All messages so far: the `chat_history` of the next request. */
export const historyOf = (conversation: Conversation): StoredMessage[] =>
  conversation.turns.flatMap((turn) => turn.run.messages)

/** The recipient of the next turn; undefined (the entry agent) when the previous one is no longer served. */
export const recipientOf = ({ recipient }: Conversation, agents: readonly string[]): string | undefined =>
  recipient !== undefined && agents.includes(recipient) ? recipient : undefined

export const runningTurn = (conversation: Conversation): Turn | undefined =>
  conversation.turns.findLast((turn) => turn.run.phase === 'running')

/** The user's text in a message of any form. */
export const inputText = ({ message }: Input): string =>
  typeof message === 'string' ? message : message.map((item) => textOf(item.content)).join('\n\n')

function changeRun(conversation: Conversation, turnId: string, change: (run: RunView) => RunView): Conversation {
  const index = conversation.turns.findIndex((turn) => turn.id === turnId)
  const turn = conversation.turns[index]
  // Late events of a run that is over or was removed change nothing.
  if (turn === undefined || turn.run.phase === 'ended') return conversation
  return { ...conversation, turns: conversation.turns.with(index, { ...turn, run: change(turn.run) }) }
}

/** After a run, the next turn addresses the agent that spoke last, and the conversation may have a name. */
function settle(conversation: Conversation, turnId: string): Conversation {
  const turn = conversation.turns.find(({ id }) => id === turnId)
  if (turn?.run.phase !== 'ended') return conversation
  const handedOver = (turn.run.threads.get(FRONT) ?? []).some(
    (entry) => entry.kind === 'handoff' && entry.to !== undefined,
  )
  return {
    ...conversation,
    title: turn.run.chatName ?? conversation.title,
    recipient: handedOver ? agentInFront(turn.run) : turn.addressed,
  }
}

const TITLE_CHARS = 60

/** The name of a conversation that begins with this message. */
export function titleOfInput(input: Input): string {
  const text = inputText(input).trim().replace(/\s+/g, ' ')
  if (text === '') return 'Files'
  return text.length > TITLE_CHARS ? `${text.slice(0, TITLE_CHARS - 1).trimEnd()}…` : text
}
