/** What a stored run keeps of its AG-UI request, so that its frames are the same for every reader. */
import type { AguiEvents, AguiRequest } from '../../wire/agui.ts'

export interface AguiEcho {
  runId: string
  parentRunId: string | undefined
  modern: boolean
  rawEvents: boolean
  events: AguiEvents
  /** The client's id of the message that the run answers. */
  messageId: string | undefined
}

/** The field of a stored run's metadata that has the echo. */
const KEY = 'agui'

export function toMetadata(request: AguiRequest): { [key: string]: string } {
  const { runId, parentRunId, modern, rawEvents, events } = request
  const echo: AguiEcho = { runId, parentRunId, modern, rawEvents, events, messageId: answeredIdOf(request) }
  return { [KEY]: JSON.stringify(echo) }
}

/** Undefined for a run that another protocol has started. */
export function readEcho({ [KEY]: echo }: { [key: string]: string }): AguiEcho | undefined {
  return echo === undefined ? undefined : JSON.parse(echo)
}

/** The id of the user's message that comes last; undefined where the last message is another. */
export function answeredIdOf({ messages }: Pick<AguiRequest, 'messages'>): string | undefined {
  const last = messages.at(-1)
  return last?.role === 'user' ? last.id : undefined
}
