/** Events of AG-UI: their schemas and types. */
import { z } from 'zod'
import { aguiMessage, aguiPart } from './agui.ts'
import { jsonOf } from './components.ts'

const text = z.string()
const optional = text.optional()
const json = z.record(z.string(), z.unknown())
const tokenUsage = z
  .object({
    inputTokens: z.int(),
    outputTokens: z.int(),
    totalTokens: z.int(),
    cachedInputTokens: z.int(),
    cacheWriteInputTokens: z.int(),
    reasoningTokens: z.int().optional(),
  })
  .meta({ id: 'AguiTokenUsage' })
export type AguiTokenUsage = z.infer<typeof tokenUsage>

/** A call that waits for a person. */
const interrupt = z
  .object({
    id: text.describe('The id of the approval.'),
    reason: z.literal('tool_call'),
    message: text,
    toolCallId: text,
    subagentRunId: optional.describe('The invocation of the sub-agent whose call it is.'),
    responseSchema: json.describe('The payload that answers it.'),
    expiresAt: text,
    metadata: json,
  })
  .meta({ id: 'AguiInterrupt' })
export type AguiInterrupt = z.infer<typeof interrupt>

const changed = z.object({ op: z.enum(['add', 'replace']), path: text, value: z.unknown() })
const removed = z.object({ op: z.literal('remove'), path: text })

const attributed = {
  subagentRunId: optional.describe('The invocation of the sub-agent; absent for the entry agent.'),
  metadata: json.optional().describe('The agent and its caller, with the field names of stored messages.'),
}
/** TEXT_MESSAGE_START -> AguiTextMessageStart */
const componentName = (type: string) =>
  `Agui${type.toLowerCase().replace(/(?:^|_)(.)/g, (_, letter) => letter.toUpperCase())}`
const event = <Type extends string, Shape extends z.ZodRawShape>(type: Type, shape: Shape) =>
  z.object({ type: z.literal(type), ...shape }).meta({ id: componentName(type) })

const aguiEvent = z
  .discriminatedUnion('type', [
    event('RUN_STARTED', { threadId: text, runId: text, parentRunId: optional, protocolVersion: text }),
    event('RUN_FINISHED', {
      threadId: text,
      runId: text,
      outcome: z.union([
        z.object({
          type: z.enum(['success', 'cancelled']),
          pendingToolCallIds: z
            .array(text)
            .optional()
            .describe('Calls that the client runs: the next request has their results.'),
        }),
        z.object({ type: z.literal('interrupt'), interrupts: z.array(interrupt) }),
      ]),
      usage: z.array(tokenUsage).optional(),
      metadata: json.optional(),
    }),
    event('RUN_ERROR', { message: text, code: optional, usage: z.array(tokenUsage).optional() }),
    event('TEXT_MESSAGE_START', { messageId: text, role: z.literal('assistant'), name: optional, ...attributed }),
    event('TEXT_MESSAGE_CONTENT', { messageId: text, delta: text, ...attributed }),
    event('TEXT_MESSAGE_END', { messageId: text, ...attributed }),
    event('TOOL_CALL_START', { toolCallId: text, toolCallName: text, parentMessageId: text, ...attributed }),
    event('TOOL_CALL_ARGS', { toolCallId: text, delta: text, ...attributed }),
    event('TOOL_CALL_END', { toolCallId: text, ...attributed }),
    event('TOOL_CALL_RESULT', {
      messageId: text,
      toolCallId: text,
      content: z.union([text, z.array(aguiPart)]),
      role: z.literal('tool'),
      ...attributed,
    }),
    event('REASONING_START', { messageId: text, ...attributed }),
    event('REASONING_MESSAGE_START', { messageId: text, role: z.literal('reasoning'), ...attributed }),
    event('REASONING_MESSAGE_CONTENT', { messageId: text, delta: text, ...attributed }),
    event('REASONING_MESSAGE_END', { messageId: text, ...attributed }),
    event('REASONING_END', { messageId: text, ...attributed }),
    event('STATE_SNAPSHOT', { snapshot: z.unknown() }),
    event('STATE_DELTA', { delta: z.array(z.union([changed, removed])).describe('A JSON Patch (RFC 6902).') }),
    event('MESSAGES_SNAPSHOT', { messages: z.array(aguiMessage) }),
    event('CUSTOM', {
      name: text.describe(
        'annotated_output for a text with annotations; any other name is that of an event of a tool.',
      ),
      value: z.unknown(),
      ...attributed,
    }),
    event('RAW', { event: json, ...attributed }),
    event('SUBAGENT_STARTED', {
      subagentRunId: text,
      name: text,
      description: optional,
      parentSubagentRunId: optional,
      parentToolCallId: optional,
      parentMessageId: optional,
    }),
    event('SUBAGENT_FINISHED', {
      subagentRunId: text,
      outcome: z.object({ type: z.literal('suspended'), interruptIds: z.array(text) }).optional(),
    }),
    event('SUBAGENT_ERROR', { subagentRunId: text, message: text }),
  ])
  .meta({ id: 'AguiEvent' })
/** An event as it is sent. Fields that are undefined are left out. */
export type AguiEvent = z.infer<typeof aguiEvent>

/** A server-sent event, and the content of its data. */
export const aguiStreamSchemas: readonly z.ZodType[] = [
  z
    .object({ event: z.literal('message').describe('The default; it is not sent.'), data: jsonOf(aguiEvent) })
    .meta({ id: 'AguiFrame' }),
  aguiEvent,
]
