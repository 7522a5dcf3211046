/** Turns messages of A2A into requests for a run, and into decisions about calls that wait. */
import { readDataUrl } from '../../messages/items.ts'
import type { A2aMessage, A2aPart, DecisionPart, SendParams, TaskPart } from '../../wire/a2a.ts'
import { parseDecisionPart } from '../../wire/a2a.ts'
import type { AguiPart } from '../../wire/agui.ts'
import { isObject } from '../../wire/json.ts'
import type { ContentPart, InputItem } from '../../wire/message.ts'
import type { RequestRules } from '../../wire/requests.ts'
import { parseRunRequest, type RunBounds, type RunRequest } from '../../wire/runs.ts'
import { toContent } from '../agui/parts.ts'
import type { A2aField } from './card.ts'
import { A2aRefusal } from './errors.ts'

/** Where a request and its answer have what the protocol has no field for. */
export const METADATA = 'agencySwarm'

export interface InputRules {
  agents: readonly string[]
  /** Fields of a run that callers may set. */
  allow: readonly A2aField[]
  rules: RequestRules & RunBounds
}

/** The run that answers a message. @throws A2aRefusal, RequestInvalid */
export function toRunRequest({ message, metadata }: SendParams, { agents, allow, rules }: InputRules): RunRequest {
  const fields = isObject(metadata?.[METADATA]) ? metadata[METADATA] : {}
  const refused = Object.keys(fields).find((name) => !allow.some((field) => field === name))
  if (refused !== undefined)
    throw new A2aRefusal('INVALID_PARAMS', `metadata.${METADATA}.${refused}: this server does not let callers set it.`)
  const files = readFiles(message.parts)
  return parseRunRequest({ ...fields, ...files, message: toMessage(message.parts) }, agents, rules)
}

/** Files with an address, which the server fetches itself: what a caller names is checked there. */
function readFiles(parts: readonly A2aPart[]): { file_urls?: { [name: string]: string } } {
  const files: { [name: string]: string } = {}
  for (const { url, filename } of parts) {
    if (url == null) continue
    if (!/^https?:\/\//i.test(url)) throw new A2aRefusal('INVALID_PARAMS', 'A url of a part is an http(s) address.')
    const name = filename || new URL(url).pathname.split('/').at(-1) || 'file'
    files[Object.hasOwn(files, name) ? `${Object.keys(files).length + 1}-${name}` : name] = url
  }
  return Object.keys(files).length === 0 ? {} : { file_urls: files }
}

/** A message without bytes is one text. */
function toMessage(parts: readonly A2aPart[]): string | InputItem[] {
  const own = parts.filter(({ url }) => url == null)
  if (own.every(({ raw }) => raw == null)) return own.map(toText).join('\n')
  return [{ role: 'user', content: toContent(own.map(toInputPart)) as ContentPart[] }]
}

const toText = ({ text, data }: A2aPart): string => text ?? JSON.stringify(data)

function toInputPart(part: A2aPart): AguiPart {
  const { raw, mediaType, filename } = part
  if (raw == null) return { type: 'text', text: toText(part) }
  const mimeType = mediaType || 'application/octet-stream'
  const type = mimeType.startsWith('image/') ? 'image' : 'document'
  return {
    type,
    source: { type: 'data', value: raw, mimeType },
    ...(filename && { metadata: { filename } }),
  }
}

/** A stored message of the user as parts. */
export function toTaskParts(message: string | readonly InputItem[]): TaskPart[] {
  if (typeof message === 'string') return [{ text: message }]
  return message.flatMap(({ content }) =>
    typeof content === 'string' ? [{ text: content }] : Array.isArray(content) ? content.map(toTaskPart) : [],
  )
}

function toTaskPart(part: ContentPart): TaskPart {
  if (typeof part.text === 'string') return { text: part.text }
  const url = String(part.image_url ?? part.file_data ?? part.file_url ?? '')
  const filename = typeof part.filename === 'string' ? { filename: part.filename } : {}
  const inline = readDataUrl(url)
  if (inline !== undefined) return { raw: inline.data, mediaType: inline.mediaType, ...filename }
  return url === '' ? { text: '[file]' } : { url, ...filename }
}

const HOW =
  'The task waits for approval. Answer with the text "approve", "reject" or "reject: why", or with data such as {"decision": "approve", "approval_id": "..."}.'

/** What a message decides about calls that wait. @throws A2aRefusal, RequestInvalid */
export function readDecisions({ parts }: A2aMessage): DecisionPart[] {
  const decisions = parts.map(({ text, data }) => {
    if (data != null) return parseDecisionPart(data)
    const decision = readDecision(text?.trim() ?? '')
    if (decision === undefined) throw new A2aRefusal('INVALID_PARAMS', HOW)
    return decision
  })
  return decisions
}

function readDecision(text: string): DecisionPart | undefined {
  const [word = '', ...rest] = text.split(':')
  const reason = rest.join(':').trim()
  switch (word.trim().toLowerCase()) {
    case 'approve':
      return reason === '' ? { decision: 'approve' } : undefined
    case 'reject':
      return { decision: 'reject', ...(reason === '' ? {} : { reason: reason.slice(0, MAX_REASON_CHARS) }) }
    default:
      return undefined
  }
}
const MAX_REASON_CHARS = 4_096
