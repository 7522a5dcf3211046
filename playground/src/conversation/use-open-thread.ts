/** Keeps the open thread as the server has it, also when other pages or programs write to it. */
import type { AgencyClient, FollowedRun, FollowOptions } from 'agency-swarm-js/client'
import { type Dispatch, useEffect, useRef } from 'react'
import { newId } from '../new-id.ts'
import { describeFailure } from '../run/failure.ts'
import type { BookAction } from './book.ts'
import { type Conversation, type ConversationAction, inputText, runningTurn } from './conversation.ts'
import { BRANCH_OF, isGone, keepTurns, messagesOf, type ReadThread, readThread } from './threads.ts'

/** How often the open thread is looked at, in milliseconds. */
const LOOK_MS = 2_000

interface OpenThread {
  /** Undefined: no thread is open. */
  agency: AgencyClient | undefined
  name: string
  threadId: string | undefined
  /** The conversation as the page shows it. */
  shown: Conversation | undefined
  follow: (id: string, turnId: string, open: (options: FollowOptions) => FollowedRun) => void
  talk: (id: string, action: ConversationAction) => void
  dispatch: Dispatch<BookAction>
  onProblem: (sentence: string | undefined) => void
  /** The thread is a branch of another one. */
  onBranch: (id: string, of: string) => void
}

export function useOpenThread(open: OpenThread): void {
  const latest = useRef(open)
  latest.current = open
  const { agency, threadId } = open
  useEffect(() => {
    if (agency === undefined || threadId === undefined) return undefined
    let isLeft = false
    let isFirst = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = async () => {
      try {
        if (isFirst || document.visibilityState === 'visible') await update(agency, threadId, latest, () => isLeft)
        isFirst = false
      } catch (error) {
        const { shown, onProblem } = latest.current
        // A thread that this page is just making is not there yet.
        if (!isLeft && shown === undefined)
          onProblem(
            isGone(error)
              ? 'This conversation is not on the server. It may have been deleted.'
              : describeFailure(error).sentence,
          )
      }
      if (!isLeft) timer = setTimeout(look, LOOK_MS)
    }
    latest.current.onProblem(undefined)
    void look()
    return () => {
      isLeft = true
      clearTimeout(timer)
    }
  }, [agency, threadId])
}

type Latest = { readonly current: OpenThread }

/** Reads the thread when the page does not show it as it is. */
async function update(agency: AgencyClient, threadId: string, latest: Latest, isLeft: () => boolean): Promise<void> {
  const before = latest.current.shown
  if (before !== undefined) {
    const running = runningTurn(before)
    if (running !== undefined) {
      if (inputText(running.input) === '' && running.run.speakers.size > 0) await hear(agency, threadId, latest)
      return
    }
    const { message_count: count, active_run_id: active } = await agency.threads.get(threadId)
    if (active === null && count === messagesOf(before.turns).length) return
  }
  const read = await readThread(agency, latest.current.name, threadId)
  const { shown } = latest.current
  if (isLeft() || (shown !== undefined && runningTurn(shown) !== undefined)) return
  present(agency, read, latest.current)
}

/** Shows a thread that was read, and follows the run that is live. */
function present(agency: AgencyClient, { thread, conversation, live }: ReadThread, open: OpenThread): void {
  const { shown, dispatch, talk, follow, name, onProblem, onBranch } = open
  const { id } = conversation
  const branchOf = thread.metadata[BRANCH_OF]
  if (branchOf !== undefined) onBranch(id, branchOf)
  onProblem(undefined)
  dispatch({ type: 'put', conversation: keepTurns(conversation, shown) })
  if (live === undefined) return
  const { run, said: input = { message: '', fileUrls: {} } } = live
  const turnId = newId()
  talk(id, { type: 'ask', turnId, input, at: Date.parse(run.started_at ?? run.created_at) })
  dispatch({ type: 'record', turnId, agency: name, request: { message: input.message } })
  follow(id, turnId, (own) => agency.runs.events(run.run_id, own))
}

/** The message of a run that another page began arrives with the run's first turn. */
async function hear(agency: AgencyClient, threadId: string, latest: Latest): Promise<void> {
  const { live } = await readThread(agency, latest.current.name, threadId)
  const { shown, talk } = latest.current
  const running = shown && runningTurn(shown)
  if (running !== undefined && live?.said !== undefined)
    talk(threadId, { type: 'hear', turnId: running.id, input: live.said })
}
