/** The bodies of requests: their schemas, and functions that parse them. */
import { z } from 'zod'
import { type ClientConfigField, checkAllowed, checkClientConfig, clientConfig } from './client-config.ts'
import { isObject, type JsonObject, type JsonSchema } from './json.ts'
import type { InputItem, StoredMessage } from './message.ts'
import {
  checkCounts,
  checkFiles,
  checkHistory,
  checkMessage,
  checkRecipient,
  compareDetails,
} from './request-checks.ts'
import { redactSecrets, withoutSecrets } from './request-secrets.ts'
import { flag, text } from './scalars.ts'
import { detailsFromZod, missing, noObject, RequestInvalid, type ValidationDetail } from './validation.ts'

export type { ClientConfig } from './client-config.ts'
export { secretsOf } from './request-secrets.ts'
export { RequestInvalid } from './validation.ts'

const fields = z.object({
  recipient_agent: text.describe(
    'The agent to address. Default: the agent that had the conversation last, else the entry agent.',
  ),
  additional_instructions: text.describe('Added to the instructions for this request only.'),
  user_context: z
    .record(z.string(), z.unknown())
    .nullish()
    .describe("Merged over the agency's context. Tools see it, the model does not."),
  generate_chat_name: flag.describe('Let a model name the conversation after the run.'),
  client_config: clientConfig.nullish(),
})
export const cancelRequest = z
  .object({
    run_id: z.string().describe('From the meta event of the stream.'),
    cancel_mode: z
      .enum(['immediate', 'after_turn'])
      .nullish()
      .describe('Stop at once (default), or after the current turn and its tools.'),
  })
  .meta({ id: 'CancelRequest' })
/** The bound is documented, not checked here: an empty id is answered with 400, not 422, as in the original. */
const logId = z.string().meta({ description: 'The value of the x-agency-log-id header.', minLength: 1 })
export const logRequest = z.object({ log_id: logId }).meta({ id: 'LogRequest' })
const item = z.record(z.string(), z.unknown())
/** The documented body. Its long fields are checked by hand (request-checks.ts), without copies. */
export const agencyRequestSchema = z
  .object({
    message: z.union([z.string(), z.array(item).min(1)]).describe('A text, or Responses input items.'),
    chat_history: z.array(item).nullish().describe('All earlier new_messages, in their order.'),
    file_ids: z
      .array(z.string())
      .nullish()
      .describe('Ids of files at the provider, which are attached to the message.'),
    file_urls: z
      .record(z.string(), z.string())
      .nullish()
      .describe(
        'File name -> http(s) address or path on the server. Each file is fetched, stored and attached to the message.',
      ),
  })
  .extend(fields.shape)
  .meta({ id: 'ModifiedRequest' })

/** Bounds that the operator sets for requests. */
export interface RequestRules {
  /** Most items of `message` and of `chat_history`. */
  historyItems: number
  /** Fields of `client_config` that callers may set. */
  clientConfig: readonly ClientConfigField[]
}
export type CancelRequest = z.infer<typeof cancelRequest>
/** The body as a caller writes it. The parsed form is `AgencyRequest`. */
export type AgencyRequestBody = z.infer<typeof agencyRequestSchema>
/** The fields of a request beside its message, the same in every protocol. */
export type RequestFields = z.infer<typeof fields> & {
  chat_history: StoredMessage[]
  file_ids: string[] | null | undefined
  file_urls: { [name: string]: string } | null | undefined
}
export type AgencyRequest = RequestFields & {
  message: string | InputItem[]
  /** Set by protocols whose clients bring tools or a schema; get_response has no field for it. */
  client?: ClientOffer | undefined
}

/** A function that the client of a request runs itself. */
export interface ClientTool {
  type: 'function'
  name: string
  description: string
  parameters: JsonSchema
  strict: boolean
}

/** What a request adds to the conversation with the user, for its run alone. */
export interface ClientOffer {
  tools: readonly ClientTool[]
  /** Holds until the agent has called a tool. */
  toolChoice?: string | undefined
  /** The schema of the answer, for agents without an output type of their own. */
  outputSchema?: { name: string; schema: JsonSchema; strict: boolean } | undefined
}

/** The body of get_response and get_response_stream. @throws RequestInvalid */
export function parseAgencyRequest(body: unknown, agents: readonly string[], rules: RequestRules): AgencyRequest {
  const { request, details } = readRequest(asObject(body), agents, rules)
  if (details.length > 0) throw new RequestInvalid(details.map(redactSecrets))
  return request
}

/** Reads the fields of get_response. `request` is valid only when `details` is empty. @throws RequestInvalid */
export function readRequest(
  object: JsonObject,
  agents: readonly string[],
  rules: RequestRules,
): { request: AgencyRequest; details: ValidationDetail[] } {
  const { fields, details } = readFields(object, agents, rules)
  return {
    request: { ...fields, message: object.message as string | InputItem[] },
    details: [...checkMessage(object), ...details],
  }
}

/**
 * Reads the fields beside the message. `fields` is valid only when `details` is empty.
 * @throws RequestInvalid for a list or map with too many entries
 */
export function readFields(
  object: JsonObject,
  agents: readonly string[],
  { historyItems, clientConfig: allowed }: RequestRules,
): { fields: RequestFields; details: ValidationDetail[] } {
  checkCounts(object, historyItems)
  const parsed = fields.safeParse(object)
  const details = [
    ...checkHistory(object.chat_history),
    ...checkRecipient(object.recipient_agent, agents),
    ...checkFiles(object),
    ...checkAllowed(object.client_config, allowed),
    ...(parsed.success
      ? checkClientConfig(parsed.data.client_config)
      : detailsFromZod(parsed.error.issues, object, ['body'])),
  ].sort(compareDetails)
  return {
    fields: {
      ...(parsed.data as z.infer<typeof fields>),
      chat_history: (object.chat_history ?? []) as StoredMessage[],
      file_ids: object.file_ids as RequestFields['file_ids'],
      file_urls: object.file_urls as RequestFields['file_urls'],
    },
    details,
  }
}

/** The body or query of /get_logs. `place` is the first part of each `loc` of a 422. @throws RequestInvalid */
export const parseLogRequest = (input: unknown, place: string): { log_id: string } => parse(logRequest, input, place)

/** The body of cancel_response_stream. @throws RequestInvalid */
export const parseCancelRequest = (body: unknown): CancelRequest => parse(cancelRequest, body, 'body')

/** Parses an object of a request; `place` is the first part of each `loc` of a 422. @throws RequestInvalid */
export function parse<Schema extends z.ZodType>(schema: Schema, input: unknown, place: string): z.infer<Schema> {
  const parsed = schema.safeParse(asObject(input))
  if (!parsed.success) throw new RequestInvalid(detailsFromZod(parsed.error.issues, input, [place]).map(redactSecrets))
  return parsed.data
}

/** A body as an object. @throws RequestInvalid */
export function asObject(body: unknown): JsonObject {
  if (isObject(body)) return body
  if (body === undefined) throw new RequestInvalid([missing(['body'], null)])
  throw new RequestInvalid([noObject(['body'], Array.isArray(body) ? body.map(withoutSecrets) : body)])
}
