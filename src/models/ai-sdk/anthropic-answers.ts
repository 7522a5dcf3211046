/** Repairs Anthropic's answers before its package reads them: the package fails on a whole answer with one unknown event or block. */
import { StringDecoder } from 'node:string_decoder'
import { takeTurn } from '../../base/async.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { isWebPage, webPageError } from '../ending.ts'

/** The events that the package knows. Gateways add others: `vertex_event` (vercel/ai/issues/11309), keep-alives. */
const EVENTS = new Set<unknown>([
  'message_start',
  'message_delta',
  'message_stop',
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'ping',
  'error',
])
/** The blocks that the package knows, besides results of Anthropic's own tools. Source: its schema `anthropicChunkSchema`. */
const BLOCKS = new Set<unknown>([
  'text',
  'thinking',
  'redacted_thinking',
  'tool_use',
  'compaction',
  'server_tool_use',
  'mcp_tool_use',
  'mcp_tool_result',
  'web_fetch_tool_result',
  'web_search_tool_result',
  'code_execution_tool_result',
  'bash_code_execution_tool_result',
  'text_editor_code_execution_tool_result',
  'tool_search_tool_result',
  'advisor_tool_result',
])
const DELTAS = 'text|input_json|thinking|signature|citations|compaction'
const KNOWN_DELTA = new RegExp(`^(${DELTAS})_delta$`)
/** Most events, as Anthropic writes them: they are passed on without being parsed. */
const PLAIN_DELTA = new RegExp(`^\\{"type":"content_block_delta","index":\\d+,"delta":\\{"type":"(${DELTAS})_delta",`)

/**
 * A fetch with answers that the package can read: unknown events, blocks and deltas are left out, missing usage counts as 0, and an error
 * that is a text becomes an object.
 * @throws MODEL_FAILED for a web page in place of an answer
 */
export function repairingFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (url, init) => {
    const response = await fetch(url, init)
    const { status, headers, body } = response
    if (!response.ok || body === null) return response
    if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? ''))
      return new Response(body.pipeThrough(repairEvents()), { status, headers })
    const text = await response.text()
    if (isWebPage(text)) throw webPageError()
    return new Response(repairMessage(text), { status, headers })
  }
}

interface StreamState {
  /** The indexes of blocks that are left out. */
  dropped: Set<unknown>
  /** A stop reason was received. */
  stopped: boolean
  /** `message_stop` was received. */
  ended: boolean
}

/** The end of an event (WHATWG HTML, section 9.2.5). */
const BLANK_LINE = /\r\n\r\n|\n\n|\r\r/

/** More follows a chunk of this size at once: others get a turn in between. */
const LARGE_CHUNK_BYTES = 16 * 1024

/** A stream of events without those that the package cannot read. */
function repairEvents(): TransformStream<Uint8Array, Uint8Array> {
  const decoder = new StringDecoder('utf8')
  const state: StreamState = { dropped: new Set(), stopped: false, ended: false }
  const repair = createEventRepair(state)
  /** The open event in pieces: only new text is searched, so that an event of many chunks takes linear time. */
  let held: string[] = []
  let end = ''
  return new TransformStream({
    async transform(chunk, controller) {
      const text = decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      const seam = end + text
      held.push(text)
      end = seam.slice(-3)
      if (!BLANK_LINE.test(seam)) return
      const events = held.join('').split(BLANK_LINE)
      const rest = events.pop() as string
      held = [rest]
      end = rest.slice(-3)
      const repaired = events.map(repair).join('')
      if (repaired !== '') controller.enqueue(Buffer.from(repaired))
      if (chunk.byteLength >= LARGE_CHUNK_BYTES) await takeTurn('further')
    },
    flush(controller) {
      // The last event may lack the blank line that ends it, and some gateways leave out `message_stop`.
      const rest = held.join('')
      if (rest.trim() !== '') controller.enqueue(Buffer.from(repair(rest)))
      if (state.stopped && !state.ended) controller.enqueue(Buffer.from('data: {"type":"message_stop"}\n\n'))
    },
  })
}

/** Creates a function that repairs the text of one event; an empty text when the event is left out. */
function createEventRepair(state: StreamState): (event: string) => string {
  const { dropped } = state
  return (event) => {
    const lines = event.split(/\r\n|\n|\r/).filter((line) => /^data:/.test(line))
    const data = lines.map((line) => line.slice('data:'.length).trimStart()).join('\n')
    if (dropped.size === 0 && PLAIN_DELTA.test(data)) return `data: ${data}\n\n`
    const parsed = parse(data)
    if (!isObject(parsed)) return data === '' || data === '[DONE]' ? '' : `data: ${data}\n\n`
    const repaired = repairEvent(parsed, state)
    return repaired === undefined ? '' : `data: ${JSON.stringify(repaired)}\n\n`
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function repairEvent(event: JsonObject, state: StreamState): JsonObject | undefined {
  const { dropped } = state
  const { type, index, delta, content_block: block } = event
  if (type === 'error' || (event.error != null && !EVENTS.has(type))) return { type: 'error', error: toError(event) }
  if (!EVENTS.has(type)) return undefined
  switch (type) {
    case 'message_start': {
      const message = isObject(event.message) ? event.message : {}
      const content = Array.isArray(message.content) ? message.content.filter(isToolUse) : null
      return { ...event, message: { ...message, content, usage: repairUsage(message.usage) } }
    }
    case 'message_delta':
      state.stopped ||= isObject(delta) && typeof delta.stop_reason === 'string'
      return { ...event, delta: isObject(delta) ? delta : {}, usage: repairUsage(event.usage, {}) }
    case 'content_block_start': {
      const repaired = isObject(block) ? repairBlock(block) : undefined
      if (repaired === undefined) dropped.add(index)
      else dropped.delete(index)
      return repaired && { ...event, content_block: repaired }
    }
    case 'content_block_delta':
      return dropped.has(index) || !isObject(delta) || !KNOWN_DELTA.test(String(delta.type)) ? undefined : event
    case 'content_block_stop':
      return dropped.has(index) ? undefined : event
    default:
      state.ended ||= type === 'message_stop'
      return event
  }
}

const isToolUse = (block: unknown) => isObject(block) && block.type === 'tool_use'

/** The error as an object with a message; Bedrock's is JSON in a text (vercel/ai/issues/17124). */
function toError({ error, ...rest }: JsonObject): JsonObject {
  const given = typeof error === 'string' ? (parse(error) ?? { message: error }) : (error ?? rest)
  const { type, message } = isObject(given) ? given : {}
  return {
    ...(isObject(given) ? given : {}),
    type: typeof type === 'string' ? type : 'api_error',
    message: typeof message === 'string' ? message : JSON.stringify(given),
  }
}

/** Usage with the counts that the package requires. The reader estimates the usage of an answer without any. */
function repairUsage(usage: unknown, required: JsonObject = { input_tokens: 0 }): JsonObject {
  const given = isObject(usage) ? usage : {}
  const counts = Object.entries(given).filter(
    ([name, value]) => value != null && (!/_tokens$/.test(name) || isCount(value)),
  )
  return { ...required, output_tokens: 0, ...Object.fromEntries(counts) }
}
const isCount = (value: unknown) => typeof value === 'number' && Number.isFinite(value)

/** A block with the fields that the package requires; undefined for an unknown one. */
function repairBlock(block: JsonObject): JsonObject | undefined {
  const { type } = block
  if (!BLOCKS.has(type)) return undefined
  if (type === 'text') return { ...block, text: block.text ?? '' }
  if (type === 'thinking') return { ...block, thinking: block.thinking ?? '', signature: block.signature ?? '' }
  if (type === 'redacted_thinking') return { ...block, data: block.data ?? '' }
  if (type !== 'tool_use') return block
  return { ...block, id: typeof block.id === 'string' ? block.id : '', input: isObject(block.input) ? block.input : {} }
}

/** The text of a whole message, repaired; the same text when it is not a message. */
function repairMessage(text: string): string {
  const message = parse(text)
  if (!isObject(message) || message.error != null || message.content === undefined) return text
  const { content } = message
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : Array.isArray(content) ? content : []
  const repaired = blocks.filter(isObject).flatMap((block) => repairBlock(block) ?? [])
  return JSON.stringify({ ...message, type: 'message', content: repaired, usage: repairUsage(message.usage) })
}
