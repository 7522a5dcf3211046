import { nobody, type RunEvent, type Speaker } from '../runs/events.ts'
import type { RunSummary } from '../runs/hub.ts'
import type { JsonObject } from '../wire/json.ts'
import { escapeLineEnds, frame, toJson } from '../wire/sse.ts'

/** How scalars below `data` are written: real JSON, or the original's strings ("None", "True", "3"). */
export type StreamScalars = 'json' | 'python'

const END = `event: end\n${frame('[DONE]')}`

/** The compatible dialect: run events as the frames of the Python original (docs/wire.md, "Stream"). */
export function createNativeDialect(scalars: StreamScalars) {
  const python = scalars === 'python'
  const tails = new WeakMap<Speaker, string>()
  /** `"agent":...,"callerAgent":...,"agent_run_id":...` without braces, made once per speaker. */
  const tailOf = (who: Speaker): string => {
    const known = tails.get(who)
    if (known !== undefined) return known
    const made = toJson(python ? asStrings(identity(who)) : identity(who)).slice(1, -1)
    tails.set(who, made)
    return made
  }

  const toFrame = (event: RunEvent): string => {
    if (event.kind === 'tripped') return frame(toJson({ error: event.content }))
    if (event.kind !== 'model') return frame(`{"data":${toJson(python ? asStrings(toData(event)) : toData(event))}}`)
    // The hot path: what the provider sent goes out as it came; all else is made once per speaker.
    const raw = escapeLineEnds(
      python ? JSON.stringify(asStrings(event.event)) : (event.text ?? JSON.stringify(event.event)),
    )
    return frame(`{"data":{"data":${raw},"type":"raw_response_event",${tailOf(event.who)}${references(event.event)}}}`)
  }

  return {
    /** The first frame. */
    open: (runId: string) => `event: meta\n${frame(toJson({ run_id: runId }))}`,
    /** All frames of one batch as one string: one write. */
    frames(events: readonly RunEvent[]): string {
      let out = ''
      for (const event of events) out += toFrame(event)
      return out
    },
    /** The whole answer to a request that never became a run. */
    refuse: (error: string) => `${frame(toJson({ error }))}${END}`,
    /** The last two frames. */
    end: (runId: string, summary: RunSummary) => `event: messages\n${frame(toJson(messagesOf(runId, summary)))}${END}`,
  }
}

/** What one event says: the content of a frame's outer `data`. */
export function toData(event: RunEvent): JsonObject {
  const { kind, who } = event
  switch (kind) {
    case 'model': {
      const { item_id, item } = event.event as { item_id?: unknown; item?: { call_id?: unknown; id?: unknown } }
      const call_id = item?.call_id ?? item?.id
      const root = item_id !== undefined ? { item_id } : call_id !== undefined ? { call_id } : {}
      return { data: event.event, type: 'raw_response_event', ...identity(who), ...root }
    }
    case 'agent':
      return { new_agent: view(who), type: 'agent_updated_stream_event', ...identity(who) }
    case 'item':
      return {
        name: event.name,
        item: itemOf(event),
        type: 'run_item_stream_event',
        ...identity(who),
        ...callIdOf(event),
      }
    case 'error': {
      if (!event.nested) return { type: 'error', content: event.content }
      const { agent_run_id: _, ...sender } = identity(who)
      return { type: 'error', content: event.content, ...sender }
    }
    case 'tripped':
      return { type: 'error', content: event.content }
    default:
      return kind satisfies never
  }
}

const messagesOf = (
  runId: string,
  { newMessages, cancelled, fileIdsMap, chatName, usage }: RunSummary,
): JsonObject => ({
  new_messages: newMessages,
  run_id: runId,
  cancelled,
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
  ...(usage === undefined ? {} : { usage }),
})

/** What get_response answers. */
export const toResponseBody = ({ finalOutput, newMessages, usage, fileIdsMap, chatName }: RunSummary): JsonObject => ({
  response: finalOutput ?? '',
  new_messages: newMessages,
  ...(usage === undefined ? {} : { usage }),
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
})

const view = (who: Speaker) => ({ name: who.agent, description: who.description })

const identity = (who: Speaker): JsonObject =>
  who === nobody
    ? {}
    : {
        agent: who.agent,
        callerAgent: who.callerAgent,
        agent_run_id: who.agentRunId,
        ...(who.parentRunId === undefined ? {} : { parent_run_id: who.parentRunId }),
      }

/** The root keys `item_id` and `call_id` of a raw event, as JSON to append. */
function references(event: { [key: string]: unknown }): string {
  if (typeof event.item_id === 'string') return `,"item_id":${toJson(event.item_id)}`
  const item = event.item as { call_id?: unknown; id?: unknown } | undefined
  const id = item?.call_id ?? item?.id
  return typeof id === 'string' ? `,"call_id":${toJson(id)}` : ''
}

const callIdOf = ({ name, raw }: RunEvent & { kind: 'item' }): JsonObject =>
  name === 'tool_called' || name === 'tool_output' ? { call_id: raw.call_id ?? raw.id } : {}

function itemOf({ type, raw, source, target }: RunEvent & { kind: 'item' }): JsonObject {
  const item: JsonObject = { agent: view(source), raw_item: raw, type }
  if (type === 'tool_call_output_item') item.output = raw.output
  if (target !== undefined) Object.assign(item, { source_agent: view(source), target_agent: view(target) })
  return item
}

/** Every scalar as the original writes it. */
function asStrings(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(asStrings)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asStrings(item)]))
}
