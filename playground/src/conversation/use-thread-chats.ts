/** Conversations that the server keeps: each is a thread, and each message a stored run. */
import {
  type AgencyClient,
  type CancelMode,
  type Client,
  ClientError,
  type FollowedRun,
  type FollowOptions,
  type RunBody,
} from 'agency-swarm-js/client'
import { useCallback, useMemo, useReducer, useRef, useState } from 'react'
import { newId } from '../new-id.ts'
import { type Settings, settingsBody } from '../request/settings.ts'
import { show } from '../route.ts'
import { describeFailure } from '../run/failure.ts'
import { followRun, type LiveRun } from '../run/follow.ts'
import { emptyBook, turnPage } from './book.ts'
import type { Chats, KeptChats } from './chats.ts'
import {
  type Conversation,
  type ConversationAction,
  type Input,
  newConversation,
  recipientOf,
  titleOfInput,
} from './conversation.ts'
import { readConversationFile } from './file.ts'
import { BRANCH_OF, messagesOf, TITLE, toRow } from './threads.ts'
import { useDelayedDelete } from './use-delayed-delete.ts'
import { useOpenThread } from './use-open-thread.ts'
import { useThreadList } from './use-thread-list.ts'

const TITLE_CHARS = 512

interface ThreadChatsOptions {
  client: Client
  /** The chosen agency. */
  name: string
  agents: readonly string[]
  /** The thread of the page's address. */
  threadId: string | undefined
  /** False where the conversations of this agency are kept elsewhere. */
  enabled: boolean
  settings: Settings
  onLocked: () => void
}

type LiveRuns = Map<string, LiveRun & { leave(): void }>

export function useThreadChats(options: ThreadChatsOptions): Chats {
  const { client, name, agents, threadId, enabled, settings, onLocked } = options
  const agency = useMemo(() => (enabled ? client.agency(name) : undefined), [client, name, enabled])
  const [book, dispatch] = useReducer(turnPage, emptyBook)
  const [problem, setProblem] = useState<string>()
  const [fresh, setFresh] = useState<Conversation>(() => newConversation(newId(), name, Date.now()))
  const [branches, setBranches] = useState<ReadonlyMap<string, string>>(new Map())
  const list = useThreadList(agency, onLocked)
  const live = useRef<LiveRuns>(new Map())
  const latestRename = useRef((_id: string, _title: string) => {})
  const talk = useCallback((id: string, action: ConversationAction) => dispatch({ type: 'talk', id, action }), [])
  const removal = useDelayedDelete(
    useCallback((from: string, id: string) => client.agency(from).threads.delete(id), [client]),
    (error) => setProblem(describeFailure(error).sentence),
  )

  const opened = book.conversations.find(({ id, agency }) => id === threadId && agency === name)
  const conversation = opened ?? { ...fresh, agency: name, ...(threadId === undefined ? {} : { id: threadId }) }

  /** Follows a run in a turn of a conversation. */
  const follow = useCallback(
    (id: string, turnId: string, open: (options: FollowOptions) => FollowedRun) => {
      const run = followRun(open, {
        onFrames: (frames) => dispatch({ type: 'frames', turnId, frames }),
        onEvents: (events) => {
          talk(id, { type: 'events', turnId, events })
          for (const { event } of events)
            if (event.kind === 'messages' && event.chat_name !== undefined) latestRename.current(id, event.chat_name)
          if (events.at(-1)?.event.kind === 'end') live.current.delete(turnId)
        },
        onRestart: (events) => talk(id, { type: 'restart', turnId, events }),
        onReconnect: () => talk(id, { type: 'reconnect', turnId }),
        onFailure: (error) => {
          live.current.delete(turnId)
          talk(id, { type: 'fail', turnId, failure: describeFailure(error), at: Date.now() })
          if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
        },
      })
      live.current.set(turnId, run)
    },
    [talk, onLocked],
  )

  const onBranch = (id: string, of: string) => setBranches((before) => new Map(before).set(id, of))
  useOpenThread({ agency, name, threadId, shown: opened, follow, talk, dispatch, onProblem: setProblem, onBranch })

  const ask = (input: Input, rewindTo?: string) => {
    if (agency === undefined) return
    const { conversation: target, make } = prepare(conversation, { isNew: opened === undefined, rewindTo, input })
    const turnId = newId()
    const body = toBody(target, agents, input, settings)
    dispatch({ type: 'put', conversation: target })
    talk(target.id, { type: 'ask', turnId, input, at: Date.now() })
    dispatch({ type: 'record', turnId, agency: name, request: body })
    const branchOf = make?.metadata?.[BRANCH_OF]
    if (branchOf !== undefined) onBranch(target.id, branchOf)
    setFresh(newConversation(newId(), name, Date.now()))
    setProblem(undefined)
    if (target.id !== threadId) show({ view: 'chat', agency: name, thread: target.id })
    const begin = async () => {
      if (make !== undefined) list.change(target.id, await agency.threads.create(make))
      follow(target.id, turnId, (own) => agency.runs.stream(body, own))
    }
    begin().catch((error: unknown) =>
      talk(target.id, { type: 'fail', turnId, failure: describeFailure(error), at: Date.now() }),
    )
  }

  const rename = (id: string, title: string) => {
    talk(id, { type: 'rename', title })
    agency?.threads.update(id, { metadata: { [TITLE]: title.slice(0, TITLE_CHARS) } }).then(
      (thread) => list.change(id, thread),
      (error: unknown) => setProblem(describeFailure(error).sentence),
    )
  }
  latestRename.current = rename

  const stop = async (turnId: string, mode: CancelMode) => {
    talk(conversation.id, { type: 'stop', turnId, mode })
    const stopped = await live.current.get(turnId)?.stop(mode)
    if (stopped === false) talk(conversation.id, { type: 'stop', turnId, mode: undefined })
  }
  const begin = (next: string) => {
    setFresh(newConversation(newId(), next, Date.now()))
    setProblem(undefined)
    show({ view: 'chat' })
  }
  const kept: KeptChats | undefined = agency && {
    hasMore: list.hasMore,
    more: list.more,
    all: list.all,
    branchOf: branches.get(conversation.id),
    approve: async (runId, approvalId, options) => void (await agency.runs.approve(runId, approvalId, options)),
    reject: async (runId, approvalId, options) => void (await agency.runs.reject(runId, approvalId, options)),
  }
  return {
    rows: [...list.threads.values()]
      .filter(({ thread_id }) => thread_id !== removal.removed?.id)
      .map(toRow)
      .sort((a, b) => b.updatedAt - a.updatedAt),
    conversation,
    openId: threadId,
    isLoaded: threadId === undefined || opened !== undefined || problem !== undefined,
    recordings: book.recordings,
    problem: problem ?? list.problem,
    removed: removal.removed,
    begin,
    open: (id) => show({ view: 'chat', agency: name, thread: id }),
    ask,
    stop,
    address: (recipient) =>
      opened === undefined ? setFresh({ ...fresh, recipient }) : talk(opened.id, { type: 'address', recipient }),
    rename,
    remove: (id) => {
      const thread = list.threads.get(id)
      removal.remove({ agency: name, id, title: thread === undefined ? id : toRow(thread).title })
      if (id === threadId) begin(name)
    },
    undo: removal.undo,
    add: async (text) => {
      if (agency === undefined) return
      const added = readConversationFile(text, { agency: name, served: [name], newId, at: Date.now() })
      const made = { thread_id: added.id, messages: messagesOf(added.turns), metadata: { [TITLE]: added.title } }
      list.change(added.id, await agency.threads.create(made))
      show({ view: 'chat', agency: name, thread: added.id })
    },
    kept,
  }
}

type NewThread = NonNullable<Parameters<AgencyClient['threads']['create']>[0]>

/** Where a message goes, and the thread that has to be made for it. One that takes the place of a turn begins a branch, so that nothing is lost. */
function prepare(
  conversation: Conversation,
  { isNew, rewindTo, input }: { isNew: boolean; rewindTo: string | undefined; input: Input },
): { conversation: Conversation; make: NewThread | undefined } {
  const titled = { ...conversation, title: conversation.title || titleOfInput(input) }
  if (isNew) return { conversation: titled, make: { thread_id: titled.id, metadata: { [TITLE]: titled.title } } }
  const index = conversation.turns.findIndex(({ id }) => id === rewindTo)
  const turn = conversation.turns[index]
  if (turn === undefined) return { conversation, make: undefined }
  const turns = conversation.turns.slice(0, index)
  const branch = { ...titled, id: newId(), turns, recipient: turn.addressed }
  const metadata = { [TITLE]: titled.title, [BRANCH_OF]: conversation.id }
  return { conversation: branch, make: { thread_id: branch.id, messages: messagesOf(turns), metadata } }
}

function toBody(
  conversation: Conversation,
  agents: readonly string[],
  { message, fileUrls }: Input,
  settings: Settings,
): RunBody {
  const recipient = recipientOf(conversation, agents)
  const { generate_chat_name, ...body } = settingsBody(settings)
  return {
    ...(body as Partial<RunBody>),
    message,
    thread_id: conversation.id,
    ...(recipient === undefined ? {} : { recipient_agent: recipient }),
    ...(Object.keys(fileUrls).length === 0 ? {} : { file_urls: { ...fileUrls } }),
    ...(generate_chat_name && conversation.turns.length === 0 ? { generate_chat_name } : {}),
  }
}
