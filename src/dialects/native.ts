import type { ResponseEvent } from '../models/model.ts'
import { nobody, type RunEvent, type Speaker, type ToolFacts } from '../runs/events.ts'
import type { RunSummary } from '../runs/hub.ts'
import type { RunItem, SpeakerFields, StreamEvent, StreamSummary } from '../wire/events.ts'
import { isObject } from '../wire/json.ts'
import type { InputItem, ModelEvent } from '../wire/message.ts'
import type { AgencyResponse } from '../wire/responses.ts'
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
export function toData(event: RunEvent): StreamEvent {
  const { kind, who } = event
  switch (kind) {
    case 'model':
      return {
        data: event.event as ModelEvent,
        type: 'raw_response_event',
        ...speakerOf(who),
        ...referencesOf(event.event),
      }
    case 'agent':
      return { new_agent: view(who), type: 'agent_updated_stream_event', ...speakerOf(who) }
    case 'item':
      return {
        name: event.name,
        item: itemOf(event),
        type: 'run_item_stream_event',
        ...identity(who),
        ...(event.name === 'tool_called' || event.name === 'tool_output' ? callIdOf(event.raw) : {}),
      }
    case 'error': {
      return { type: 'error', content: event.content, ...(event.nested ? identity(who) : {}) }
    }
    case 'tripped':
      return { type: 'error', content: event.content }
    default:
      return kind satisfies never
  }
}

const messagesOf = (
  runId: string,
  { newMessages, cut, cancelled, fileIdsMap, chatName, usage }: RunSummary,
): StreamSummary => ({
  new_messages: newMessages,
  run_id: runId,
  cancelled,
  ...incompleteOf(cut),
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
  ...(usage === undefined ? {} : { usage }),
})

/** How both endpoints tell of an answer that was cut off. */
const incompleteOf = (cut: string | undefined) => (cut === undefined ? {} : { incomplete_details: { reason: cut } })

/** What get_response answers. */
export const toResponseBody = ({
  finalOutput,
  newMessages,
  cut,
  usage,
  fileIdsMap,
  chatName,
}: RunSummary): AgencyResponse => ({
  response: finalOutput ?? '',
  new_messages: newMessages,
  ...incompleteOf(cut),
  ...(usage === undefined ? {} : { usage }),
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
})

const view = (who: Speaker) => ({ name: who.agent, description: who.description })

const speakerOf = (who: Speaker): SpeakerFields => ({
  agent: who.agent,
  callerAgent: who.callerAgent,
  agent_run_id: who.agentRunId,
  ...(who.parentRunId === undefined ? {} : { parent_run_id: who.parentRunId }),
})
function identity(who: Speaker): Partial<SpeakerFields> {
  if (who === nobody) return {}
  const { agent_run_id, ...rest } = speakerOf(who)
  return agent_run_id === '' ? rest : speakerOf(who)
}

/** The root keys of a raw event as JSON to append: for most of them an `item_id`. */
function references(event: ResponseEvent): string {
  if (typeof event.item_id === 'string') return `,"item_id":${toJson(event.item_id)}`
  const { call_id } = referencesOf(event)
  return call_id === undefined ? '' : `,"call_id":${toJson(call_id)}`
}

/** The root keys `item_id` and `call_id` of a raw event. */
function referencesOf(event: ResponseEvent): { item_id?: string; call_id?: string } {
  const { item_id, item } = event as { item_id?: unknown; item?: unknown }
  return typeof item_id === 'string' ? { item_id } : isObject(item) ? callIdOf(item) : {}
}

function callIdOf({ call_id, id }: InputItem): { call_id?: string } {
  const known = call_id ?? id
  return typeof known === 'string' ? { call_id: known } : {}
}

function itemOf({ type, raw, source, target, tool, output }: RunEvent & { kind: 'item' }): RunItem {
  const item: RunItem = { agent: view(source), raw_item: raw, type }
  if (type === 'tool_call_item')
    Object.assign(item, {
      description: tool?.description ?? null,
      title: tool?.title ?? null,
      tool_origin: toOrigin(tool),
    })
  if (type === 'tool_call_output_item') Object.assign(item, { output, tool_origin: toOrigin(tool), custom_data: null })
  if (target !== undefined) Object.assign(item, { source_agent: view(source), target_agent: view(target) })
  return item
}

/** The original writes its kind of tool, an enumeration, as an empty object. */
const toOrigin = (tool: ToolFacts | undefined): RunItem['tool_origin'] =>
  tool?.origin === undefined
    ? null
    : { type: {}, mcp_server_name: tool.origin.mcpServer, agent_name: null, agent_tool_name: null }

/** Every scalar as the original writes it. */
function asStrings(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(asStrings)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, asStrings(item)]))
}
