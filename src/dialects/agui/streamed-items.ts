/** Turns the stream of a model into AG-UI texts, tool calls and reasoning: start, deltas, end. */
import type { ResponseEvent } from '../../models/model.ts'
import type { Speaker } from '../../runs/events.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { toJson } from '../../wire/sse.ts'
import { contentOf, hostedResultOf, placeOf, toolNameOf } from './parts.ts'
import { type AguiThread, type Branch, callKey, event, type Streamed, toMetadata } from './thread.ts'

/** The frame of one delta. */
function send({ tail }: Branch, streamed: Streamed, piece: string): string {
  if (streamed.kind === 'reasoning') streamed.text += piece
  return streamed.head + toJson(piece) + tail
}

export class StreamedItems {
  readonly #thread: AguiThread

  constructor(thread: AguiThread) {
    this.#thread = thread
  }

  /** The frames of one event of a model. */
  convert(who: Speaker, modelEvent: ResponseEvent): string {
    switch (modelEvent.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return this.#piece(who, modelEvent, 'message')
      case 'response.function_call_arguments.delta':
      case 'response.code_interpreter_call_code.delta':
        return this.#piece(who, modelEvent, undefined)
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.#thread.request.events.reasoning ? this.#piece(who, modelEvent, 'reasoning') : ''
      case 'response.reasoning_summary_part.added': {
        const branch = this.#thread.branch(who)
        const streamed = branch.open.get(placeOf(modelEvent))
        return streamed === undefined ? '' : send(branch, streamed, '\n\n')
      }
      case 'response.output_item.added':
        return isObject(modelEvent.item) && modelEvent.item.type !== 'reasoning'
          ? this.#start(who, placeOf(modelEvent), modelEvent.item)
          : ''
      case 'response.output_item.done':
        return isObject(modelEvent.item) ? this.finish(who, placeOf(modelEvent), modelEvent.item) : ''
      case 'response.completed':
      case 'response.incomplete':
      case 'response.done':
        return this.#endOpenItems(who, modelEvent.response)
      default:
        return ''
    }
  }

  /** Ends an item. Content that was not streamed is sent as one delta. */
  finish(who: Speaker, place: unknown, item: InputItem): string {
    const whole = contentOf(item)
    let out = item.type === 'reasoning' && whole === '' ? '' : this.#start(who, place, item)
    const branch = this.#thread.branch(who)
    const streamed = branch.open.get(place)
    if (streamed === undefined) return out
    if (!streamed.started && whole !== '') out += send(branch, streamed, whole)
    else if (streamed.started && streamed.kind === 'code')
      out += send(branch, streamed, `","container_id":${JSON.stringify(item.container_id ?? null)}}`)
    if (streamed.kind === 'text') branch.texts.set(item.id, streamed.id)
    out += this.#endItem(branch, place, streamed)
    return streamed.kind === 'call' || streamed.kind === 'code' ? out + this.#addCall(who, item, whole) : out
  }

  /** Ends all open items as they are. */
  endAll(branch: Branch): string {
    let out = ''
    for (const [place, streamed] of branch.open) out += this.#endItem(branch, place, streamed)
    return out
  }

  /** Hot path: two lookups, one string. `type` is the type of the item when no `output_item.added` announced it. */
  #piece(who: Speaker, modelEvent: ResponseEvent, type: 'message' | 'reasoning' | undefined): string {
    const { delta } = modelEvent
    if (typeof delta !== 'string' || delta === '') return ''
    const branch = this.#thread.branch(who)
    const place = placeOf(modelEvent)
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
    const thread = this.#thread
    const branch = thread.branch(who)
    if (branch.open.has(place)) return ''
    const { subagentRunId } = branch
    const metadata = toMetadata(who)
    const attribution = { subagentRunId, metadata }
    const open = (kind: Streamed['kind'], type: string, field: string, id: string) => {
      const head = `data: {"type":"${type}","${field}":${toJson(id)},"delta":`
      branch.open.set(place, { kind, id, head, started: false, text: '', metadata })
      thread.openItems++
    }
    if (item.type === 'message') {
      const messageId = thread.newId(item.id)
      branch.texts.set(item.id, messageId)
      open('text', 'TEXT_MESSAGE_CONTENT', 'messageId', messageId)
      return event({ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant', name: who.agent, ...attribution })
    }
    if (item.type === 'reasoning') {
      if (!thread.request.events.reasoning) return ''
      const messageId = thread.newId(item.id)
      open('reasoning', 'REASONING_MESSAGE_CONTENT', 'messageId', messageId)
      const span = event({ type: 'REASONING_START', messageId, subagentRunId })
      return span + event({ type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning', ...attribution })
    }
    const toolCallName = toolNameOf(item)
    if (toolCallName === undefined) return ''
    const callId = item.call_id ?? item.id
    const toolCallId = thread.newId(callId)
    const messageId = thread.newId(item.id) // differs from the call's id, which is the id of the result's message
    thread.calls.set(callKey(who.agent, callId), { toolCallId, messageId, branch })
    open(item.type === 'code_interpreter_call' ? 'code' : 'call', 'TOOL_CALL_ARGS', 'toolCallId', toolCallId)
    return event({ type: 'TOOL_CALL_START', toolCallId, toolCallName, parentMessageId: messageId, ...attribution })
  }

  /** Adds a complete call to the snapshots. A hosted call has its result with it. */
  #addCall(who: Speaker, item: InputItem, args: string): string {
    const callId = item.call_id ?? item.id
    const call = this.#thread.calls.get(callKey(who.agent, callId))
    if (call === undefined) return ''
    const { toolCallId: id, messageId, branch } = call
    const toolCalls = [{ id, type: 'function', function: { name: toolNameOf(item), arguments: args } }]
    const { subagentRunId } = branch
    this.#thread.add({ id: messageId, role: 'assistant', toolCalls, subagentRunId, metadata: toMetadata(who) })
    const result = hostedResultOf(item)
    return result === undefined ? '' : this.#thread.answer(who, callId, result)
  }

  /** Ends the items that the provider left open, with their content from the complete response. */
  #endOpenItems(who: Speaker, response: unknown): string {
    const branch = this.#thread.branch(who)
    if (branch.open.size === 0) return ''
    const output: unknown[] = isObject(response) && Array.isArray(response.output) ? response.output : []
    let out = ''
    for (const place of [...branch.open.keys()]) {
      const item = output.find((other, index) => isObject(other) && (index === place || other.id === place))
      if (isObject(item)) out += this.finish(who, place, item)
    }
    return out + this.endAll(branch)
  }

  #endItem({ open, subagentRunId }: Branch, place: unknown, { kind, id, text, metadata }: Streamed): string {
    open.delete(place)
    this.#thread.openItems--
    if (kind === 'text') return event({ type: 'TEXT_MESSAGE_END', messageId: id, subagentRunId })
    if (kind !== 'reasoning') return event({ type: 'TOOL_CALL_END', toolCallId: id, subagentRunId })
    this.#thread.addReasoning({ id, role: 'reasoning', content: text, subagentRunId, metadata })
    return (
      event({ type: 'REASONING_MESSAGE_END', messageId: id, subagentRunId }) +
      event({ type: 'REASONING_END', messageId: id, subagentRunId })
    )
  }
}
