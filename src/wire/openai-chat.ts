/** The bodies of `/v1/chat/completions`. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import {
  allowedMode,
  answerSchema,
  functionFields,
  modelName,
  openAiError,
  optionalText,
  parseLong,
  stream,
} from './openai.ts'
import type { RequestRules } from './requests.ts'

const text = z.string()
const textPart = z.object({ type: z.literal('text'), text })
const part = z.discriminatedUnion('type', [
  textPart,
  z.object({
    type: z.literal('image_url'),
    image_url: z.union([text, z.object({ url: text, detail: z.enum(['auto', 'low', 'high', 'original']).nullish() })]),
  }),
  z.object({
    type: z.literal('file'),
    file: z
      .object({ file_id: optionalText, file_data: optionalText, filename: optionalText })
      .refine(({ file_id, file_data }) => Boolean(file_id || file_data), 'a file needs a file_id or file_data'),
  }),
  z.object({ type: z.literal('input_audio'), input_audio: z.object({ data: text, format: text }) }),
])
const texts = z.union([text, z.array(textPart)], { error: 'content has to be a text or a list of text parts' })
const call = z.object({
  id: text,
  type: z.literal('function').default('function'),
  function: z.object({ name: text, arguments: z.union([text, z.record(text, z.unknown())]) }),
})
const message = z
  .discriminatedUnion('role', [
    z.object({ role: z.enum(['system', 'developer']), content: texts }),
    z.object({
      role: z.literal('user'),
      content: z.union([text, z.array(part)], { error: 'content has to be a text or a list of parts' }),
    }),
    z.object({
      role: z.literal('assistant'),
      content: z
        .union([
          text,
          z
            .array(z.looseObject({ type: text, text: optionalText, refusal: optionalText }))
            .describe('Parts without a text, such as thinking, are left out.'),
        ])
        .nullish(),
      refusal: optionalText,
      tool_calls: z.array(call).nullish(),
    }),
    z.object({ role: z.literal('tool'), tool_call_id: text, content: z.union([text, z.array(part)]).nullish() }),
  ])
  .meta({ id: 'ChatMessage' })

const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  z.object({ type: z.literal('json_schema'), json_schema: answerSchema }),
])

export const chatRequestSchema = z
  .object({
    model: modelName,
    messages: z
      .array(message)
      .min(1)
      .describe(
        'The conversation; the last message is the one to answer. `system` and `developer` add to the instructions.',
      ),
    stream,
    stream_options: z
      .object({ include_usage: z.boolean().nullish().describe('One more chunk with the usage of the whole run.') })
      .nullish(),
    tools: z
      .array(z.object({ type: z.literal('function'), function: z.object(functionFields) }))
      .nullish()
      .describe(
        'Functions that the client runs: a call of one ends the run, and its output comes with the next request.',
      ),
    tool_choice: z
      .union([
        z.enum(['none', 'auto', 'required']),
        z.object({ type: z.literal('function'), function: z.object({ name: text }) }),
        z.object({
          type: z.literal('allowed_tools'),
          allowed_tools: z.object({
            mode: allowedMode,
            tools: z.array(z.object({ type: z.literal('function'), function: z.object({ name: text }) })),
          }),
        }),
      ])
      .nullish(),
    response_format: format.nullish().describe('The form of the answer.'),
    n: z
      .int()
      .refine((n) => n === 1, 'one answer is given per request')
      .nullish(),
    modalities: z.array(z.literal('text', { error: 'answers are texts' })).nullish(),
    functions: z.null({ error: 'use tools' }).optional(),
  })
  .meta({ id: 'ChatCompletionRequest' })

/** A checked request. */
export type ChatRequest = z.infer<typeof chatRequestSchema>
export type ChatMessage = ChatRequest['messages'][number]
export type ChatPart = z.infer<typeof part>

/** @throws RequestInvalid */
export const parseChatRequest = (body: unknown, rules: RequestRules): ChatRequest =>
  parseLong(chatRequestSchema, body, { list: 'messages', rules })

export const chatUsage = z
  .object({
    prompt_tokens: z.int(),
    completion_tokens: z.int(),
    total_tokens: z.int(),
    prompt_tokens_details: z.object({ cached_tokens: z.int() }),
    completion_tokens_details: z.object({ reasoning_tokens: z.int() }),
  })
  .meta({ id: 'ChatUsage', description: 'The usage of the whole run: every turn of every agent.' })
export type ChatUsage = z.infer<typeof chatUsage>

const toolCall = z.object({
  id: text,
  type: z.literal('function'),
  function: z.object({ name: text, arguments: text }),
})
export type ChatToolCall = z.infer<typeof toolCall>
const finishReason = z.enum(['stop', 'length', 'tool_calls', 'content_filter'])
export type FinishReason = z.infer<typeof finishReason>

export const chatCompletion = z
  .object({
    id: text,
    object: z.literal('chat.completion'),
    created: z.int(),
    model: text,
    choices: z.array(
      z.object({
        index: z.int(),
        message: z.object({
          role: z.literal('assistant'),
          content: text.nullable(),
          refusal: text.nullable(),
          tool_calls: z.array(toolCall).exactOptional(),
        }),
        logprobs: z.null(),
        finish_reason: finishReason,
      }),
    ),
    usage: chatUsage.exactOptional(),
  })
  .meta({ id: 'ChatCompletion' })
export type ChatCompletion = z.infer<typeof chatCompletion>

export const chatChunk = z
  .object({
    id: text,
    object: z.literal('chat.completion.chunk'),
    created: z.int(),
    model: text,
    choices: z.array(
      z.object({
        index: z.int(),
        delta: z.object({
          role: z.literal('assistant').exactOptional(),
          content: text.exactOptional(),
          reasoning_content: text
            .exactOptional()
            .describe("The model's reasoning, and what sub-agents and tools do. Never part of the answer."),
          tool_calls: z.array(z.unknown()).exactOptional(),
        }),
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: chatUsage.nullable().exactOptional(),
  })
  .meta({ id: 'ChatCompletionChunk' })

/** A server-sent event. */
export const chatFrame = z
  .object({
    event: z.literal('message').describe('The default; it is not sent.'),
    data: z.union([z.literal('[DONE]'), jsonOf(chatChunk), jsonOf(openAiError)]),
  })
  .meta({ id: 'ChatFrame' })
