/** Requests of the AI SDK's `useChat`: the schema of their body, and the function that parses it. */
import { z } from 'zod'
import { jsonOf } from './components.ts'
import { redactSecrets } from './request-secrets.ts'
import { asObject } from './requests.ts'
import { parseRunRequest, type RunRequest, type RunRules, runRequestSchema, threadId } from './runs.ts'
import { detailsFromZod, RequestInvalid, valueError } from './validation.ts'

const part = z.looseObject({ type: z.string() })
const uiMessage = z
  .looseObject({
    id: z.string().max(256).nullish(),
    role: z.enum(['system', 'user', 'assistant']),
    metadata: z.unknown().optional(),
    parts: z.array(part),
  })
  .meta({ id: 'UIMessage', description: 'A message of the AI SDK.' })
/** A part of a message; its further fields are read where they are used, because clients differ in them. */
export type UiPart = z.infer<typeof part>
export type UiMessage = z.infer<typeof uiMessage>

/** The fields of a run that a page may send beside its messages. */
const { shape } = runRequestSchema
const runFields = {
  recipient_agent: shape.recipient_agent,
  additional_instructions: shape.additional_instructions,
  user_context: shape.user_context,
  generate_chat_name: shape.generate_chat_name,
  client_config: shape.client_config,
  file_ids: shape.file_ids,
  file_urls: shape.file_urls,
  max_turns: shape.max_turns,
  max_cost: shape.max_cost,
}
const chatFields = z.object({
  id: threadId.describe('The chat: the id of its thread.'),
  messages: z.array(uiMessage).min(1).describe('The whole conversation; the last message is answered.'),
  trigger: z.enum(['submit-message', 'regenerate-message']).nullish().describe('Default: submit-message.'),
  messageId: z.string().max(256).nullish().describe('The message that was edited, or is continued.'),
  on_disconnect: z
    .enum(['cancel', 'continue'])
    .nullish()
    .describe('What happens when the page leaves. Default: the run is cancelled unless a reader comes back in time.'),
})
export const chatRequestSchema = chatFields.extend(runFields).meta({
  id: 'ChatRequest',
  description: 'The body that useChat() of the AI SDK sends, with fields of a run beside it. Other fields are ignored.',
})

const chatChunk = z.looseObject({ type: z.string() }).meta({
  id: 'ChatChunk',
  description: 'A chunk of the UI message stream, version 1, of the AI SDK.',
})
const chatData = z.union([z.literal('[DONE]'), jsonOf(chatChunk)])
/** A server-sent event of a chat, and the content of its data. */
export const chatStreamSchemas: readonly z.ZodType[] = [
  z
    .object({ event: z.literal('message').describe('The default; it is not sent.'), data: chatData })
    .meta({ id: 'UiMessageFrame' }),
  chatChunk,
]

/** A checked request of a chat page. */
export interface ChatRequest extends Pick<z.infer<typeof chatFields>, 'on_disconnect'> {
  chatId: string
  messages: UiMessage[]
  /** True when the conversation before the last message is not what the server has: an answer is made anew, or a message was edited. */
  rewrites: boolean
  /** The fields of a run; its message is not known yet. */
  fields: RunRequest
}

/** The body of POST /{agency}/chat. @throws RequestInvalid */
export function parseChatRequest(body: unknown, agents: readonly string[], rules: RunRules): ChatRequest {
  const object = asObject(body)
  const parsed = chatFields.safeParse(object)
  if (!parsed.success)
    throw new RequestInvalid(detailsFromZod(parsed.error.issues, object, ['body']).map(redactSecrets))
  const { id: chatId, messages, trigger, messageId, on_disconnect } = parsed.data
  const count = messages.reduce((sum, message) => sum + 1 + message.parts.length, 0)
  if (count > rules.historyItems)
    throw new RequestInvalid([
      valueError(['body', 'messages'], `at most ${rules.historyItems} messages and parts are taken`, count),
    ])
  const sent = Object.keys(runFields).flatMap((name) => (name in object ? [[name, object[name]] as const] : []))
  const fields = parseRunRequest({ ...Object.fromEntries(sent), message: PLACEHOLDER }, agents, rules)
  const edited = messageId != null && messages.at(-1)?.role === 'user'
  return { chatId, messages, rewrites: trigger === 'regenerate-message' || edited, on_disconnect, fields }
}

/** Stands for the message while the other fields are checked. */
const PLACEHOLDER = '-'
