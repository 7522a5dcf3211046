/** Conversations as threads of the server: read from its messages and runs. */
import {
  type AgencyClient,
  ClientError,
  type ListPage,
  type Run,
  type StoredMessage,
  type Thread,
} from 'agency-swarm-js/client'
import { plural } from '../figures.ts'
import { newId } from '../new-id.ts'
import type { Failure } from '../run/failure.ts'
import type { RunView } from '../run/run.ts'
import type { ChatRow } from './chats.ts'
import type { Conversation, Turn } from './conversation.ts'
import { readHistory } from './history.ts'

/** Metadata of a thread that the page sets: its name, and the thread that it is a branch of. */
export const TITLE = 'title'
export const BRANCH_OF = 'branch_of'

const PAGE_ROWS = 100
/** Messages that are read of a thread; the page shows the first ones then. */
const MAX_MESSAGES = 10_000
/** Runs of a thread that give their times, costs and failures to its turns. */
const MAX_RUNS = 100

/** A thread as it was read. */
export interface ReadThread {
  thread: Thread
  conversation: Conversation
  /** The run that is live, whose turn is not in the conversation, and what the user said in it. */
  live: { run: Run; said: Turn['input'] | undefined } | undefined
}

/** Reads a thread. @throws ClientError */
export async function readThread(agency: AgencyClient, name: string, threadId: string): Promise<ReadThread> {
  const [thread, runs] = await Promise.all([
    agency.threads.get(threadId),
    agency.runs.list({ thread_id: threadId, limit: MAX_RUNS }).page(),
  ])
  const messages = await readPages(agency.threads.messages(threadId, { limit: PAGE_ROWS }).pages(), MAX_MESSAGES)
  const run = runs.data.find(({ run_id }) => run_id === thread.active_run_id)
  const turns = toTurns(messages, runs.data)
  const begin = run === undefined ? -1 : turns.findIndex((turn) => isOf(turn, run))
  const said = turns[begin]?.input
  const conversation: Conversation = {
    id: threadId,
    agency: name,
    title: titleOf(thread),
    updatedAt: Date.parse(thread.updated_at),
    turns: begin === -1 ? turns : turns.slice(0, begin),
    recipient: lastSpeaker(messages),
  }
  return { thread, conversation, live: run && { run, said } }
}

/** All rows up to a bound. */
async function readPages<Row>(pages: AsyncIterable<ListPage<Row>>, most: number): Promise<Row[]> {
  const rows: Row[] = []
  for await (const { data } of pages) {
    rows.push(...data)
    if (rows.length >= most) break
  }
  return rows
}

/** Turns with what their runs say of them. */
function toTurns(messages: readonly StoredMessage[], runs: readonly Run[]): Turn[] {
  const turns = readHistory(messages, newId)
  const ended = runs.filter(({ ended_at }) => ended_at !== null)
  return turns.map((turn) => {
    const run = ended.find(
      ({ new_messages: added }) => added?.[0] !== undefined && isSame(added[0], turn.run.messages[0]),
    )
    return run === undefined ? turn : { ...turn, run: describe(turn.run, run) }
  })
}

const isSame = (a: StoredMessage, b: StoredMessage | undefined) =>
  a.timestamp === b?.timestamp && a.agent_run_id === b?.agent_run_id

function describe(view: RunView, run: Run): RunView {
  const { run_id, started_at, ended_at, usage, status, error } = run
  return {
    ...view,
    runId: run_id,
    ...(started_at === null || ended_at === null
      ? {}
      : { startedAt: Date.parse(started_at), endedAt: Date.parse(ended_at) }),
    ...(usage === null ? {} : { usage }),
    cancelled: status === 'cancelled',
    ...(error === null ? {} : { failure: toFailure(error) }),
  }
}

const toFailure = ({ code, message }: NonNullable<Run['error']>): Failure => ({
  kind: code,
  sentence: message,
  wayOut: 'Run it again, or change the message. The Runs view shows what happened.',
})

/** The messages of a live run came after its start; server times have the same clock. */
const isOf = ({ run }: Turn, { started_at: from }: Run) =>
  from !== null && (run.messages[0]?.timestamp ?? 0) / 1000 >= Date.parse(from)

/** The agent in charge: the last that spoke to the user; undefined at first. */
const lastSpeaker = (messages: readonly StoredMessage[]) =>
  messages.findLast(({ callerAgent, agent }) => callerAgent == null && agent)?.agent

export const titleOf = ({ metadata, thread_id: id }: Thread) => metadata[TITLE] || id

const NOTES = { busy: 'running', requires_action: 'waits for a decision', idle: undefined }

export const toRow = (thread: Thread): ChatRow => ({
  id: thread.thread_id,
  title: titleOf(thread),
  note: NOTES[thread.status] ?? plural(thread.message_count, 'message'),
  updatedAt: Date.parse(thread.updated_at),
  isBusy: thread.status !== 'idle',
})

/** The messages of these turns, as a new thread begins with them. */
export const messagesOf = (turns: readonly Turn[]): StoredMessage[] => turns.flatMap(({ run }) => [...run.messages])

/** The conversation with those turns of the page that are the same: they know more, such as times and events. */
export function keepTurns(read: Conversation, shown: Conversation | undefined): Conversation {
  const known = new Map(shown?.turns.map((turn) => [keyOf(turn), turn]))
  return {
    ...read,
    turns: read.turns.map((turn) => {
      const mine = known.get(keyOf(turn))
      const isKept = mine?.run.phase === 'ended' && mine.run.messages.length === turn.run.messages.length
      return isKept ? mine : turn
    }),
  }
}

function keyOf({ id, run: { messages } }: Turn): string {
  const [first] = messages
  return first === undefined ? id : `${first.timestamp} ${first.agent_run_id}`
}

export const isGone = (error: unknown): boolean => error instanceof ClientError && error.code === 'NOT_FOUND'
