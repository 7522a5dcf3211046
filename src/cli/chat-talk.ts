/** The conversation of `chat`: its history kept here, or a thread that the server keeps. */
import {
  type AgencyClient,
  ClientError,
  type Conversation,
  type FollowedRun,
  itemText,
  type RunEvent,
  type RunResult,
  type StoredMessage,
  type StreamEvent,
} from '../client/index.ts'
import { CommandError } from './errors.ts'

/** One message and its answer. */
export interface Turn {
  events: AsyncIterable<StreamEvent | RunEvent>
  result(): Promise<RunResult>
  stop(mode: 'immediate' | 'after_turn'): Promise<unknown>
  /** True when a call waits for a decision. */
  waits(): boolean
  /** Decides the oldest call that waits for it. False when none does. */
  decide(reason: string | undefined, approve: boolean): Promise<boolean>
}

export interface Talk {
  /** The agent that the next message is for; undefined: the entry agent. */
  recipient: string | undefined
  send(message: string, signal: AbortSignal): Turn
  /** The answer that is under way on the server; undefined when there is none. */
  resume(signal: AbortSignal): Promise<Turn | undefined>
  messages(): Promise<readonly StoredMessage[]>
}

/** A conversation whose history is kept here and sent with each message. */
export function talkHere(conversation: Conversation): Talk {
  return {
    get recipient() {
      return conversation.recipient
    },
    set recipient(name) {
      conversation.recipient = name
    },
    send(message, signal) {
      const stream = conversation.stream(message, { signal })
      const stop = (mode: 'immediate' | 'after_turn') => stream.cancel(mode)
      return { events: stream, result: () => stream.result, stop, waits: () => false, decide: async () => false }
    },
    resume: async () => undefined,
    messages: async () => conversation.messages,
  }
}

/** A thread that the server keeps: one run for each message. @throws CommandError for a server without threads, ClientError */
export async function talkOnThread(agency: AgencyClient, threadId: string): Promise<Talk> {
  await agency.threads.get(threadId).catch((error: unknown) => {
    if (!(error instanceof ClientError && error.status === 404)) throw error
    if (error.code !== 'NOT_FOUND') throw new CommandError('This server keeps no threads. Chat without --thread.')
  })
  const messages = async () => {
    const all: StoredMessage[] = []
    try {
      for await (const message of agency.threads.messages(threadId, { limit: 100 })) all.push(message)
    } catch (error) {
      if (!(error instanceof ClientError && error.code === 'NOT_FOUND')) throw error // a new thread
    }
    return all
  }
  const findSpeaker = (list: readonly StoredMessage[]) => list.findLast(({ callerAgent }) => callerAgent == null)?.agent
  const onResult = (result: RunResult) => {
    talk.recipient = findSpeaker(result.new_messages) ?? talk.recipient
  }
  const talk: Talk = {
    recipient: findSpeaker(await messages()),
    send(message, signal) {
      const body = { message, thread_id: threadId, recipient_agent: talk.recipient ?? null }
      return followTurn(agency.runs.stream(body, { signal }), onResult)
    },
    async resume(signal) {
      const run = await agency.threads.stream(threadId, { signal })
      return run && followTurn(run, onResult)
    },
    messages,
  }
  return talk
}

function followTurn(run: FollowedRun<string>, onResult: (result: RunResult) => void): Turn {
  const decided = new Set<string>()
  const findWaiting = () => run.view.approvals.find(({ approval_id }) => !decided.has(approval_id))
  return {
    events: run,
    waits: () => findWaiting() !== undefined,
    async result() {
      const { run_id, status, new_messages, usage } = await run.result()
      const messages = new_messages ?? []
      const answer = messages.findLast(({ role, callerAgent }) => role === 'assistant' && callerAgent == null)
      const result = {
        run_id,
        cancelled: status === 'cancelled',
        response: answer === undefined ? '' : itemText(answer),
        new_messages: messages,
        ...(usage === null ? {} : { usage }),
      }
      onResult(result)
      return result
    },
    stop: (mode) => run.cancel({ mode }),
    async decide(reason, approve) {
      const waiting = findWaiting()
      if (waiting === undefined) return false
      const { approval_id } = waiting
      if (approve) await run.approve(approval_id)
      else await run.reject(approval_id, reason === undefined ? {} : { reason })
      decided.add(approval_id)
      return true
    },
  }
}
