/** Events of the native stream: their schemas and types. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import { type InputItem, type ModelEvent, outcome, storedMessage } from './message.ts'

/** The agent that an event belongs to. */
const speaker = {
  agent: z.string(),
  callerAgent: z.string().nullable().describe('The agent that called it; null in the thread of the user.'),
  agent_run_id: z.string(),
  parent_run_id: z.string().exactOptional().describe("For a sub-agent: the call id of its sender's send_message."),
}
export type SpeakerFields = z.infer<z.ZodObject<typeof speaker>>
const maybeSpeaker = z.object(speaker).partial().shape

const agentView = z.object({ name: z.string(), description: z.string() }).meta({ id: 'AgentView' })
const toolOrigin = z
  .object({
    type: z.object({}).describe('Always empty.'),
    mcp_server_name: z.string().nullable(),
    agent_name: z.string().nullable(),
    agent_tool_name: z.string().nullable(),
  })
  .meta({ id: 'ToolOrigin' })
type ToolOrigin = z.infer<typeof toolOrigin>
/** The string "None" on servers that write scalars as strings. */
const maybeToolOrigin = z.union([toolOrigin, z.string().nullable()]) as z.ZodType<ToolOrigin | null>
const runItem = z
  .object({
    type: z.string().describe('For example tool_call_item.'),
    agent: agentView,
    raw_item: (z.record(z.string(), z.unknown()) as unknown as z.ZodType<InputItem>).describe('The Responses item.'),
    description: z.string().nullable().exactOptional().describe("For a call: the tool's description."),
    title: z.string().nullable().exactOptional().describe('For a call: the title that an MCP server gives its tool.'),
    tool_origin: maybeToolOrigin
      .exactOptional()
      .describe('For a call and its output; null for transfers and hosted tools.'),
    output: z
      .unknown()
      .exactOptional()
      .describe(
        'The value that the tool returned: any JSON; texts, images and files are objects of the type text, image or file.',
      ),
    custom_data: z.string().nullable().exactOptional().describe('For an output; always null.'),
    source_agent: agentView.exactOptional(),
    target_agent: agentView.exactOptional(),
  })
  .meta({ id: 'RunItem' })
export type RunItem = z.infer<typeof runItem>

const rawResponseEvent = z
  .object({
    type: z.literal('raw_response_event'),
    data: (z.looseObject({ type: z.string() }) as unknown as z.ZodType<ModelEvent>).describe(
      "The provider's Responses stream event. When its type is response.output_text.delta, delta is text.",
    ),
    ...speaker,
    item_id: z.string().exactOptional(),
    call_id: z.string().exactOptional(),
  })
  .meta({ id: 'RawResponseEvent', description: 'An event of the model, such as a piece of text.' })
const agentUpdatedEvent = z
  .object({ type: z.literal('agent_updated_stream_event'), new_agent: agentView, ...speaker })
  .meta({ id: 'AgentUpdatedEvent', description: 'An agent starts.' })
const runItemEvent = z
  .object({
    type: z.literal('run_item_stream_event'),
    name: z.enum([
      'reasoning_item_created',
      'tool_called',
      'message_output_created',
      'tool_output',
      'handoff_requested',
      'handoff_occured',
      'tool_search_called',
      'tool_search_output_created',
      'mcp_list_tools',
      'mcp_approval_requested',
    ]),
    item: runItem,
    ...maybeSpeaker,
    call_id: z.string().exactOptional(),
  })
  .meta({
    id: 'RunItemEvent',
    description:
      'A complete item: a message, a call, its output, a handoff. Guidance of an input guardrail belongs to no agent.',
  })
const customEvent = z
  .object({
    type: z.literal('custom'),
    name: z.string().describe('What it is; the tool decides.'),
    value: z.unknown().describe('Any JSON.'),
    ...speaker,
    call_id: z.string().describe('The call of the tool.'),
  })
  .meta({ id: 'CustomEvent', description: 'What a tool tells while it works, such as its progress.' })
const errorEvent = z
  .object({ type: z.literal('error'), content: z.string(), ...maybeSpeaker })
  .meta({ id: 'ErrorEvent', description: 'A run failed. After a failure of a sub-agent, its sender continues.' })

/** The events of agents, discriminated by `type`. */
const streamEvent = z
  .discriminatedUnion('type', [rawResponseEvent, agentUpdatedEvent, runItemEvent, customEvent, errorEvent])
  .meta({ id: 'StreamEvent' })
/** An event of an agent in a stream: the outer `data` of a frame, discriminated by `type`. */
export type StreamEvent = z.infer<typeof streamEvent>

const streamSummary = z
  .object({
    new_messages: z.array(storedMessage).describe('Append them to chat_history for the next request.'),
    run_id: z.string(),
    cancelled: z.boolean(),
    ...outcome,
  })
  .meta({ id: 'StreamSummary', description: 'The result of a run, also after an error or a cancel.' })
export type StreamSummary = z.infer<typeof streamSummary>

const streamStart = z.object({ run_id: z.string().describe('For cancel_response_stream.') }).meta({ id: 'StreamStart' })
const streamData = z
  .xor([
    z.object({ data: streamEvent }).meta({ id: 'EventData' }),
    z
      .object({ error: z.string() })
      .meta({ id: 'ErrorData', description: 'A guardrail ended the run, or files could not be attached.' }),
  ])
  .meta({ id: 'StreamData' })
export type StreamStart = z.infer<typeof streamStart>
export type StreamData = z.infer<typeof streamData>

/** The frames that every stream of a run has. */
export const commonFrames = [
  z
    .object({ event: z.literal('meta'), data: jsonOf(streamStart) })
    .meta({ id: 'MetaFrame', description: 'The first frame.' }),
  z.object({ event: z.literal('message'), data: jsonOf(streamData) }).meta({
    id: 'DataFrame',
    description: 'An event of an agent. The event name is not sent; "message" is the default of the format.',
  }),
  z
    .object({ event: z.literal('messages'), data: jsonOf(streamSummary) })
    .meta({ id: 'MessagesFrame', description: 'The new messages and the result.' }),
  z
    .object({ event: z.literal('end'), data: z.literal('[DONE]') })
    .meta({ id: 'EndFrame', description: 'The last frame.' }),
] as const

/** A server-sent event of a stream. */
const streamFrame = z.discriminatedUnion('event', commonFrames).meta({ id: 'StreamFrame' })
export type StreamFrame = z.infer<typeof streamFrame>

/** A frame, and the contents of its data. */
export const streamSchemas: readonly z.ZodType[] = [streamFrame, streamStart, streamData, streamSummary]
