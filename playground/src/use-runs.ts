/** Starts and stops runs. */
import { type CancelMode, type Client, ClientError, type RequestBody } from 'agency-swarm-js/client'
import { type Dispatch, useCallback, useRef } from 'react'
import type { BookAction } from './conversation/book.ts'
import { type Conversation, historyOf, type Input, recipientOf } from './conversation/conversation.ts'
import { newId } from './new-id.ts'
import { type Settings, settingsBody } from './request/settings.ts'
import { describeFailure } from './run/failure.ts'
import { type LiveRun, startRun } from './run/follow.ts'

interface Running {
  client: Client
  dispatch: Dispatch<BookAction>
  /** Called when the server refuses the token. */
  onLocked: () => void
}

/** Starts and stops runs. Runs continue when another conversation is opened. */
export function useRuns({ client, dispatch, onLocked }: Running) {
  const live = useRef(new Map<string, LiveRun>())

  const ask = useCallback(
    (conversation: Conversation, agents: readonly string[], input: Input, settings: Settings) => {
      const { id, agency } = conversation
      const turnId = newId()
      const request = toRequest(conversation, agents, input, settings)
      dispatch({ type: 'talk', id, action: { type: 'ask', turnId, input, at: Date.now() } })
      dispatch({ type: 'record', turnId, agency, request })
      const run = startRun(client.agency(agency), request, {
        onFrames: (frames) => dispatch({ type: 'frames', turnId, frames }),
        onEvents: (events) => {
          dispatch({ type: 'talk', id, action: { type: 'events', turnId, events } })
          if (events.at(-1)?.event.kind === 'end') live.current.delete(turnId)
        },
        onFailure: (error) => {
          live.current.delete(turnId)
          dispatch({
            type: 'talk',
            id,
            action: { type: 'fail', turnId, failure: describeFailure(error), at: Date.now() },
          })
          if (error instanceof ClientError && error.kind === 'unauthorized') onLocked()
        },
      })
      live.current.set(turnId, run)
    },
    [client, dispatch, onLocked],
  )

  const stop = useCallback(
    async (id: string, turnId: string, mode: CancelMode) => {
      dispatch({ type: 'talk', id, action: { type: 'stop', turnId, mode } })
      const stopped = await live.current.get(turnId)?.stop(mode)
      if (stopped === false) dispatch({ type: 'talk', id, action: { type: 'stop', turnId, mode: undefined } })
    },
    [dispatch],
  )
  return { ask, stop }
}

function toRequest(
  conversation: Conversation,
  agents: readonly string[],
  { message, fileUrls }: Input,
  settings: Settings,
): RequestBody {
  const history = historyOf(conversation)
  const recipient = recipientOf(conversation, agents)
  const { generate_chat_name, ...body } = settingsBody(settings)
  return {
    message,
    ...(recipient === undefined ? {} : { recipient_agent: recipient }),
    ...(Object.keys(fileUrls).length === 0 ? {} : { file_urls: { ...fileUrls } }),
    ...body,
    ...(generate_chat_name && conversation.turns.length === 0 ? { generate_chat_name } : {}),
    ...(history.length === 0 ? {} : { chat_history: history }),
  }
}
