/** Writes run events as the chunks of Chat Completions (docs/openai.md). */
import { messageText } from '../../messages/items.ts'
import type { ResponseEvent } from '../../models/model.ts'
import type { RunEvent, RunProgress, RunSummary, Speaker } from '../../runs/events.ts'
import type { Batch } from '../../runs/feed.ts'
import { parseInnerJson } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import type { ChatCompletion, ChatRequest, ChatToolCall, FinishReason } from '../../wire/openai-chat.ts'
import { escapeLineEnds, frame, toJson } from '../../wire/sse.ts'
import { answerOf, BETWEEN, toolAnswerOf } from '../answer.ts'
import type { FrameWriter } from '../dialect.ts'
import { toError } from './errors.ts'
import { toChatUsage } from './usage.ts'

const DONE = frame('[DONE]')

/** Seconds since 1970. */
const toSeconds = (ms: number) => Math.floor(ms / 1000)

/** The head that all chunks of a run share, as JSON without its end. */
function createHead(runId: string, model: string): string {
  const head = { id: chatIdOf(runId), object: 'chat.completion.chunk', created: toSeconds(Date.now()), model }
  return toJson(head).slice(0, -1)
}

const chatIdOf = (runId: string) => `chatcmpl-${runId.replaceAll('-', '')}`

/** The writer of one stream. */
export class ChatWriter implements FrameWriter {
  readonly #model: string
  readonly #withUsage: boolean
  /** What stands before and after the text of a chunk. */
  #before = ''
  #after = ''
  #head = ''
  /** The message whose text is being sent, and those that were. */
  #current: unknown
  readonly #sent = new Set<unknown>()
  #spoke = false
  #thought = false

  constructor({ model, stream_options }: Pick<ChatRequest, 'model' | 'stream_options'>) {
    this.#model = model
    this.#withUsage = stream_options?.include_usage === true
  }

  frames({ events }: Batch): string {
    let out = ''
    for (const event of events) out += this.#write(event)
    return out
  }

  #write(event: RunEvent): string {
    switch (event.kind) {
      case 'model':
        return event.who.callerAgent === null ? this.#hear(event.event) : ''
      case 'started':
        return this.#start(event.runId)
      case 'item':
        return this.#note(event)
      case 'ended':
        return this.#end(event.summary)
      default:
        return ''
    }
  }

  #start(runId: string): string {
    this.#head = createHead(runId, this.#model)
    const usage = this.#withUsage ? ',"usage":null' : ''
    this.#before = `data: ${this.#head},"choices":[{"index":0,"delta":{"content":`
    this.#after = `},"finish_reason":null}]${usage}}\n\n`
    return this.#chunk({ role: 'assistant', content: '' })
  }

  /** A model event of the agent that talks to the user. */
  #hear(event: ResponseEvent): string {
    if (event.type === 'response.output_text.delta') {
      // Hot path: one text, one concatenation.
      const text = escapeLineEnds(JSON.stringify(event.delta))
      if (event.item_id === this.#current) return this.#before + text + this.#after
      return this.#open(event.item_id) + this.#before + text + this.#after
    }
    if (event.type === 'response.reasoning_summary_text.delta' || event.type === 'response.reasoning_text.delta')
      return this.#think(String(event.delta), '')
    return ''
  }

  #open(item: unknown): string {
    this.#current = item
    this.#sent.add(item)
    if (this.#spoke) return this.#chunk({ content: BETWEEN })
    this.#spoke = true
    return ''
  }

  #note({ name, who, raw, source }: RunProgress & { kind: 'item' }): string {
    switch (name) {
      case 'message_output_created': {
        if (who.callerAgent !== null) return this.#tell(who, messageText(raw))
        this.#current = undefined
        if (this.#sent.has(raw.id)) {
          this.#sent.delete(raw.id) // its provider may use the id again
          return ''
        }
        return this.#say(messageText(raw)) // not from a model: the guidance of a guardrail
      }
      case 'tool_called':
      case 'tool_search_called':
        return this.#tell(who, describeCall(raw))
      case 'handoff_occured':
        return this.#tell(source, `-> ${who.agent}`)
      default:
        return ''
    }
  }

  /** A text that was not streamed. */
  #say(text: string): string {
    return text === '' ? '' : this.#open(undefined) + this.#chunk({ content: text })
  }

  /** What agents do beside the answer. */
  #tell({ agent }: Speaker, text: string): string {
    return text === '' ? '' : this.#think(`[${agent}] ${text}`, '\n')
  }

  #think(text: string, end: string): string {
    const begin = end !== '' && this.#thought ? '\n' : ''
    this.#thought = end === ''
    return this.#chunk({ reasoning_content: begin + text + end })
  }

  #chunk(delta: object, finish: FinishReason | null = null): string {
    const usage = this.#withUsage ? { usage: null } : {}
    return this.#raw({ choices: [{ index: 0, delta, finish_reason: finish }], ...usage })
  }

  #raw(fields: object): string {
    return `data: ${this.#head},${toJson(fields).slice(1)}\n\n`
  }

  #end(summary: RunSummary): string {
    if (summary.cancelled) return DONE
    if (summary.failure !== undefined && finishReasonOf(summary) === undefined)
      return frame(toJson(toError(500, { message: summary.failure, code: codeOf(summary) }))) + DONE
    const calls = toToolCalls(summary.clientCalls ?? []).map((call, index) => ({ index, ...call }))
    const { usage } = summary
    const used = this.#withUsage && usage !== undefined ? this.#raw({ choices: [], usage: toChatUsage(usage) }) : ''
    return (
      this.#say(toolAnswerOf(summary) ?? '') +
      (calls.length === 0 ? '' : this.#chunk({ tool_calls: calls })) +
      this.#chunk({}, finishReasonOf(summary)) +
      used +
      DONE
    )
  }
}

/** Whom an agent asks, or which tool it calls. */
function describeCall({ name, type, arguments: args }: InputItem): string {
  if (type !== 'function_call') return `-> ${String(type).replace(/_call$/, '')}`
  const { recipient_agent: recipient, message } = readArguments(args)
  return typeof recipient === 'string' && typeof message === 'string' ? `-> ${recipient}: ${message}` : `-> ${name}`
}

function readArguments(json: unknown): { recipient_agent?: unknown; message?: unknown } {
  try {
    return Object(parseInnerJson(String(json)))
  } catch {
    return {} // a model may write anything
  }
}

const toToolCalls = (calls: readonly InputItem[]): ChatToolCall[] =>
  calls.map(({ call_id, name, arguments: args }) => ({
    id: String(call_id),
    type: 'function',
    function: { name: String(name), arguments: String(args) },
  }))

/** Undefined for a failed run. */
function finishReasonOf(summary: RunSummary): FinishReason | undefined {
  const { cut, failure, clientCalls } = summary
  if (failure !== undefined) return codeOf(summary) === 'turn_limit' ? 'length' : undefined
  if (clientCalls !== undefined) return 'tool_calls'
  if (cut === undefined) return 'stop'
  return cut === 'content_filter' ? 'content_filter' : 'length'
}

/** The code of a failed run's error. */
export const codeOf = ({ errorCode }: RunSummary): string | null => errorCode?.toLowerCase() ?? null

/** The answer of a run that is not streamed; undefined for one that failed. */
export function toCompletion(runId: string, model: string, summary: RunSummary): ChatCompletion | undefined {
  const finish_reason = finishReasonOf(summary)
  if (finish_reason === undefined) return undefined
  const content = answerOf(summary)
  const { usage, clientCalls } = summary
  return {
    id: chatIdOf(runId),
    object: 'chat.completion',
    created: toSeconds(Date.now()),
    model,
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: content === '' && clientCalls !== undefined ? null : content,
          refusal: null,
          ...(clientCalls === undefined ? {} : { tool_calls: toToolCalls(clientCalls) }),
        },
        logprobs: null,
        finish_reason,
      },
    ],
    ...(usage === undefined ? {} : { usage: toChatUsage(usage) }),
  }
}
