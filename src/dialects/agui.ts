/** The AG-UI dialect: turns run events into the events of the AG-UI protocol (docs/ag-ui.md). */
import { randomUUID } from 'node:crypto'
import { AgencyError } from '../base/errors.ts'
import type { ResponseEvent } from '../models/model.ts'
import { nobody, type RunEvent, type Speaker } from '../runs/events.ts'
import type { RunSummary } from '../runs/hub.ts'
import { AGUI_VERSION, type AguiMessage, type AguiPart, type AguiRequest } from '../wire/agui.ts'
import type { AguiEvent, AguiTokenUsage } from '../wire/agui-events.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem, Usage } from '../wire/message.ts'
import { frame, toJson } from '../wire/sse.ts'
import { contentOf, partsOf, toolNameOf, toResult } from './agui-parts.ts'
import { Snapshots } from './agui-snapshots.ts'
import { toData } from './native.ts'

/** Creates the writer of one AG-UI response. */
export const createAguiDialect = (request: AguiRequest) => new AguiStream(request)

/** One thread of the run: the user's, or that of a send_message call. */
interface Branch {
  /** Key of the call that opened the thread; `USERS` for the user's thread. */
  readonly key: string
  readonly parent: Branch | undefined
  /** Run id of the agent that speaks in the thread; undefined for the entry agent. */
  subagentRunId: string | undefined
  /** End of every delta frame: the attribution as JSON. */
  tail: string
  /** Items that are being streamed, by their place in the response. */
  readonly open: Map<unknown, Streamed>
  /** The provider's id of a text -> the id it was sent with. */
  readonly texts: Map<unknown, string>
  /** The handoff call that was just made. */
  handoff: Call | undefined
}

/** A text, call or reasoning item that is sent in deltas. */
interface Streamed {
  readonly kind: 'text' | 'call' | 'code' | 'reasoning'
  readonly id: string
  /** Start of every delta frame, up to the delta. */
  readonly head: string
  /** True once a delta was sent. */
  started: boolean
  /** For reasoning: the text so far, for the snapshots. */
  text: string
  /** The agent it belongs to. */
  readonly metadata: JsonObject
}

/** A call that was sent and has no result yet. */
interface Call {
  readonly toolCallId: string
  readonly messageId: string
  readonly branch: Branch
}

/** Key of the user's thread. */
const USERS = ''
const callKey = (agent: string | null, callId: unknown) => `${agent}\n${callId}`
const event = (data: AguiEvent) => frame(toJson(data))

/** The frame of one delta. */
function send({ tail }: Branch, streamed: Streamed, piece: string): string {
  if (streamed.kind === 'reasoning') streamed.text += piece
  return streamed.head + toJson(piece) + tail
}

class AguiStream {
  readonly #request: AguiRequest
  readonly #snapshots: Snapshots
  #snapshotDue = false
  /** Number of items being streamed. A snapshot cannot contain them yet, and a client would drop them on reading one. */
  #openItems = 0
  readonly #branches = new Map<string, Branch>()
  readonly #branchBySpeaker = new WeakMap<Speaker, Branch>()
  readonly #calls = new Map<string, Call>()
  readonly #ids = new Set<string>()
  #failure: string | undefined

  constructor(request: AguiRequest) {
    this.#request = request
    const { messages, events } = request
    const isOptional = ({ role }: AguiMessage) => role === 'reasoning' || role === 'activity'
    this.#snapshots = new Snapshots(events.reasoning ? messages : messages.filter((message) => !isOptional(message)))
  }

  open(): string {
    const { threadId, runId, parentRunId } = this.#request
    return event({ type: 'RUN_STARTED', threadId, runId, parentRunId, protocolVersion: AGUI_VERSION })
  }

  frames(events: readonly RunEvent[]): string {
    let out = ''
    for (const runEvent of events) {
      const frames = this.#convert(runEvent)
      out += frames === '' && this.#request.rawEvents ? this.#raw(runEvent) : frames
      if (this.#snapshotDue && this.#openItems === 0) {
        this.#snapshotDue = false
        out += this.#snapshots.take()
      }
    }
    return out
  }

  /** The last frames of a run, which end with exactly one final event. */
  end(_runId: string, { failure, error, cancelled, usage }: RunSummary): string {
    if (failure !== undefined)
      return this.fail(this.#failure ?? failure, error instanceof AgencyError ? error.code : undefined, usage)
    let out = ''
    for (const branch of [...this.#branches.values()].reverse()) out += this.#close(branch) // innermost first
    out += this.#snapshots.close()
    if (cancelled && !this.#request.modern) return out + this.fail('The run was stopped.', 'CANCELLED', usage)
    const { threadId, runId } = this.#request
    const outcome = { type: cancelled ? ('cancelled' as const) : ('success' as const) }
    const metadata = usage === undefined ? undefined : { usage }
    return out + event({ type: 'RUN_FINISHED', threadId, runId, outcome, usage: toTokenUsage(usage), metadata })
  }

  /** The last frame of a run that failed or could not be started. */
  fail(message: string, code?: string, usage?: Usage): string {
    return event({ type: 'RUN_ERROR', message, code, usage: toTokenUsage(usage) })
  }

  #convert(runEvent: RunEvent): string {
    switch (runEvent.kind) {
      case 'model':
        return this.#convertModelEvent(runEvent.who, runEvent.event)
      case 'agent':
        return this.#enter(runEvent.who)
      case 'item':
        return this.#convertItem(runEvent)
      case 'error': {
        if (runEvent.nested)
          return this.#enter(runEvent.who) + this.#close(this.#branch(runEvent.who), runEvent.content)
        this.#failure = runEvent.content
        return ''
      }
      case 'tripped': // the guardrail's guidance was sent before
        this.#failure = this.#failure === undefined ? runEvent.content : `${runEvent.content}: ${this.#failure}`
        return ''
      default:
        return runEvent satisfies never
    }
  }

  // ---- model events

  #convertModelEvent(who: Speaker, modelEvent: ResponseEvent): string {
    switch (modelEvent.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return this.#piece(who, modelEvent, 'message')
      case 'response.function_call_arguments.delta':
      case 'response.code_interpreter_call_code.delta':
        return this.#piece(who, modelEvent, undefined)
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.#request.events.reasoning ? this.#piece(who, modelEvent, 'reasoning') : ''
      case 'response.reasoning_summary_part.added': {
        const branch = this.#branch(who)
        const streamed = branch.open.get(readPlace(modelEvent))
        return streamed === undefined ? '' : send(branch, streamed, '\n\n')
      }
      case 'response.output_item.added':
        return isObject(modelEvent.item) && modelEvent.item.type !== 'reasoning'
          ? this.#start(who, readPlace(modelEvent), modelEvent.item)
          : ''
      case 'response.output_item.done':
        return isObject(modelEvent.item) ? this.#finish(who, readPlace(modelEvent), modelEvent.item) : ''
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        return this.#endOpenItems(who, modelEvent.response)
      default:
        return ''
    }
  }

  /** Hot path: two lookups, one string. `type` is the type of the item when no `output_item.added` announced it. */
  #piece(who: Speaker, modelEvent: ResponseEvent, type: 'message' | 'reasoning' | undefined): string {
    const { delta } = modelEvent
    if (typeof delta !== 'string' || delta === '') return ''
    const branch = this.#branch(who)
    const place = readPlace(modelEvent)
    const streamed = branch.open.get(place)
    if (streamed === undefined)
      return type === undefined
        ? ''
        : this.#start(who, place, { type, id: modelEvent.item_id }) + this.#piece(who, modelEvent, type)
    const first = !streamed.started
    streamed.started = true
    if (streamed.kind !== 'code') return send(branch, streamed, delta)
    return send(branch, streamed, (first ? '{"code":"' : '') + JSON.stringify(delta).slice(1, -1))
  }

  /** Starts an item; an empty string for items without AG-UI events. */
  #start(who: Speaker, place: unknown, item: InputItem): string {
    const branch = this.#branch(who)
    if (branch.open.has(place)) return ''
    const { subagentRunId } = branch
    const metadata = toMetadata(who)
    const attribution = { subagentRunId, metadata }
    const open = (kind: Streamed['kind'], type: string, field: string, id: string) => {
      branch.open.set(place, {
        kind,
        id,
        head: `data: {"type":"${type}","${field}":${toJson(id)},"delta":`,
        started: false,
        text: '',
        metadata,
      })
      this.#openItems++
    }
    if (item.type === 'message') {
      const messageId = this.#newId(item.id)
      branch.texts.set(item.id, messageId)
      open('text', 'TEXT_MESSAGE_CONTENT', 'messageId', messageId)
      return event({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant', name: who.agent, ...attribution })
    }
    if (item.type === 'reasoning') {
      if (!this.#request.events.reasoning) return ''
      const messageId = this.#newId(item.id)
      open('reasoning', 'REASONING_MESSAGE_CONTENT', 'messageId', messageId)
      const span = event({ type: 'REASONING_START', messageId, subagentRunId })
      return span + event({ type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning', ...attribution })
    }
    const toolCallName = toolNameOf(item)
    if (toolCallName === undefined) return ''
    const callId = item.call_id ?? item.id
    const toolCallId = this.#newId(callId)
    const messageId = this.#newId(item.id) // differs from the call's id, which is the id of the result's message
    this.#calls.set(callKey(who.agent, callId), { toolCallId, messageId, branch })
    open(item.type === 'code_interpreter_call' ? 'code' : 'call', 'TOOL_CALL_ARGS', 'toolCallId', toolCallId)
    return event({ type: 'TOOL_CALL_START', toolCallId, toolCallName, parentMessageId: messageId, ...attribution })
  }

  /** Ends an item. Content that was not streamed is sent as one delta. */
  #finish(who: Speaker, place: unknown, item: InputItem): string {
    const whole = contentOf(item)
    let out = item.type === 'reasoning' && whole === '' ? '' : this.#start(who, place, item)
    const branch = this.#branch(who)
    const streamed = branch.open.get(place)
    if (streamed === undefined) return out
    if (!streamed.started && whole !== '') out += send(branch, streamed, whole)
    else if (streamed.started && streamed.kind === 'code')
      out += send(branch, streamed, `","container_id":${JSON.stringify(item.container_id ?? null)}}`)
    if (streamed.kind === 'text') branch.texts.set(item.id, streamed.id)
    out += this.#endItem(branch, place, streamed)
    return streamed.kind === 'call' || streamed.kind === 'code' ? out + this.#addCall(who, item, whole) : out
  }

  /** Adds a complete call to the snapshots. A hosted call has its result with it. */
  #addCall(who: Speaker, item: InputItem, args: string): string {
    const callId = item.call_id ?? item.id
    const call = this.#calls.get(callKey(who.agent, callId))
    if (call === undefined) return ''
    const { toolCallId: id, messageId, branch } = call
    const toolCalls = [{ id, type: 'function', function: { name: toolNameOf(item), arguments: args } }]
    const { subagentRunId } = branch
    this.#add({ id: messageId, role: 'assistant', toolCalls, subagentRunId, metadata: toMetadata(who) })
    if (item.type === 'function_call') return ''
    const results = item.type === 'file_search_call' ? item.results : item.outputs
    return this.#answer(who, callId, JSON.stringify(results ?? []))
  }

  /** Ends the items that the provider left open, with their content from the complete response. */
  #endOpenItems(who: Speaker, response: unknown): string {
    const branch = this.#branch(who)
    if (branch.open.size === 0) return ''
    const output: unknown[] = isObject(response) && Array.isArray(response.output) ? response.output : []
    let out = ''
    for (const place of [...branch.open.keys()]) {
      const item = output.find((other, index) => isObject(other) && (index === place || other.id === place))
      if (isObject(item)) out += this.#finish(who, place, item)
    }
    return out + this.#endAll(branch)
  }

  /** Ends all open items as they are. */
  #endAll(branch: Branch): string {
    let out = ''
    for (const [place, streamed] of branch.open) out += this.#endItem(branch, place, streamed)
    return out
  }

  #endItem({ open, subagentRunId }: Branch, place: unknown, { kind, id, text, metadata }: Streamed): string {
    open.delete(place)
    this.#openItems--
    if (kind === 'text') return event({ type: 'TEXT_MESSAGE_END', messageId: id, subagentRunId })
    if (kind !== 'reasoning') return event({ type: 'TOOL_CALL_END', toolCallId: id, subagentRunId })
    this.#snapshots.add({ id, role: 'reasoning', content: text, subagentRunId, metadata }, false) // the next snapshot has it
    return (
      event({ type: 'REASONING_MESSAGE_END', messageId: id, subagentRunId }) +
      event({ type: 'REASONING_END', messageId: id, subagentRunId })
    )
  }

  // ---- items of the conversation

  #convertItem(runEvent: RunEvent & { kind: 'item' }): string {
    const { who, source, raw } = runEvent
    switch (runEvent.name) {
      case 'message_output_created':
        return this.#convertMessage(who === nobody ? source : who, raw)
      case 'tool_output': {
        const subBranch = this.#branches.get(callKey(who.agent, raw.call_id))
        const result = toResult(raw.output, this.#request.modern)
        return (subBranch === undefined ? '' : this.#close(subBranch)) + this.#answer(who, raw.call_id, result)
      }
      case 'handoff_occured':
        this.#branch(source).handoff = this.#calls.get(callKey(source.agent, raw.call_id))
        // The original's snapshots lack the results of handoffs; ours have them in the closing snapshot.
        return this.#answer(source, raw.call_id, String(raw.output), true)
      default:
        return ''
    }
  }

  #convertMessage(who: Speaker, raw: InputItem): string {
    const branch = this.#branch(who)
    let out = branch.texts.has(raw.id) ? '' : this.#finish(who, raw, raw) // not from a model: the guidance of a guardrail
    const id = branch.texts.get(raw.id)
    branch.texts.delete(raw.id)
    const content = contentOf(raw)
    const { subagentRunId } = branch
    const annotations = partsOf(raw.content).flatMap((part) =>
      Array.isArray(part.annotations) ? part.annotations : [],
    )
    if (annotations.length > 0) {
      const value = { id, role: 'assistant', content, annotations }
      out += event({ type: 'CUSTOM', name: 'annotated_output', value, subagentRunId })
    }
    this.#add({ id, role: 'assistant', name: who.agent, content, subagentRunId, metadata: toMetadata(who) })
    return out
  }

  #answer(who: Speaker, callId: unknown, content: string | AguiPart[], late = false): string {
    const key = callKey(who.agent, callId)
    const id = this.#calls.get(key)?.toolCallId ?? String(callId)
    this.#calls.delete(key)
    const attribution = { subagentRunId: this.#branch(who).subagentRunId, metadata: toMetadata(who) }
    this.#add({ id, role: 'tool', content, toolCallId: id, ...attribution }, late)
    if (!this.#request.events.toolResults) return ''
    return event({ type: 'TOOL_CALL_RESULT', messageId: id, toolCallId: id, content, role: 'tool', ...attribution })
  }

  #add(message: JsonObject, late = false): void {
    this.#snapshots.add(message, late)
    if (!late) this.#snapshotDue = true
  }

  // ---- threads and agents

  #branch(who: Speaker): Branch {
    const cached = this.#branchBySpeaker.get(who)
    if (cached !== undefined) return cached
    const key = who.parentRunId === undefined ? USERS : callKey(who.callerAgent, who.parentRunId)
    const branch = this.#branches.get(key) ?? {
      key,
      parent: this.#calls.get(key)?.branch,
      subagentRunId: undefined,
      tail: '}\n\n',
      open: new Map(),
      texts: new Map(),
      handoff: undefined,
    }
    this.#branches.set(key, branch)
    this.#branchBySpeaker.set(who, branch)
    return branch
  }

  /** An agent starts to speak in a thread: as a sub-agent, or after a handoff. */
  #enter(who: Speaker): string {
    const branch = this.#branch(who)
    const { key, handoff, subagentRunId: before } = branch
    if (handoff === undefined && (key === USERS || before !== undefined)) return '' // the entry agent, or another attempt
    const left = this.#leave(branch)
    const call = handoff ?? this.#calls.get(key)
    const subagentRunId = this.#newId(who.agentRunId)
    branch.handoff = undefined
    branch.subagentRunId = subagentRunId
    branch.tail = `,"subagentRunId":${toJson(subagentRunId)}}\n\n`
    if (!this.#request.events.subagents) return left
    const started = event({
      type: 'SUBAGENT_STARTED',
      subagentRunId,
      name: who.agent,
      description: who.description || undefined,
      parentSubagentRunId: before ?? branch.parent?.subagentRunId,
      parentToolCallId: call?.toolCallId,
      parentMessageId: call?.messageId,
    })
    return left + started
  }

  #leave({ subagentRunId }: Branch, failure?: string): string {
    if (subagentRunId === undefined || !this.#request.events.subagents) return ''
    if (failure === undefined) return event({ type: 'SUBAGENT_FINISHED', subagentRunId })
    return event({ type: 'SUBAGENT_ERROR', subagentRunId, message: failure })
  }

  /** Closes a thread and the threads it opened. */
  #close(branch: Branch, failure?: string): string {
    this.#branches.delete(branch.key)
    let out = ''
    for (const other of [...this.#branches.values()]) if (other.parent === branch) out += this.#close(other)
    return out + this.#endAll(branch) + this.#leave(branch, failure)
  }

  // ---- ids and raw events

  /** The provider's id, made unique where a provider repeats one: clients merge items with the same id. */
  #newId(id: unknown): string {
    const wanted = typeof id === 'string' && id !== '' ? id : randomUUID()
    const isTaken = (candidate: string) =>
      this.#ids.has(candidate) || this.#request.messages.some((message) => message.id === candidate)
    let unique = wanted
    for (let count = 2; isTaken(unique); count++) unique = `${wanted}_${count}`
    this.#ids.add(unique)
    return unique
  }

  /** An event without an AG-UI counterpart, in the native form, without the agent's instructions and tools. */
  #raw(runEvent: RunEvent): string {
    if (runEvent.kind === 'item' && runEvent.name === 'message_output_created') return '' // the snapshots contain it
    const data: JsonObject = toData(runEvent)
    const inner = data.data
    if (isObject(inner) && isObject(inner.response)) {
      const { instructions: _, prompt: __, tools: ___, ...response } = inner.response
      data.data = { ...inner, response }
    }
    return event({ type: 'RAW', event: data, subagentRunId: this.#branch(runEvent.who).subagentRunId })
  }
}

/** The place of an event's item in its response. Ids are not reliable: some gateways change them within a stream. */
const readPlace = ({ output_index, item_id, item }: ResponseEvent): unknown =>
  typeof output_index === 'number' ? output_index : (item_id ?? (isObject(item) ? item.id : undefined))

const toMetadata = ({ agent, callerAgent, agentRunId, parentRunId }: Speaker): JsonObject => ({
  agent,
  callerAgent,
  agent_run_id: agentRunId,
  parent_run_id: parentRunId,
})

function toTokenUsage(usage: Usage | undefined): AguiTokenUsage[] | undefined {
  if (usage === undefined) return undefined
  return [
    {
      inputTokens: usage.input_tokens,
      outputTokens: usage.output_tokens,
      totalTokens: usage.total_tokens,
      cachedInputTokens: usage.cached_tokens,
      cacheWriteInputTokens: usage.cache_write_tokens,
      reasoningTokens: usage.reasoning_tokens,
    },
  ]
}
