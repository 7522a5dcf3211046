/** Writes run events as the frames of the Python original (docs/wire.md, "Stream"). */
import type { ResponseEvent } from '../../models/model.ts'
import type { RunEvent, RunProgress, RunSummary, Speaker, ToolFacts } from '../../runs/events.ts'
import type { RunItem, SpeakerFields, StreamEvent, StreamSummary } from '../../wire/events.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem, ModelEvent } from '../../wire/message.ts'
import type { AgencyResponse } from '../../wire/responses.ts'
import { type FrameText, frame, joinFrames, jsonFrame, mapFrames, toJson, valueFrame } from '../../wire/sse.ts'
import type { FrameWriter } from '../dialect.ts'

/** How scalars inside `data` are written: as JSON, or as the original's strings ("None", "True", "3"). */
export type StreamScalars = 'json' | 'python'

/** The last frame of every stream. */
export const END = `event: end\n${frame('[DONE]')}`

/** Creates a writer. It has no state of a single stream, so one writer serves all of them. */
export function createNativeWriter(scalars: StreamScalars): FrameWriter {
  const python = scalars === 'python'
  const tails = new WeakMap<Speaker, string>()
  /** `"agent":...,"callerAgent":...,"agent_run_id":...` without braces; built once per speaker. */
  const buildTail = (who: Speaker): string => {
    const cached = tails.get(who)
    if (cached !== undefined) return cached
    const tail = toJson(python ? toStrings(identity(who)) : identity(who)).slice(1, -1)
    tails.set(who, tail)
    return tail
  }

  const toFrame = (event: RunEvent): FrameText => {
    switch (event.kind) {
      case 'model': {
        // Hot path: the provider's text is sent unchanged; the rest is built once per speaker.
        const raw = python ? JSON.stringify(toStrings(event.event)) : (event.text ?? JSON.stringify(event.event))
        const tail = `,"type":"raw_response_event",${buildTail(event.who)}${writeReferences(event.event)}}}`
        return jsonFrame('{"data":{"data":', raw, tail)
      }
      case 'started':
        return `event: meta\n${frame(toJson({ run_id: event.runId }))}`
      case 'ended':
        return joinFrames(['event: messages\n', valueFrame(toSummary(event.runId, event.summary)), END])
      case 'tripped':
        return valueFrame({ error: event.content })
      default:
        return valueFrame({ data: python ? toStrings(toData(event)) : toData(event) })
    }
  }

  return { frames: ({ events }) => mapFrames(events, toFrame) }
}

/** The content of an event's frame: its outer `data`. */
export function toData(event: RunProgress): StreamEvent {
  switch (event.kind) {
    case 'model':
      return {
        data: event.event as ModelEvent,
        type: 'raw_response_event',
        ...toSpeakerFields(event.who),
        ...readReferences(event.event),
      }
    case 'agent':
      return { new_agent: view(event.who), type: 'agent_updated_stream_event', ...toSpeakerFields(event.who) }
    case 'item':
      return {
        name: event.name,
        item: toRunItem(event),
        type: 'run_item_stream_event',
        ...(event.anonymous ? {} : identity(event.who)),
        ...(event.name === 'tool_called' || event.name === 'tool_output' ? readCallId(event.raw) : {}),
      }
    case 'custom':
      return {
        type: 'custom',
        name: event.name,
        value: event.value,
        ...toSpeakerFields(event.who),
        call_id: event.callId,
      }
    case 'error':
      return { type: 'error', content: event.content, ...(event.who === undefined ? {} : identity(event.who)) }
    case 'tripped':
      return { type: 'error', content: event.content }
    default:
      return event satisfies never
  }
}

const toSummary = (
  runId: string,
  { newMessages, cut, cancelled, fileIdsMap, chatName, usage }: RunSummary,
): StreamSummary => ({
  new_messages: newMessages,
  run_id: runId,
  cancelled,
  ...toIncomplete(cut),
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
  ...(usage === undefined ? {} : { usage }),
})

/** The field for an answer that was cut off, the same in both endpoints. */
const toIncomplete = (cut: string | undefined) => (cut === undefined ? {} : { incomplete_details: { reason: cut } })

/** The body of a `get_response` answer. */
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
  ...toIncomplete(cut),
  ...(usage === undefined ? {} : { usage }),
  ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
  ...(chatName === undefined ? {} : { chat_name: chatName }),
})

const view = (who: Speaker) => ({ name: who.agent, description: who.description })

const toSpeakerFields = (who: Speaker): SpeakerFields => ({
  agent: who.agent,
  callerAgent: who.callerAgent,
  agent_run_id: who.agentRunId,
  ...(who.parentRunId === undefined ? {} : { parent_run_id: who.parentRunId }),
})

/** Without the run id of an agent that did not start to work. */
function identity(who: Speaker): Partial<SpeakerFields> {
  const { agent_run_id, ...rest } = toSpeakerFields(who)
  return agent_run_id === '' ? rest : toSpeakerFields(who)
}

/** The keys `item_id` or `call_id` of a raw event's frame, as JSON to append. */
function writeReferences(event: ResponseEvent): string {
  if (typeof event.item_id === 'string') return `,"item_id":${toJson(event.item_id)}`
  const { call_id } = readReferences(event)
  return call_id === undefined ? '' : `,"call_id":${toJson(call_id)}`
}

/** The keys `item_id` or `call_id` of a raw event's frame. */
function readReferences(event: ResponseEvent): { item_id?: string; call_id?: string } {
  const { item_id, item } = event as { item_id?: unknown; item?: unknown }
  return typeof item_id === 'string' ? { item_id } : isObject(item) ? readCallId(item) : {}
}

function readCallId({ call_id, id }: InputItem): { call_id?: string } {
  const value = call_id ?? id
  return typeof value === 'string' ? { call_id: value } : {}
}

function toRunItem({ type, raw, source, target, tool, output }: RunProgress & { kind: 'item' }): RunItem {
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

/** `type` is empty because the original serializes its enumeration of tool types as an empty object. */
const toOrigin = (tool: ToolFacts | undefined): RunItem['tool_origin'] =>
  tool?.origin === undefined
    ? null
    : { type: {}, mcp_server_name: tool.origin.mcpServer, agent_name: null, agent_tool_name: null }

/** Writes every scalar as the original does. */
function toStrings(value: unknown): unknown {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return 'None'
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value)) return value.map(toStrings)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toStrings(item)]))
}
