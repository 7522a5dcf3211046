/** Turns requests of the Responses API into agency requests. */
import { assistantTexts, isPart, toResponsesPart } from '../../messages/foreign-parts.ts'
import { callHalf } from '../../messages/item-kinds.ts'
import { saidIn, toInputPart, toOutput, toText } from '../../messages/items.ts'
import { isObject } from '../../wire/json.ts'
import type { ContentPart, InputItem, StoredMessage } from '../../wire/message.ts'
import { refuse } from '../../wire/openai.ts'
import type { ResponseInputItem, ResponseRequest } from '../../wire/openai-responses.ts'
import type { AgencyRequest } from '../../wire/requests.ts'
import { toHistory } from './chat-input.ts'
import { type ModelTarget, recipientOf } from './models.ts'
import { type OfferRequest, toOffer } from './offer.ts'

/** A decision about a call that waits for a person. */
export interface ApprovalAnswer {
  approvalId: string
  approve: boolean
  reason: string | undefined
}

/** The decisions of a request that has nothing else; undefined for any other. @throws RequestInvalid for both in one request */
export function readApprovals({ input }: ResponseRequest): ApprovalAnswer[] | undefined {
  if (typeof input === 'string') return undefined
  const answers = input.filter(({ type }) => type === 'mcp_approval_response')
  if (answers.length === 0) return undefined
  const other = input.findIndex(({ type }) => type !== 'mcp_approval_response' && !SKIPPED.test(type ?? ''))
  if (other >= 0)
    refuse(['input', other], 'decisions come alone; what the user says follows when the response has ended')
  return answers.map(({ approval_request_id: id, approve, reason }) => ({
    approvalId: String(id).replace(/^mcpr_/, ''),
    approve: approve === true,
    reason: typeof reason === 'string' ? reason : undefined,
  }))
}

/** What a response continues: the conversation before it, and the calls that its client may answer. */
export interface Earlier {
  history: readonly StoredMessage[]
  calls: readonly InputItem[]
}

/** @throws RequestInvalid for items that no run can answer, and what `toOffer` throws */
export function toAgencyRequest(
  request: ResponseRequest,
  target: ModelTarget,
  earlier: Earlier | undefined,
): AgencyRequest {
  const recipient = recipientOf(target)
  const { items, instructions } = readInput(request.input)
  const from = earlier === undefined ? findTurnStart(items) : 0
  const message = withCalls(items.slice(from), earlier?.calls ?? [])
  return {
    message,
    chat_history: [...(earlier?.history ?? []), ...toHistory(items.slice(0, from), recipient)],
    recipient_agent: target.agent,
    additional_instructions: [request.instructions ?? '', ...instructions].filter((text) => text !== '').join('\n\n'),
    file_ids: undefined,
    file_urls: undefined,
    client: toOffer(target.served.preview, recipient, {
      tools: (request.tools ?? []).map((tool, index) => ({ tool, loc: ['tools', index] })),
      choice: readChoice(request.tool_choice),
      format: request.text?.format ?? undefined,
      formatLoc: ['text', 'format'],
    }),
  }
}

function readChoice(choice: ResponseRequest['tool_choice']): OfferRequest['choice'] {
  if (typeof choice !== 'object' || choice === null) return choice ?? undefined
  return choice.type === 'function' ? choice.name : { mode: choice.mode, allowed: choice.tools.map(({ name }) => name) }
}

/** Puts the calls that the items answer before them. @throws RequestInvalid for an output without its call */
function withCalls(items: readonly InputItem[], calls: readonly InputItem[]): InputItem[] {
  const last = items.at(-1)
  if (last === undefined || last.role === 'assistant' || callHalf(last)?.half === 'call')
    refuse(['input'], 'the last item has to be a message of the user or the output of a function')
  const known = new Set(items.flatMap(({ type, call_id }) => (type === 'function_call' ? [call_id] : [])))
  const outputs = items.flatMap(({ type, call_id }) => (type === 'function_call_output' ? [call_id] : []))
  const missing = calls.filter(({ call_id }) => outputs.includes(call_id) && !known.has(call_id))
  const stray = outputs.find((id) => !known.has(id) && !missing.some(({ call_id }) => call_id === id))
  if (stray !== undefined) refuse(['input'], `no function call has the call_id "${stray}"`)
  return [...missing.map(({ id: _, ...call }) => call), ...items]
}

/** The last message; outputs come with the calls that they answer. */
function findTurnStart(items: readonly InputItem[]): number {
  const last = items.length - 1
  const halves = items.map(callHalf)
  const output = halves[last]
  if (output?.half !== 'output') return last
  const call = halves.findIndex((other) => other?.half === 'call' && other.key === output.key)
  const begin = halves.slice(0, Math.max(call, 0)).findLastIndex((other) => other?.half !== 'call')
  return call < 0 ? last : begin + 1
}

/** Items that came with earlier answers, which the agency does not need again. */
const SKIPPED =
  /^(reasoning|compaction|mcp_call|mcp_list_tools|mcp_approval_request|(web|file)_search_call|code_interpreter_call|image_generation_call)$/

function readInput(input: ResponseRequest['input']): { items: InputItem[]; instructions: string[] } {
  if (typeof input === 'string') return { items: [{ role: 'user', content: input }], instructions: [] }
  const items: InputItem[] = []
  const instructions: string[] = []
  for (const [index, item] of input.entries()) {
    const { type, role } = item
    if ((type == null || type === 'message') && (role === 'system' || role === 'developer'))
      instructions.push(saidIn(item.content))
    else if (!SKIPPED.test(type ?? '')) items.push(readItem(item, index))
  }
  return { items, instructions }
}

function readItem(item: ResponseInputItem, index: number): InputItem {
  const { type, role, call_id, name, arguments: args, output, content } = item
  switch (type ?? 'message') {
    case 'message':
      if (role === 'assistant') return { role, content: assistantTexts(content).join('') }
      if (role !== 'user') refuse(['input', index, 'role'], 'a role is user, assistant, system or developer')
      return { role: 'user', content: readContent(content, ['input', index, 'content']) }
    case 'function_call':
      if (typeof call_id !== 'string' || typeof name !== 'string')
        refuse(['input', index], 'a function call has a call_id and a name')
      return { type: 'function_call', call_id: String(call_id), name: String(name), arguments: toText(args ?? {}) }
    case 'function_call_output':
      if (typeof call_id !== 'string') refuse(['input', index, 'call_id'], 'an output names the call that it answers')
      return {
        type: 'function_call_output',
        call_id: String(call_id),
        output: toOutput(output),
      }
    default:
      if (callHalf(item as InputItem) !== undefined) return item as InputItem // of another tool of the client
      return refuse(['input', index, 'type'], `items of the type "${type}" are not taken`)
  }
}

const PARTS = new Set(['input_text', 'input_image', 'input_file', 'input_audio'])

function readContent(content: unknown, loc: readonly (string | number)[]): string | ContentPart[] {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return refuse(loc, 'has to be a text or a list of parts')
  const parts = content.map((part) => (isPart(part) ? toInputPart(toResponsesPart(part)) : part))
  const wrong = parts.findIndex((part) => !isObject(part) || !PARTS.has(String(part.type)))
  if (wrong >= 0) refuse([...loc, wrong, 'type'], `a part is one of ${[...PARTS].join(', ')}`)
  return parts as ContentPart[]
}
