/** Folds the events of a run into a response and the events of its stream (docs/openai.md). */
import { messageText } from '../../messages/items.ts'
import type { ResponseEvent } from '../../models/model.ts'
import type { RunProgress, RunSummary } from '../../runs/events.ts'
import type { Batch } from '../../runs/feed.ts'
import type { ApprovalsRequested, LoggedEvent, NumberedEvent } from '../../runs/stored/events.ts'
import type { InputItem } from '../../wire/message.ts'
import type { OpenAiResponse } from '../../wire/openai-responses.ts'
import { escapeLineEnds, toJson } from '../../wire/sse.ts'
import { toolAnswerOf, toText } from '../answer.ts'
import type { FrameWriter } from '../dialect.ts'
import { codeOf } from './chat-writer.ts'
import { toResponseUsage } from './response-object.ts'

/** An item of the output. */
interface Entry {
  item: { [key: string]: unknown; id: string; type: string; status?: string }
  index: number
  /** The text so far of a message or of reasoning. */
  text: string
  /** What stands before and after a delta of the text. */
  before: string
  after: string
  /** The number of the event that finished it. */
  done: number | undefined
}

export interface ResponseWriterOptions {
  /** The response, in progress and without output. */
  response: OpenAiResponse
  /** The sequence number of the last event that the reader has; Infinity for the response alone. Default: none */
  after?: number | undefined
  /** Tell what came after this event of a stored run, as a response of its own. Default: the whole run */
  since?: number | undefined
}

/** A pure fold: the same events give the same response and the same frames in every process. */
export class ResponseWriter implements FrameWriter {
  readonly #response: OpenAiResponse
  readonly #after: number
  readonly #since: number
  /** Nothing is sent: the events belong to an earlier response. */
  #muted: boolean
  #sequence = 0
  #indexes = 0
  /** Counts the ids of all items of the run. */
  #ids = 0
  #entries: Entry[] = []
  /** What the model is writing: a text or its reasoning, and the provider's id of it. */
  #open: { entry: Entry; id: unknown } | undefined
  /** Texts that the model has finished and that are not accepted yet, by the provider's id. */
  readonly #pending = new Map<unknown, Entry>()
  /** Calls that run, by call id. */
  readonly #calls = new Map<string, Entry>()
  #number = 0

  constructor({ response, after = -1, since = 0 }: ResponseWriterOptions) {
    this.#response = response
    this.#after = after
    this.#since = since
    this.#muted = since > 0
  }

  /** The response as it is so far. */
  get response(): OpenAiResponse {
    return { ...this.#response, output: this.#entries.filter(({ done }) => done !== undefined).map(({ item }) => item) }
  }

  frames({ events }: Batch): string {
    let out = ''
    for (const event of events) out += this.#write(event)
    return out
  }

  /** The frames of a stored run. */
  framesOf(events: readonly NumberedEvent[]): string {
    let out = ''
    for (const { number, event } of events) {
      this.#number = number
      if (this.#muted && number > this.#since) out += this.#startAnew()
      out += this.#write(event)
    }
    return out
  }

  #write(event: LoggedEvent): string {
    switch (event.kind) {
      case 'model':
        return event.who.callerAgent === null ? this.#hear(event.event) : ''
      case 'started':
        return this.#lifecycle('response.created') + this.#lifecycle('response.in_progress')
      case 'item':
        return event.who.callerAgent === null ? this.#note(event) : ''
      case 'agent': // the draft before it, if any, was rejected
        return event.who.callerAgent === null ? this.#abandon() : ''
      case 'attempt':
        return this.#void(event.voidAfter)
      case 'requires_action':
        return this.#ask(event.approvals)
      case 'ended':
        return this.#end(event.summary)
      default:
        return ''
    }
  }

  #hear(event: ResponseEvent): string {
    switch (event.type) {
      case 'response.output_text.delta': {
        const open = this.#open?.id === event.item_id ? '' : this.#begin('message', event.item_id)
        return open + this.#delta((this.#open as { entry: Entry }).entry, String(event.delta))
      }
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta': {
        const open = this.#open?.id === event.item_id ? '' : this.#begin('reasoning', event.item_id)
        return open + this.#delta((this.#open as { entry: Entry }).entry, String(event.delta))
      }
      case 'response.reasoning_summary_part.added':
        return this.#open?.entry.item.type === 'reasoning' && this.#open.entry.text !== ''
          ? this.#delta(this.#open.entry, '\n\n')
          : ''
      default:
        return ''
    }
  }

  /** Hot path: one text, one concatenation. */
  #delta(entry: Entry, delta: string): string {
    entry.text += delta
    const sequence = this.#sequence++
    if (sequence <= this.#after || this.#muted) return ''
    return entry.before + sequence + entry.after + escapeLineEnds(JSON.stringify(delta)) + END_OF_DELTA
  }

  #begin(type: 'message' | 'reasoning', id: unknown): string {
    const before = this.#setAside()
    const item =
      type === 'message'
        ? { status: 'in_progress', role: 'assistant', content: [] }
        : { status: 'in_progress', summary: [] }
    const [entry, added] = this.#add(type === 'message' ? 'msg' : 'rs', type, item)
    this.#open = { entry, id }
    return before + added + this.#openPart(entry)
  }

  #openPart(entry: Entry): string {
    const kind = KINDS[entry.item.type as keyof typeof KINDS]
    const place = { item_id: entry.item.id, output_index: entry.index, [kind.at]: 0 }
    entry.before = `event: ${kind.delta}\ndata: {"type":"${kind.delta}","sequence_number":`
    entry.after = `,${toJson(place).slice(1, -1)}${kind.extra},"delta":`
    return this.#emit(kind.partAdded, { ...place, part: kind.part('') })
  }

  /** Finishes a text or reasoning. An item that is not `completed` is no part of the response. */
  #finish(entry: Entry, status: 'completed' | 'incomplete', annotations: unknown[] = []): string {
    const kind = KINDS[entry.item.type as keyof typeof KINDS]
    const place = { item_id: entry.item.id, output_index: entry.index, [kind.at]: 0 }
    const part = { ...kind.part(entry.text), ...(annotations.length === 0 ? {} : { annotations }) }
    entry.item = { ...entry.item, status, [kind.list]: [part] }
    if (status === 'completed') entry.done = this.#number
    return (
      this.#emit(kind.textDone, { ...place, text: entry.text, ...(kind.extra === '' ? {} : { logprobs: [] }) }) +
      this.#emit(kind.partDone, { ...place, part }) +
      this.#emit('response.output_item.done', { output_index: entry.index, item: entry.item })
    )
  }

  /** The model goes on with something else: reasoning is finished, a text is so when it is accepted. */
  #setAside(): string {
    if (this.#open === undefined) return ''
    const { entry, id } = this.#open
    this.#open = undefined
    if (entry.item.type === 'reasoning') return this.#finish(entry, 'completed')
    this.#pending.set(id, entry)
    return ''
  }

  /** Finishes the texts that were not accepted. */
  #abandon(): string {
    let out = this.#setAside()
    for (const entry of this.#pending.values()) out += this.#finish(entry, 'incomplete')
    this.#pending.clear()
    return out
  }

  #note(event: RunProgress & { kind: 'item' }): string {
    const { name, raw, tool, who } = event
    switch (name) {
      case 'message_output_created':
        return this.#accept(raw)
      case 'reasoning_item_created':
        return this.#open?.entry.item.type === 'reasoning' ? this.#setAside() : ''
      case 'tool_called':
        if (raw.type !== 'function_call') return this.#copy(raw)
        return tool?.origin === undefined ? '' : this.#call(raw, who.agent) // transfers and the client's calls are not shown
      case 'tool_search_called':
      case 'tool_search_output_created':
        return this.#copy(raw)
      case 'tool_output':
        return this.#answer(raw)
      default:
        return ''
    }
  }

  #accept(raw: InputItem): string {
    const { id } = raw
    const text = messageText(raw)
    const waiting = this.#pending.get(id)
    const entry = this.#open?.id === id ? this.#open?.entry : waiting
    this.#pending.delete(id)
    if (entry === undefined) return text === '' ? '' : this.#say(text) // not from a model: the guidance of a guardrail
    if (this.#open?.entry === entry) this.#open = undefined
    const parts = Array.isArray(raw.content) ? raw.content : []
    return this.#finish(
      entry,
      'completed',
      parts.flatMap(({ annotations }) => (Array.isArray(annotations) ? annotations : [])),
    )
  }

  /** A message that was not streamed. */
  #say(text: string): string {
    const begun = this.#begin('message', undefined)
    const { entry } = this.#open as { entry: Entry }
    this.#open = undefined
    return begun + this.#delta(entry, text) + this.#finish(entry, 'completed')
  }

  /** A call that the provider has run. */
  #copy({ id: _, ...raw }: InputItem): string {
    const [entry, added] = this.#add('hosted', String(raw.type), { ...raw, status: 'completed' })
    return this.#set(added, entry)
  }

  #call({ name, call_id, arguments: args }: InputItem, agent: string): string {
    const item = { server_label: agent, name, arguments: '', output: null, error: null, status: 'in_progress' }
    const [entry, added] = this.#add('mcp', 'mcp_call', item)
    this.#calls.set(String(call_id), entry)
    entry.item = { ...entry.item, arguments: String(args) }
    const place = { item_id: entry.item.id, output_index: entry.index }
    return (
      added +
      this.#emit('response.mcp_call.in_progress', place) +
      this.#emit('response.mcp_call_arguments.delta', { ...place, delta: String(args) }) +
      this.#emit('response.mcp_call_arguments.done', { ...place, arguments: String(args) })
    )
  }

  #answer({ call_id, output }: InputItem): string {
    const entry = this.#calls.get(String(call_id))
    if (entry === undefined) return ''
    this.#calls.delete(String(call_id))
    entry.item = { ...entry.item, output: toText(output), status: 'completed' }
    const place = { item_id: entry.item.id, output_index: entry.index }
    return this.#set(this.#emit('response.mcp_call.completed', place), entry)
  }

  #ask(approvals: ApprovalsRequested['approvals']): string {
    let out = ''
    for (const { approvalId, agent, tool, arguments: args } of approvals) {
      const item = { server_label: agent, name: tool, arguments: JSON.stringify(args) }
      const [entry, added] = this.#add('mcpr', 'mcp_approval_request', item, `mcpr_${approvalId}`)
      out += this.#set(added, entry)
    }
    return out
  }

  /** Hands a call back to the client. */
  #handBack({ call_id, name, arguments: args }: InputItem): string {
    const item = { call_id, name, arguments: '', status: 'in_progress' }
    const [entry, added] = this.#add('fc', 'function_call', item)
    entry.item = { ...entry.item, arguments: String(args), status: 'completed' }
    const place = { item_id: entry.item.id, output_index: entry.index }
    const told =
      added +
      this.#emit('response.function_call_arguments.delta', { ...place, delta: String(args) }) +
      this.#emit('response.function_call_arguments.done', { ...place, name, arguments: String(args) })
    return this.#set(told, entry)
  }

  #add(prefix: string, type: string, fields: object, id?: string): [entry: Entry, frames: string] {
    const index = this.#indexes++
    const own =
      id ?? `${prefix}_${this.#response.id.slice('resp_'.length)}${(this.#ids++).toString(16).padStart(4, '0')}`
    const item = { id: own, type, ...fields }
    const entry: Entry = { item, index, text: '', before: '', after: '', done: undefined }
    this.#entries.push(entry)
    return [entry, this.#emit('response.output_item.added', { output_index: index, item })]
  }

  /** The rest of the run is a response of its own; calls that still run are repeated in it. */
  #startAnew(): string {
    const calls = [...this.#calls]
    this.#muted = false
    this.#sequence = 0
    this.#indexes = 0
    this.#entries = []
    this.#calls.clear()
    let out = this.#lifecycle('response.created') + this.#lifecycle('response.in_progress')
    for (const [call_id, { item }] of calls)
      out += this.#call(
        { call_id, name: String(item.name), arguments: String(item.arguments) },
        String(item.server_label),
      )
    return out
  }

  /** Finishes an item that is part of the response. */
  #set(frames: string, entry: Entry): string {
    entry.done = this.#number
    return frames + this.#emit('response.output_item.done', { output_index: entry.index, item: entry.item })
  }

  /** A new attempt began: what was said after an event did not happen. */
  #void(after: number): string {
    let out = this.#abandon()
    for (const entry of this.#calls.values()) out += this.#stop(entry)
    this.#calls.clear()
    for (const entry of this.#entries) if (entry.done !== undefined && entry.done > after) entry.done = undefined
    return out
  }

  #stop(entry: Entry): string {
    entry.item = { ...entry.item, status: 'incomplete' }
    const place = { item_id: entry.item.id, output_index: entry.index }
    return (
      this.#emit('response.mcp_call.failed', place) +
      this.#emit('response.output_item.done', { output_index: entry.index, item: entry.item })
    )
  }

  #end(summary: RunSummary): string {
    const { clientCalls = [], usage, cancelled } = summary
    let out = this.#abandon()
    for (const entry of this.#calls.values()) out += this.#stop(entry)
    const tool = toolAnswerOf(summary)
    if (tool !== undefined && tool !== '') out += this.#say(tool)
    for (const call of clientCalls) out += this.#handBack(call)
    this.#response.usage = usage === undefined ? null : toResponseUsage(usage)
    Object.assign(this.#response, endOf(summary))
    // No event says it: clients fail at an unknown one.
    return cancelled ? out : out + this.#lifecycle(`response.${this.#response.status}`)
  }

  /** Ends the stream of a run that waits for approvals; calls that wait are repeated when it goes on. */
  pause(): string {
    let out = ''
    for (const { item, index } of this.#calls.values()) {
      const waiting = { ...item, status: 'incomplete' }
      out += this.#emit('response.output_item.done', { output_index: index, item: waiting })
    }
    this.#response.status = 'completed'
    return out + this.#lifecycle('response.completed')
  }

  #lifecycle(type: string): string {
    return this.#emit(type, { response: this.response })
  }

  #emit(type: string, fields: object): string {
    const sequence = this.#sequence++
    if (sequence <= this.#after || this.#muted) return ''
    return `event: ${type}\ndata: ${toJson({ type, sequence_number: sequence, ...fields })}\n\n`
  }
}

const END_OF_DELTA = '}\n\n'

/** How texts and reasoning are written. */
const KINDS = {
  message: {
    at: 'content_index',
    list: 'content',
    extra: ',"logprobs":[]',
    part: (text: string) => ({ type: 'output_text', text, annotations: [] as unknown[], logprobs: [] }),
    partAdded: 'response.content_part.added',
    partDone: 'response.content_part.done',
    delta: 'response.output_text.delta',
    textDone: 'response.output_text.done',
  },
  reasoning: {
    at: 'summary_index',
    list: 'summary',
    extra: '',
    part: (text: string) => ({ type: 'summary_text', text }),
    partAdded: 'response.reasoning_summary_part.added',
    partDone: 'response.reasoning_summary_part.done',
    delta: 'response.reasoning_summary_text.delta',
    textDone: 'response.reasoning_summary_text.done',
  },
} as const

/** Errors that leave a response incomplete and not failed. */
const INCOMPLETE: { readonly [code: string]: string } = { turn_limit: 'max_turns', cost_limit: 'max_cost' }

function endOf(summary: RunSummary): Pick<OpenAiResponse, 'status' | 'error' | 'incomplete_details'> {
  const { cancelled, failure, cut } = summary
  if (cancelled) return { status: 'cancelled', error: null, incomplete_details: null }
  const reason = failure === undefined ? cut : INCOMPLETE[codeOf(summary) ?? '']
  if (reason !== undefined) return { status: 'incomplete', error: null, incomplete_details: { reason } }
  if (failure === undefined) return { status: 'completed', error: null, incomplete_details: null }
  return { status: 'failed', error: { code: 'server_error', message: failure }, incomplete_details: null }
}
