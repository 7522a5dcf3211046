/** The bodies of `/v1/responses`. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import { isObject } from './json.ts'
import { allowedMode, answerSchema, functionFields, modelName, optionalText, parseLong, stream } from './openai.ts'
import type { RequestRules } from './requests.ts'

const text = z.string()
/** Items are checked one by one when they are read. */
const item = z.looseObject({ type: optionalText, role: optionalText })
const format = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text') }),
  z.object({ type: z.literal('json_object') }),
  answerSchema.extend({ type: z.literal('json_schema') }),
])

export const responseRequestSchema = z
  .object({
    model: modelName,
    input: z.union([text, z.array(item).min(1)], { error: 'input has to be a text or a list of items' }),
    instructions: optionalText.describe('Added to the instructions, for this response only.'),
    stream,
    background: z.boolean().nullish().describe('Answer at once; the response goes on by itself. Default: false.'),
    store: z.boolean().nullish().describe('Keep the response. Default: true.'),
    previous_response_id: optionalText.describe('The response that this one continues.'),
    conversation: z
      .union([text, z.object({ id: text })])
      .nullish()
      .describe('The conversation that the server keeps; an unknown one begins.'),
    metadata: z
      .record(text.max(64), text.max(512))
      .refine((value) => Object.keys(value).length <= 16, 'metadata has at most 16 entries')
      .nullish(),
    tools: z
      .array(z.object({ type: z.literal('function'), ...functionFields }))
      .nullish()
      .describe('Functions that the client runs.'),
    tool_choice: z
      .union([
        z.enum(['none', 'auto', 'required']),
        z.object({ type: z.literal('function'), name: text }),
        z.object({
          type: z.literal('allowed_tools'),
          mode: allowedMode,
          tools: z.array(z.object({ type: z.literal('function'), name: text })),
        }),
      ])
      .nullish(),
    text: z.object({ format: format.nullish() }).nullish().describe('The form of the answer.'),
  })
  .meta({ id: 'ResponseRequest' })

/** A checked request. */
export type ResponseRequest = z.infer<typeof responseRequestSchema>
export type ResponseInputItem = z.infer<typeof item>

/** @throws RequestInvalid */
export const parseResponseRequest = (body: unknown, rules: RequestRules): ResponseRequest =>
  parseLong(responseRequestSchema, body, { list: 'input', rules })

/** Tools that OpenAI's own servers run. */
const HOSTED =
  /^(web_search(_preview)?(_\d{4}_\d{2}_\d{2})?|file_search|code_interpreter|image_generation|mcp|tool_search)$/
const isHosted = (tool: unknown): boolean => isObject(tool) && HOSTED.test(String(tool.type))

/** A body without the tools that only OpenAI runs, and without a choice of one. */
export function withoutHostedTools(body: unknown): unknown {
  if (!isObject(body) || !Array.isArray(body.tools)) return body
  const { tool_choice: choice, ...rest } = body
  const allowed = isObject(choice) && Array.isArray(choice.tools) ? choice.tools : undefined
  const kept =
    allowed === undefined ? choice : { ...(choice as object), tools: allowed.filter((tool) => !isHosted(tool)) }
  return {
    ...rest,
    tools: body.tools.filter((tool) => !isHosted(tool)),
    ...(choice === undefined || isHosted(choice) ? {} : { tool_choice: kept }),
  }
}

export const responseQuery = z.object({
  stream: z.enum(['true', 'false']).optional(),
  starting_after: z.coerce.number().int().min(0).optional(),
})

const STATUSES = ['queued', 'in_progress', 'completed', 'failed', 'cancelled', 'incomplete'] as const
export const openAiResponse = z
  .looseObject({
    id: text,
    object: z.literal('response'),
    created_at: z.int().describe('In seconds since 1970.'),
    status: z.enum(STATUSES),
    background: z.boolean(),
    model: text,
    output: z
      .array(z.looseObject({ id: text, type: text }))
      .describe(
        'Messages, reasoning, `mcp_call` for what the server ran, `function_call` for what the client has to run.',
      ),
    error: z.object({ code: text, message: text }).nullable(),
    incomplete_details: z.object({ reason: text }).nullable(),
    usage: z
      .object({
        input_tokens: z.int(),
        input_tokens_details: z.object({ cached_tokens: z.int(), cache_write_tokens: z.int() }),
        output_tokens: z.int(),
        output_tokens_details: z.object({ reasoning_tokens: z.int() }),
        total_tokens: z.int(),
      })
      .nullable()
      .describe('Of the whole run: every turn of every agent.'),
  })
  .meta({ id: 'OpenAiResponse' })
export type OpenAiResponse = z.infer<typeof openAiResponse>

export const responseDeleted = z
  .object({ id: text, object: z.literal('response'), deleted: z.literal(true) })
  .meta({ id: 'ResponseDeleted' })

const responseEvent = z.looseObject({ type: text, sequence_number: z.int() }).meta({ id: 'ResponseEvent' })
export const responseFrame = z.object({ event: text, data: jsonOf(responseEvent) }).meta({ id: 'ResponseFrame' })
export const responseSchemas: readonly z.ZodType[] = [
  responseRequestSchema,
  openAiResponse,
  responseDeleted,
  responseFrame,
  responseEvent,
]
