/** Turns the messages of an AI SDK chat into a message for an agency, the history before it, and decisions on approvals. */
import { describeFile } from '../../messages/sound-files.ts'
import type { AguiPart } from '../../wire/agui.ts'
import type { UiMessage, UiPart } from '../../wire/ai-sdk.ts'
import { isObject } from '../../wire/json.ts'
import type { ContentPart, InputItem, StoredMessage } from '../../wire/message.ts'
import { RequestInvalid } from '../../wire/requests.ts'
import { valueError } from '../../wire/validation.ts'
import { toContent } from '../agui/parts.ts'

/** What a person decided about a call, as the page sends it. */
export interface ChatDecision {
  approvalId: string
  decision: { kind: 'approve' } | { kind: 'reject'; reason?: string }
}

/** What the last message of a chat asks for. */
export type ChatAsk =
  | { kind: 'message'; id: string | undefined; message: string | InputItem[] }
  | { kind: 'decisions'; runId: string; after: number | undefined; decisions: ChatDecision[] }

/** @throws RequestInvalid when there is nothing to answer */
export function readAsk(messages: readonly UiMessage[]): ChatAsk {
  const last = messages.at(-1) as UiMessage
  const index = messages.length - 1
  if (last.role === 'user') {
    const content = toUserContent(last.parts, index)
    const message = typeof content === 'string' ? content : [{ role: 'user', content }]
    return { kind: 'message', id: last.id || undefined, message }
  }
  const decisions = last.parts.flatMap(readDecision)
  if (last.role !== 'assistant' || decisions.length === 0)
    throw new RequestInvalid([
      valueError(
        ['body', 'messages', index],
        'the last message is neither from the user, nor does it answer an approval',
        last.role,
      ),
    ])
  const { run_id, last_event_id: after } = isObject(last.metadata) ? last.metadata : {}
  const runId = typeof run_id === 'string' ? run_id : (last.id ?? '')
  return { kind: 'decisions', runId, after: Number.isSafeInteger(after) ? Number(after) : undefined, decisions }
}

/** The messages before the last one as stored messages, for a thread that the server does not have. */
export function toHistory(
  messages: readonly UiMessage[],
  agents: { entry: string; names: readonly string[] },
): StoredMessage[] {
  const now = Date.now() * 1000
  const history: StoredMessage[] = []
  for (const [index, { role, parts }] of messages.slice(0, -1).entries()) {
    const add = (item: InputItem, agent = agents.entry) =>
      history.push({ ...item, agent, callerAgent: null, timestamp: now + history.length })
    if (role === 'user') add({ role: 'user', content: toUserContent(parts, index) })
    else if (role === 'system') add({ role: 'system', content: textOf(parts) })
    else for (const part of parts) for (const item of toItems(part)) add(item, ownerOf(part, agents))
  }
  return history
}

/** The items of one part of an answer. Calls without an output are of runs that were stopped: they are left out. */
function toItems(part: UiPart): InputItem[] {
  const { type, text, state, toolCallId, input, output, errorText } = part
  if (type === 'text')
    return typeof text === 'string' && text !== '' ? [{ type: 'message', role: 'assistant', content: text }] : []
  if (type === 'file') return [{ type: 'message', role: 'assistant', content: describeAnswerFile(part) }]
  const name =
    type === 'dynamic-tool' ? part.toolName : type.startsWith('tool-') ? type.slice('tool-'.length) : undefined
  if (typeof name !== 'string' || typeof toolCallId !== 'string' || isNested(part)) return []
  const result =
    state === 'output-available'
      ? toText(output)
      : state === 'output-error'
        ? toText(errorText || 'Error: the tool failed.')
        : isDenied(part)
          ? toDenial(part)
          : undefined
  if (result === undefined) return []
  const args = isObject(input) ? JSON.stringify(input) : '{}'
  return [
    { type: 'function_call', call_id: toolCallId, name, arguments: args, status: 'completed' },
    { type: 'function_call_output', call_id: toolCallId, output: result },
  ]
}

/** Models take files in messages of the user only: of one in an answer they read that it was there. */
const describeAnswerFile = ({ mediaType, url, filename }: UiPart) => {
  const type = /^image(\/|$)/.test(String(mediaType)) ? 'input_image' : 'input_file'
  return String(describeFile({ type, filename, image_url: url }).text)
}

const toText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value ?? null))

/** A person has rejected the call; a page that never saw the run go on keeps the decision alone. */
const isDenied = ({ state, approval }: UiPart) =>
  state === 'output-denied' || (state === 'approval-responded' && isObject(approval) && approval.approved === false)

function toDenial({ approval }: UiPart): string {
  const reason = isObject(approval) && typeof approval.reason === 'string' ? ` Reason: ${approval.reason}` : ''
  return `Error: a person rejected the call. It was not run.${reason}`
}

/** What `providerMetadata` says of the agent that a part came from. */
function readSpeaker(part: UiPart): { agent?: unknown; nested?: unknown } {
  const metadata = part.providerMetadata ?? part.callProviderMetadata
  const ours = isObject(metadata) ? metadata.agencySwarm : undefined
  return isObject(ours) ? ours : {}
}

/** A call of a sub-agent, which was shown because it needed an approval. It belongs to the sub-agent's own conversation. */
const isNested = (part: UiPart) => readSpeaker(part).nested === true

function ownerOf(part: UiPart, { entry, names }: { entry: string; names: readonly string[] }): string {
  const { agent } = readSpeaker(part)
  return typeof agent === 'string' && names.includes(agent) ? agent : entry
}

function readDecision({ state, approval }: UiPart): ChatDecision[] {
  if (state !== 'approval-responded' || !isObject(approval) || typeof approval.id !== 'string') return []
  if (approval.approved === true) return [{ approvalId: approval.id, decision: { kind: 'approve' } }]
  const { reason } = approval
  const why = typeof reason === 'string' && reason !== '' ? { reason: reason.slice(0, MAX_REASON_CHARS) } : {}
  return [{ approvalId: approval.id, decision: { kind: 'reject', ...why } }]
}
const MAX_REASON_CHARS = 4_096

/** A message without files is one text. @throws RequestInvalid for a file that is neither data nor an http(s) address */
function toUserContent(parts: readonly UiPart[], index: number): string | ContentPart[] {
  if (!parts.some(({ type }) => type === 'file')) return textOf(parts)
  return toContent(
    parts.flatMap((part, place): AguiPart[] => {
      if (part.type === 'text') return [{ type: 'text', text: String(part.text ?? '') }]
      return part.type === 'file' ? [toFile(part, ['body', 'messages', index, 'parts', place, 'url'])] : []
    }),
  ) as ContentPart[]
}

const textOf = (parts: readonly UiPart[]) =>
  parts.flatMap(({ type, text }) => (type === 'text' && typeof text === 'string' ? [text] : [])).join('\n')

function toFile({ mediaType, url, filename }: UiPart, loc: (string | number)[]): AguiPart {
  if (typeof url !== 'string' || !/^(https?:\/\/|data:)/i.test(url))
    throw new RequestInvalid([valueError(loc, 'a file is a data URL or an http(s) address', null)])
  const mimeType = typeof mediaType === 'string' ? mediaType : 'application/octet-stream'
  const type = /^image(\/|$)/.test(mimeType) ? 'image' : 'document'
  const named = typeof filename === 'string' && filename !== '' ? { metadata: { filename } } : {}
  if (!/^data:/i.test(url)) return { type, source: { type: 'url', value: url }, ...named }
  return { type, source: { type: 'data', value: url, mimeType }, ...named }
}
