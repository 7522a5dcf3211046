/** Turns the stream of a model into texts, reasoning and calls of a UI message: start, deltas, end. */
import type { ResponseEvent } from '../../models/model.ts'
import type { Speaker } from '../../runs/events.ts'
import { isObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { toJson } from '../../wire/sse.ts'
import { contentOf, placeOf } from '../agui/parts.ts'
import type { Calls } from './calls.ts'
import { chunk, deltaHead, readArguments, toProviderMetadata } from './chunks.ts'
import { describeHosted } from './hosted.ts'
import type { Subagents } from './subagents.ts'

/** A part that is being written. */
interface OpenPart {
  readonly kind: 'text' | 'reasoning' | 'call'
  readonly id: string
  /** Start of every delta frame, up to the delta. */
  readonly head: string
  /** True once a delta was written. */
  started: boolean
}

const TURN_ENDS = new Set(['response.completed', 'response.incomplete', 'response.failed', 'response.done'])

export class StreamedParts {
  readonly #calls: Calls
  /** By the place of the item in its response. */
  readonly #open = new Map<unknown, OpenPart>()
  /** The provider's ids of messages that were written as they came. */
  readonly #written = new Set<unknown>()
  #count = 0

  constructor(calls: Calls) {
    this.#calls = calls
  }

  /** True for the last event of a model's answer. */
  endsTurn({ type }: ResponseEvent): boolean {
    return TURN_ENDS.has(type)
  }

  /** The frames of one event of a model that answers the user. */
  convert(who: Speaker, event: ResponseEvent): string {
    switch (event.type) {
      case 'response.output_text.delta':
      case 'response.refusal.delta':
        return this.#piece(who, event, 'message')
      case 'response.reasoning_summary_text.delta':
      case 'response.reasoning_text.delta':
        return this.#piece(who, event, 'reasoning')
      case 'response.function_call_arguments.delta':
        return this.#piece(who, event, undefined)
      case 'response.reasoning_summary_part.added': {
        const part = this.#open.get(placeOf(event))
        return part?.started === true ? send(part, '\n\n') : ''
      }
      case 'response.output_item.added':
        // Reasoning often stays empty: its part begins with the first piece.
        return isObject(event.item) && event.item.type !== 'reasoning'
          ? this.#start(who, placeOf(event), event.item)
          : ''
      case 'response.output_item.done':
        return isObject(event.item) ? this.#finish(who, placeOf(event), event.item) : ''
      default:
        return TURN_ENDS.has(event.type) ? this.endAll() : ''
    }
  }

  /** The frames of one event of a model that works for another agent. */
  convertSubagent(subagents: Subagents, who: Speaker, { type, delta }: ResponseEvent): string {
    const isText = type === 'response.output_text.delta' || type === 'response.refusal.delta'
    return isText && typeof delta === 'string' ? subagents.addText(who, delta) : ''
  }

  /** A message is complete. One that no model wrote, such as the guidance of a guardrail, is written here. */
  finishMessage(who: Speaker, item: InputItem): string {
    if (this.#written.delete(item.id)) return ''
    const out = this.#finish(who, item, item)
    this.#written.delete(item.id)
    return out
  }

  /** Ends all open parts as they are. */
  endAll(): string {
    let out = ''
    for (const [place, part] of this.#open) out += this.#end(place, part)
    return out
  }

  /** Hot path: one lookup, one string. `type` is the type of the item when no `output_item.added` announced it. */
  #piece(who: Speaker, event: ResponseEvent, type: 'message' | 'reasoning' | undefined): string {
    const { delta } = event
    if (typeof delta !== 'string' || delta === '') return ''
    const place = placeOf(event)
    const part = this.#open.get(place)
    if (part !== undefined) return send(part, delta)
    if (type === undefined) return ''
    return this.#start(who, place, { type, id: event.item_id }) + this.#piece(who, event, undefined)
  }

  #start(who: Speaker, place: unknown, item: InputItem): string {
    if (this.#open.has(place)) return ''
    if (item.type === 'function_call') {
      const call = this.#calls.start(item)
      if (call === undefined) return ''
      const head = deltaHead('tool-input-delta', 'toolCallId', call.toolCallId, 'inputTextDelta')
      this.#open.set(place, { kind: 'call', id: call.toolCallId, head, started: false })
      return call.frame
    }
    if (item.type !== 'message' && item.type !== 'reasoning') return ''
    const kind = item.type === 'message' ? 'text' : 'reasoning'
    if (kind === 'text') this.#written.add(item.id)
    const id = `${kind}-${++this.#count}`
    this.#open.set(place, { kind, id, head: deltaHead(`${kind}-delta`, 'id', id, 'delta'), started: false })
    return chunk({ type: `${kind}-start`, id, providerMetadata: toProviderMetadata(who) })
  }

  /** Ends an item. Content that was not streamed is written as one delta. */
  #finish(who: Speaker, place: unknown, item: InputItem): string {
    if (String(item.type).endsWith('_call') && item.type !== 'function_call') return this.#hosted(who, item)
    const whole = contentOf(item)
    let out = item.type === 'reasoning' && whole === '' ? '' : this.#start(who, place, item)
    const part = this.#open.get(place)
    if (part === undefined) return out
    if (!part.started && whole !== '') out += send(part, whole)
    if (part.kind === 'call') this.#calls.written(item)
    if (part.kind === 'text') this.#written.add(item.id) // some gateways change ids within a stream
    return out + this.#end(place, part)
  }

  #end(place: unknown, { kind, id }: OpenPart): string {
    this.#open.delete(place)
    return kind === 'call' ? '' : chunk({ type: `${kind}-end`, id })
  }

  /** A call that the provider has run: its input and its output come together. */
  #hosted(who: Speaker, item: InputItem): string {
    const { toolName, input, output, file, error } = describeHosted(item, readArguments(item.arguments))
    const providerMetadata = toProviderMetadata(who)
    if (file !== undefined) return chunk({ type: 'file', ...file })
    const toolCallId = String(item.call_id ?? item.id)
    const about = { toolCallId, providerExecuted: true }
    return (
      chunk({ type: 'tool-input-available', ...about, toolName, input, providerMetadata }) +
      (error === undefined
        ? chunk({ type: 'tool-output-available', ...about, output })
        : chunk({ type: 'tool-output-error', ...about, errorText: error }))
    )
  }
}

function send(part: OpenPart, piece: string): string {
  part.started = true
  return `${part.head}${toJson(piece)}}\n\n`
}
