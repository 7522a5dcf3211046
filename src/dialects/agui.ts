import { randomUUID } from 'node:crypto'
import { AgencyError } from '../errors.ts'
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

/** AG-UI: run events as the events of the protocol that front ends speak (docs/ag-ui.md). One per response. */
export const createAguiDialect = (request: AguiRequest) => new AguiStream(request)

/** One conversation of the run: the user's, or one agent's with another, which its call tells apart. */
interface Branch {
  /** Key of the call that opened it. */
  readonly key: string
  readonly parent: Branch | undefined
  /** The sub-agent that has the word; undefined for the entry agent. */
  subagentRunId: string | undefined
  /** How a frame of a piece ends: the attribution, as JSON. */
  tail: string
  /** What is on its way, by its place in the response. */
  readonly open: Map<unknown, Streamed>
  /** The provider's id of a text -> the id it was sent under. */
  readonly texts: Map<unknown, string>
  /** The transfer that was just made. */
  handoff: Call | undefined
}

/** A text, call or reasoning that is sent in pieces. */
interface Streamed {
  readonly kind: 'text' | 'call' | 'code' | 'reasoning'
  readonly id: string
  /** A frame of a piece up to the piece itself. */
  readonly head: string
  begun: boolean
  /** Reasoning: its text so far, which becomes a message of the snapshots. */
  text: string
  /** Whose it is. */
  readonly metadata: JsonObject
}

/** A call as it was sent, until it is answered. */
interface Call {
  readonly toolCallId: string
  readonly messageId: string
  readonly branch: Branch
}

const USERS = ''
const keyOf = (agent: string | null, callId: unknown) => `${agent}\n${callId}`
const event = (said: AguiEvent) => frame(toJson(said))

function send({ tail }: Branch, streamed: Streamed, piece: string): string {
  if (streamed.kind === 'reasoning') streamed.text += piece
  return streamed.head + toJson(piece) + tail
}

class AguiStream {
  readonly #request: AguiRequest
  readonly #snapshots: Snapshots
  #snapshotDue = false
  /** Items that are still growing: a snapshot, which cannot hold them yet, would take them from the client. */
  #onTheWay = 0
  readonly #branches = new Map<string, Branch>()
  readonly #branchOf = new WeakMap<Speaker, Branch>()
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
    for (const said of events) {
      const made = this.#tell(said)
      out += made === '' && this.#request.rawEvents ? this.#raw(said) : made
      if (this.#snapshotDue && this.#onTheWay === 0) {
        this.#snapshotDue = false
        out += this.#snapshots.take()
      }
    }
    return out
  }

  /** Exactly one final event, and nothing after it. */
  end(_runId: string, { failure, error, cancelled, usage }: RunSummary): string {
    if (failure !== undefined)
      return this.fail(this.#failure ?? failure, error instanceof AgencyError ? error.code : undefined, usage)
    let out = ''
    for (const branch of [...this.#branches.values()].reverse()) out += this.#close(branch) // the innermost first
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

  #tell(said: RunEvent): string {
    switch (said.kind) {
      case 'model':
        return this.#hear(said.who, said.event)
      case 'agent':
        return this.#enter(said.who)
      case 'item':
        return this.#keep(said)
      case 'error': {
        if (said.nested) return this.#enter(said.who) + this.#close(this.#branch(said.who), said.content)
        this.#failure = said.content
        return ''
      }
      case 'tripped': // an input guardrail's guidance came before
        this.#failure = this.#failure === undefined ? said.content : `${said.content}: ${this.#failure}`
        return ''
      default:
        return said satisfies never
    }
  }

  // ---- what models say

  #hear(who: Speaker, said: ResponseEvent): string {
    switch (said.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return this.#piece(who, said, 'message')
      case 'response.function_call_arguments.delta':
      case 'response.code_interpreter_call_code.delta':
        return this.#piece(who, said, undefined)
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.#request.events.reasoning ? this.#piece(who, said, 'reasoning') : ''
      case 'response.reasoning_summary_part.added': {
        const branch = this.#branch(who)
        const streamed = branch.open.get(placeOf(said))
        return streamed === undefined ? '' : send(branch, streamed, '\n\n')
      }
      case 'response.output_item.added':
        return isObject(said.item) && said.item.type !== 'reasoning' ? this.#start(who, placeOf(said), said.item) : ''
      case 'response.output_item.done':
        return isObject(said.item) ? this.#finish(who, placeOf(said), said.item) : ''
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        return this.#settle(who, said.response)
      default:
        return ''
    }
  }

  /** The hot path: two look-ups, one string. `type` is what the piece belongs to when nothing announced it. */
  #piece(who: Speaker, said: ResponseEvent, type: 'message' | 'reasoning' | undefined): string {
    const { delta } = said
    if (typeof delta !== 'string' || delta === '') return ''
    const branch = this.#branch(who)
    const place = placeOf(said)
    const streamed = branch.open.get(place)
    if (streamed === undefined)
      return type === undefined
        ? ''
        : this.#start(who, place, { type, id: said.item_id }) + this.#piece(who, said, type)
    const first = !streamed.begun
    streamed.begun = true
    if (streamed.kind !== 'code') return send(branch, streamed, delta)
    return send(branch, streamed, (first ? '{"code":"' : '') + JSON.stringify(delta).slice(1, -1))
  }

  /** Opens an item; nothing for those that AG-UI has no events for. */
  #start(who: Speaker, place: unknown, item: InputItem): string {
    const branch = this.#branch(who)
    if (branch.open.has(place)) return ''
    const { subagentRunId } = branch
    const metadata = metadataOf(who)
    const attribution = { subagentRunId, metadata }
    const open = (kind: Streamed['kind'], type: string, field: string, id: string) => {
      branch.open.set(place, {
        kind,
        id,
        head: `data: {"type":"${type}","${field}":${toJson(id)},"delta":`,
        begun: false,
        text: '',
        metadata,
      })
      this.#onTheWay++
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
    const messageId = this.#newId(item.id) // not the call's id, which the message of its result has
    this.#calls.set(keyOf(who.agent, callId), { toolCallId, messageId, branch })
    open(item.type === 'code_interpreter_call' ? 'code' : 'call', 'TOOL_CALL_ARGS', 'toolCallId', toolCallId)
    return event({ type: 'TOOL_CALL_START', toolCallId, toolCallName, parentMessageId: messageId, ...attribution })
  }

  /** Ends an item; what did not come in pieces is said in one. */
  #finish(who: Speaker, place: unknown, item: InputItem): string {
    const whole = contentOf(item)
    let out = item.type === 'reasoning' && whole === '' ? '' : this.#start(who, place, item)
    const branch = this.#branch(who)
    const streamed = branch.open.get(place)
    if (streamed === undefined) return out
    if (!streamed.begun && whole !== '') out += send(branch, streamed, whole)
    else if (streamed.begun && streamed.kind === 'code')
      out += send(branch, streamed, `","container_id":${JSON.stringify(item.container_id ?? null)}}`)
    if (streamed.kind === 'text') branch.texts.set(item.id, streamed.id)
    out += this.#shut(branch, place, streamed)
    return streamed.kind === 'call' || streamed.kind === 'code' ? out + this.#called(who, item, whole) : out
  }

  /** A call is complete; a hosted one brings its result along. */
  #called(who: Speaker, item: InputItem, args: string): string {
    const callId = item.call_id ?? item.id
    const call = this.#calls.get(keyOf(who.agent, callId))
    if (call === undefined) return ''
    const { toolCallId: id, messageId, branch } = call
    const toolCalls = [{ id, type: 'function', function: { name: toolNameOf(item), arguments: args } }]
    const { subagentRunId } = branch
    this.#add({ id: messageId, role: 'assistant', toolCalls, subagentRunId, metadata: metadataOf(who) })
    if (item.type === 'function_call') return ''
    const results = item.type === 'file_search_call' ? item.results : item.outputs
    return this.#answer(who, callId, JSON.stringify(results ?? []))
  }

  /** A turn is over: what the provider left open is ended with what the response says of it. */
  #settle(who: Speaker, response: unknown): string {
    const branch = this.#branch(who)
    if (branch.open.size === 0) return ''
    const output: unknown[] = isObject(response) && Array.isArray(response.output) ? response.output : []
    let out = ''
    for (const place of [...branch.open.keys()]) {
      const item = output.find((other, index) => isObject(other) && (index === place || other.id === place))
      if (isObject(item)) out += this.#finish(who, place, item)
    }
    return out + this.#shutAll(branch)
  }

  #shutAll(branch: Branch): string {
    let out = ''
    for (const [place, streamed] of branch.open) out += this.#shut(branch, place, streamed)
    return out
  }

  #shut({ open, subagentRunId }: Branch, place: unknown, { kind, id, text, metadata }: Streamed): string {
    open.delete(place)
    this.#onTheWay--
    if (kind === 'text') return event({ type: 'TEXT_MESSAGE_END', messageId: id, subagentRunId })
    if (kind !== 'reasoning') return event({ type: 'TOOL_CALL_END', toolCallId: id, subagentRunId })
    this.#snapshots.add({ id, role: 'reasoning', content: text, subagentRunId, metadata }, false) // the next snapshot has it
    return (
      event({ type: 'REASONING_MESSAGE_END', messageId: id, subagentRunId }) +
      event({ type: 'REASONING_END', messageId: id, subagentRunId })
    )
  }

  // ---- what becomes part of the conversation

  #keep(said: RunEvent & { kind: 'item' }): string {
    const { who, source, raw } = said
    switch (said.name) {
      case 'message_output_created':
        return this.#keepText(who === nobody ? source : who, raw)
      case 'tool_output': {
        const asked = this.#branches.get(keyOf(who.agent, raw.call_id))
        const result = toResult(raw.output, this.#request.modern)
        return (asked === undefined ? '' : this.#close(asked)) + this.#answer(who, raw.call_id, result)
      }
      case 'handoff_occured':
        this.#branch(source).handoff = this.#calls.get(keyOf(source.agent, raw.call_id))
        // The original's snapshots have no results of transfers; ours have them at the end.
        return this.#answer(source, raw.call_id, String(raw.output), true)
      default:
        return ''
    }
  }

  #keepText(who: Speaker, raw: InputItem): string {
    const branch = this.#branch(who)
    let out = branch.texts.has(raw.id) ? '' : this.#finish(who, raw, raw) // no model said it: a guardrail's guidance
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
    this.#add({ id, role: 'assistant', name: who.agent, content, subagentRunId, metadata: metadataOf(who) })
    return out
  }

  #answer(who: Speaker, callId: unknown, content: string | AguiPart[], late = false): string {
    const key = keyOf(who.agent, callId)
    const id = this.#calls.get(key)?.toolCallId ?? String(callId)
    this.#calls.delete(key)
    const attribution = { subagentRunId: this.#branch(who).subagentRunId, metadata: metadataOf(who) }
    this.#add({ id, role: 'tool', content, toolCallId: id, ...attribution }, late)
    if (!this.#request.events.toolResults) return ''
    return event({ type: 'TOOL_CALL_RESULT', messageId: id, toolCallId: id, content, role: 'tool', ...attribution })
  }

  #add(message: JsonObject, late = false): void {
    this.#snapshots.add(message, late)
    if (!late) this.#snapshotDue = true
  }

  // ---- who speaks

  #branch(who: Speaker): Branch {
    const known = this.#branchOf.get(who)
    if (known !== undefined) return known
    const key = who.parentRunId === undefined ? USERS : keyOf(who.callerAgent, who.parentRunId)
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
    this.#branchOf.set(who, branch)
    return branch
  }

  /** An agent takes the word: asked by another, or handed the conversation. */
  #enter(who: Speaker): string {
    const branch = this.#branch(who)
    const { key, handoff, subagentRunId: before } = branch
    if (handoff === undefined && (key === USERS || before !== undefined)) return '' // the entry agent; another attempt
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

  /** A conversation is over, and with it those it had opened. */
  #close(branch: Branch, failure?: string): string {
    this.#branches.delete(branch.key)
    let out = ''
    for (const other of [...this.#branches.values()]) if (other.parent === branch) out += this.#close(other)
    return out + this.#shutAll(branch) + this.#leave(branch, failure)
  }

  // ---- odds of the protocol

  /** The provider's id, made unique where a provider repeats itself: clients join what has one id. */
  #newId(id: unknown): string {
    const wanted = typeof id === 'string' && id !== '' ? id : randomUUID()
    const isTaken = (made: string) => this.#ids.has(made) || this.#request.messages.some((known) => known.id === made)
    let made = wanted
    for (let count = 2; isTaken(made); count++) made = `${wanted}_${count}`
    this.#ids.add(made)
    return made
  }

  /** What AG-UI has no event for, as native clients get it, without what the agent was told. */
  #raw(said: RunEvent): string {
    if (said.kind === 'item' && said.name === 'message_output_created') return '' // the snapshots tell of it
    const data: JsonObject = toData(said)
    const inner = data.data
    if (isObject(inner) && isObject(inner.response)) {
      const { instructions: _, prompt: __, tools: ___, ...response } = inner.response
      data.data = { ...inner, response }
    }
    return event({ type: 'RAW', event: data, subagentRunId: this.#branch(said.who).subagentRunId })
  }
}

/** Where an event's item stands in its response; ids are no key, some gateways change them on the way. */
const placeOf = ({ output_index, item_id, item }: ResponseEvent): unknown =>
  typeof output_index === 'number' ? output_index : (item_id ?? (isObject(item) ? item.id : undefined))

const metadataOf = ({ agent, callerAgent, agentRunId, parentRunId }: Speaker): JsonObject => ({
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
