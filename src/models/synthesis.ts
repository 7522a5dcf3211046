/** Builds responses and events of the Responses API from the answers of other APIs. */

import { ANSWER_LIMITS } from '../base/limits.ts'
import { tooManyCalls } from '../base/model-errors.ts'
import { saidIn } from '../messages/items.ts'
import { asText, isObject, type JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import { type Ending, stoppedBy } from './ending.ts'
import { CallIds, newId } from './ids.ts'
import type { ModelResponse, ResponseEvent, ResponseUsage, TurnRequest } from './model.ts'

type Item = InputItem & { id: string }
type Key = string | number
type TextPart = { type: 'output_text'; text: string; annotations: JsonObject[]; logprobs: never[] }

export interface SynthesisOptions {
  /** The provider that answers: kept in every item's `provider_data`. */
  model: string
  /** The request that is answered: it has the ids for messages and reasoning, and the call ids in use. Default: random ids. */
  request?: Pick<TurnRequest, 'itemIds' | 'input'> | undefined
}

/**
 * Builds a response from the parts that a provider without the Responses API streams: parts go in, the events and
 * the response of that API come out (order: docs/wire.md, "Other APIs than Responses").
 */
export class ResponseSynthesis {
  usage: ResponseUsage | undefined
  readonly #model: string
  readonly #itemIds: TurnRequest['itemIds']
  readonly #callIds: CallIds
  #named = 0
  #id = newId('resp')
  readonly #createdAt = Math.floor(Date.now() / 1000)
  readonly #output: Item[] = []
  /** The position of each item in the output. */
  readonly #indexes = new Map<Item, number>()
  readonly #thoughts = new Map<Key, Item>()
  readonly #calls = new Map<Key, Item>()
  #message: Item | undefined
  /** The message's text part, its item, and the item's position in the output. */
  #text:
    | { item: Item; part: TextPart; at: { item_id: string; output_index: number; content_index: number } }
    | undefined
  #refusal: JsonObject | undefined
  /** The reasoning item whose last part is still open. */
  #thinking: Item | undefined
  #events: ResponseEvent[] = []
  #sequence = 0

  constructor({ model, request }: SynthesisOptions) {
    this.#model = model
    this.#itemIds = request?.itemIds
    this.#callIds = new CallIds(request?.input)
  }

  /** The provider's id of the response. It has no effect after the first event. */
  identify(id: string): void {
    if (this.#sequence === 0) this.#id = id
  }

  /** Emits the events that begin a response, once. */
  begin(): void {
    if (this.#sequence > 0) return
    this.#event('response.created', { response: { ...this.#response(), status: 'in_progress', output: [] } })
  }

  /** The events since the last call. */
  take(): ResponseEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** Opens a reasoning item; `key` is the provider's id for it. A known key changes nothing. */
  openThought(key: Key): void {
    if (this.#thoughts.has(key)) return
    this.#endThought()
    this.#thoughts.set(key, this.#open({ id: this.#newItemId(), type: 'reasoning', summary: [] }))
  }

  /** Adds a delta of the model's reasoning. */
  think(delta: string, key: Key = 0): void {
    if (delta === '') return
    this.openThought(key)
    const item = this.#thoughts.get(key) as Item
    const parts = item.summary as JsonObject[]
    if (this.#thinking !== item) {
      this.#endThought()
      this.#thinking = item
      parts.push({ type: 'summary_text', text: '' })
      const at = { ...this.#at(item), summary_index: parts.length - 1 }
      this.#emit('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } })
    }
    const part = parts.at(-1) as JsonObject
    part.text += delta
    const at = { ...this.#at(item), summary_index: parts.length - 1 }
    this.#emit('response.reasoning_summary_text.delta', { ...at, delta })
  }

  /** Adds a delta of the answer's text. */
  say(delta: string): void {
    if (delta === '') return
    const { part, at } = this.#text ?? this.#openText()
    part.text += delta
    const { item_id, output_index, content_index } = at
    // The hot path: inlined, it takes half the time of #emit.
    const sequence_number = this.#sequence++
    this.#events.push({
      type: 'response.output_text.delta',
      item_id,
      output_index,
      content_index,
      delta,
      sequence_number,
    })
  }

  /** Adds a delta of the model's refusal. */
  refuse(delta: string): void {
    if (delta === '') return
    const item = this.#message ?? this.#openMessage()
    const part = this.#refusal ?? this.#openPart(item, { type: 'refusal', refusal: '' })
    this.#refusal = part
    part.refusal += delta
    const content_index = (item.content as JsonObject[]).indexOf(part)
    this.#emit('response.refusal.delta', { ...this.#at(item), content_index, delta })
  }

  /** Length of the answer's text so far, in characters. */
  get saidChars(): number {
    return this.#text === undefined ? 0 : this.#text.part.text.length
  }

  /** Length of all that the model wrote, in characters: texts, reasoning, names and arguments of calls. */
  get writtenChars(): number {
    return this.#output.reduce(
      (sum, item) =>
        sum +
        saidIn(item.content).length +
        saidIn(item.summary).length +
        asText(item.name).length +
        asText(item.arguments).length,
      0,
    )
  }

  /**
   * Makes the reasoning the answer when there is nothing else: servers that look for the end of the reasoning file the whole answer
   * under it when the model did not mark the end. Source: lmstudio-ai/lmstudio-bug-tracker/issues/1602, antirez/ds4/issues/1087.
   */
  answerWithThoughts(): void {
    if (!this.#saysNothing || this.#refusal !== undefined) return
    const thoughts = [...this.#thoughts.values()].map(({ summary }) => saidIn(summary)).join('\n\n')
    if (thoughts.trim() !== '') this.say(thoughts)
  }

  /** Adds the source of a range of the answer's text, as an annotation of the Responses API. */
  cite(annotation: JsonObject): void {
    const { part, at } = this.#text ?? this.#openText()
    part.annotations.push(annotation)
    const annotation_index = part.annotations.length - 1
    this.#emit('response.output_text.annotation.added', { ...at, annotation_index, annotation })
  }

  /**
   * Opens a function call; `key` is the provider's id for it. A call id that is missing or in use is replaced. A known
   * key changes nothing.
   */
  openCall(key: Key, { callId, name }: { callId: string; name: string }): void {
    if (this.#calls.has(key)) return
    if (this.#calls.size === ANSWER_LIMITS.calls) throw tooManyCalls(ANSWER_LIMITS.calls)
    this.#endThought()
    const id = this.#callIds.take(callId)
    this.#calls.set(key, this.#open({ id, type: 'function_call', call_id: id, name, arguments: '' }))
  }

  /** Adds a delta of an open call's arguments. */
  addArguments(key: Key, delta: string): void {
    const item = this.#calls.get(key)
    if (item === undefined || delta === '') return
    item.arguments += delta
    this.#emit('response.function_call_arguments.delta', { ...this.#at(item), delta })
  }

  /** Sets the complete arguments of an open call: a missing rest is emitted, and wrong text is replaced. */
  setArguments(key: Key, whole: string): void {
    const item = this.#calls.get(key)
    if (item === undefined) return
    if (item.arguments === '') this.addArguments(key, whole)
    else item.arguments = whole
  }

  /** Marks a call as cut off, even when its arguments look complete. */
  breakOff(key: Key): void {
    const item = this.#calls.get(key)
    if (item !== undefined) item.status = 'incomplete'
  }

  /** Adds a complete item that the provider made, such as an image. */
  addItem(item: InputItem): void {
    this.#endThought()
    this.#open({ ...item, id: this.#newItemId() })
  }

  /** Attaches data that the provider needs back with an item in the next request; kept in its `provider_data`. */
  attach(to: { thought: Key } | { call: Key } | 'message', data: JsonObject): void {
    const item =
      to === 'message'
        ? (this.#text ?? this.#openText()).item
        : 'call' in to
          ? this.#calls.get(to.call)
          : this.#thoughts.get(to.thought)
    if (item !== undefined && isObject(item.provider_data)) Object.assign(item.provider_data, data)
  }

  /** The data attached to reasoning items. */
  attached(thought: Key): JsonObject {
    const data = this.#thoughts.get(thought)?.provider_data
    return isObject(data) ? data : {}
  }

  /**
   * Closes every item and returns the finished response; its last events can then be taken.
   * @throws MODEL_FAILED for an answer that failed, and for an empty one without a known reason
   */
  finish(ending: Ending = { kind: 'complete' }): ModelResponse {
    if (ending.kind === 'failed' || (ending.kind === 'unknown' && this.#saysNothing)) throw stoppedBy(ending)
    const cut = ending.kind === 'cut' ? ending.reason : undefined
    this.begin()
    this.#endThought()
    const done = (item: Item) => this.#emit('response.output_item.done', { output_index: this.#indexOf(item), item })
    for (const item of this.#thoughts.values()) done(item)
    const message = this.#message
    if (message !== undefined) {
      message.status = cut === undefined ? 'completed' : 'incomplete'
      for (const [content_index, part] of (message.content as JsonObject[]).entries())
        this.#emit('response.content_part.done', { ...this.#at(message), content_index, part })
    }
    for (const item of this.#output) if (item.type !== 'reasoning' && item !== message) done(item)
    if (message !== undefined) done(message)
    const response = this.#response()
    if (cut !== undefined) Object.assign(response, { status: 'incomplete', incomplete_details: { reason: cut } })
    this.#emit(`response.${response.status}`, { response })
    return response
  }

  /** True when all items are reasoning. */
  get #saysNothing(): boolean {
    return this.#output.every(
      (item) => item.type === 'reasoning' || (item === this.#message && saidIn(item.content) === ''),
    )
  }

  #newItemId(): string {
    const ids = this.#itemIds
    return ids === undefined ? newId('msg') : `${ids.prefix}${ids.from + this.#named++}`
  }

  #endThought(): void {
    const item = this.#thinking
    if (item === undefined) return
    this.#thinking = undefined
    const parts = item.summary as JsonObject[]
    const at = { ...this.#at(item), summary_index: parts.length - 1 }
    this.#emit('response.reasoning_summary_part.done', { ...at, part: parts.at(-1) })
  }

  #openMessage(): Item {
    this.#endThought()
    const item = this.#open({
      id: this.#newItemId(),
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    })
    this.#message = item
    return item
  }

  #openText() {
    const item = this.#message ?? this.#openMessage()
    const part: TextPart = { type: 'output_text', text: '', annotations: [], logprobs: [] }
    this.#openPart(item, part)
    this.#text = { item, part, at: { ...this.#at(item), content_index: (item.content as JsonObject[]).length - 1 } }
    return this.#text
  }

  #openPart(item: Item, part: JsonObject): JsonObject {
    const content = item.content as JsonObject[]
    content.push(part)
    const added = structuredClone(part) // readers keep it, while the part grows
    this.#emit('response.content_part.added', { ...this.#at(item), content_index: content.length - 1, part: added })
    return part
  }

  #open(item: Item): Item {
    item.provider_data = { model: this.#model, response_id: this.#id }
    this.#indexes.set(item, this.#output.length)
    this.#output.push(item)
    this.#emit('response.output_item.added', { output_index: this.#output.length - 1, item: structuredClone(item) })
    return item
  }

  #at(item: Item) {
    return { item_id: item.id, output_index: this.#indexOf(item) }
  }

  #indexOf(item: Item): number {
    return this.#indexes.get(item) as number
  }

  #emit(type: string, fields: JsonObject): void {
    this.begin()
    this.#event(type, fields)
  }

  #event(type: string, fields: JsonObject): void {
    this.#events.push({ type, ...fields, sequence_number: this.#sequence++ })
  }

  #response(): ModelResponse {
    return {
      id: this.#id,
      object: 'response',
      created_at: this.#createdAt,
      status: 'completed',
      model: this.#model,
      output: this.#output,
      usage: this.usage ?? null,
    }
  }
}
