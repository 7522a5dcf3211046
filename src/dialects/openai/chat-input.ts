/** Turns requests of Chat Completions into agency requests. */
import { assistantTexts } from '../../messages/foreign-parts.ts'
import { toText } from '../../messages/items.ts'
import type { ContentPart, InputItem, StoredMessage } from '../../wire/message.ts'
import { refuse } from '../../wire/openai.ts'
import type { ChatMessage, ChatPart, ChatRequest } from '../../wire/openai-chat.ts'
import type { AgencyRequest } from '../../wire/requests.ts'
import { type ModelTarget, recipientOf } from './models.ts'
import { type AnswerFormat, type OfferRequest, toOffer } from './offer.ts'
import { toInputPart } from './parts.ts'

/**
 * The request of a run. The last message is the one to answer; outputs of tools come with the calls that they answer.
 * @throws RequestInvalid when the last message is not addressed to the agent, and what `toOffer` throws
 */
export function toAgencyRequest(request: ChatRequest, target: ModelTarget): AgencyRequest {
  const recipient = recipientOf(target)
  const { messages } = request
  const from = findTurnStart(messages)
  const history = messages.slice(0, from).flatMap(toItems)
  const instructions = messages.flatMap((message) =>
    message.role === 'system' || message.role === 'developer' ? [textOf(message.content)] : [],
  )
  return {
    message: messages.slice(from).flatMap(toItems),
    chat_history: toHistory(history, recipient),
    recipient_agent: target.agent,
    additional_instructions: instructions.filter((text) => text !== '').join('\n\n'),
    file_ids: undefined,
    file_urls: undefined,
    client: toOffer(target.served.preview, recipient, {
      tools: (request.tools ?? []).map(({ function: tool }, index) => ({ tool, loc: ['tools', index, 'function'] })),
      choice: readChoice(request.tool_choice),
      format: readFormat(request.response_format),
      formatLoc: ['response_format', 'json_schema'],
    }),
  }
}

/** Items as stored messages of the conversation with the user. */
export function toHistory(items: readonly InputItem[], agent: string): StoredMessage[] {
  const timestamp = Date.now() * 1000
  return items.map((item, index) => ({ ...item, agent, callerAgent: null, timestamp: timestamp + index }))
}

function readChoice(choice: ChatRequest['tool_choice']): OfferRequest['choice'] {
  if (typeof choice !== 'object' || choice === null) return choice ?? undefined
  if (choice.type === 'function') return choice.function.name
  const { mode, tools } = choice.allowed_tools
  return { mode, allowed: tools.map((tool) => tool.function.name) }
}

function readFormat(format: ChatRequest['response_format']): AnswerFormat | undefined {
  if (format?.type !== 'json_schema') return format ?? undefined
  return { type: 'json_schema', ...format.json_schema }
}

/** Where the messages to answer begin. @throws RequestInvalid */
function findTurnStart(messages: readonly ChatMessage[]): number {
  const last = messages.findLastIndex(({ role }) => role !== 'system' && role !== 'developer')
  const message = messages[last]
  if (message === undefined || message.role === 'assistant')
    return refuse(['messages'], 'the last message has to be one of the user or of a tool')
  if (message.role !== 'tool') return last
  const asked = messages.findLastIndex(
    (other) => other.role === 'assistant' && other.tool_calls?.some(({ id }) => id === message.tool_call_id) === true,
  )
  if (asked < 0)
    refuse(['messages', last, 'tool_call_id'], `no message before it has the call "${message.tool_call_id}"`)
  return asked
}

function toItems(message: ChatMessage): InputItem[] {
  switch (message.role) {
    case 'system':
    case 'developer':
      return [] // instructions
    case 'user':
      return [
        {
          role: 'user',
          content: typeof message.content === 'string' ? message.content : message.content.map(toInputPart),
        },
      ]
    case 'assistant': {
      const text = assistantTexts(message.content ?? message.refusal).join('\n')
      const said: InputItem[] = text === '' ? [] : [{ role: 'assistant', content: text }]
      const calls = (message.tool_calls ?? []).map(
        ({ id, function: { name, arguments: args } }): InputItem => ({
          type: 'function_call',
          call_id: id,
          name,
          arguments: args === '' ? '{}' : toText(args),
        }),
      )
      return [...said, ...calls]
    }
    case 'tool':
      return [
        { type: 'function_call_output', call_id: message.tool_call_id, output: toToolOutput(message.content ?? '') },
      ]
    default:
      return message satisfies never
  }
}

const textOf = (
  content: string | readonly { text?: string | null | undefined; refusal?: string | null | undefined }[],
): string =>
  typeof content === 'string' ? content : content.flatMap(({ text, refusal }) => text ?? refusal ?? []).join('\n')

function toToolOutput(content: string | readonly ChatPart[]): string | ContentPart[] {
  if (typeof content === 'string') return content
  return content.every((part) => part.type === 'text') ? textOf(content) : content.map(toInputPart)
}
