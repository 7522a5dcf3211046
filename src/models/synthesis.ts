import { randomBytes } from 'node:crypto'
import type { JsonObject } from '../wire/json.ts'
import type { InputItem } from '../wire/message.ts'
import type { ModelResponse, ResponseEvent, ResponseUsage } from './model.ts'

type Item = InputItem & { id: string }

const newId = (prefix: string) => `${prefix}_${randomBytes(16).toString('hex')}`

/**
 * A response put together from the pieces of a provider that does not speak the Responses API: pieces go in, the events and
 * the response of that API come out (order: docs/wire.md, "Chat Completions").
 */
export class ResponseSynthesis {
  usage: ResponseUsage | undefined
  readonly #model: string
  readonly #id = newId('resp')
  readonly #output: Item[] = []
  readonly #calls = new Map<string | number, Item>()
  #message: Item | undefined
  #reasoning: Item | undefined
  #events: ResponseEvent[] = []
  #sequence = 0

  constructor({ model }: { model: string }) {
    this.#model = model
    this.#emit('response.created', { response: { ...this.#response(), status: 'in_progress', output: [] } })
  }

  /** The events since the last time. */
  take(): ResponseEvent[] {
    const events = this.#events
    this.#events = []
    return events
  }

  /** A piece of the model's reasoning. */
  think(delta: string): void {
    if (delta === '') return
    const item = this.#reasoning ?? this.#openReasoning()
    const part = (item.summary as JsonObject[])[0] as JsonObject
    part.text += delta
    this.#emit('response.reasoning_summary_text.delta', { ...this.#at(item), summary_index: 0, delta })
  }

  /** A piece of the answer's text. */
  say(delta: string): void {
    if (delta === '') return
    const item = this.#message ?? this.#openMessage()
    const part = (item.content as JsonObject[])[0] as JsonObject
    part.text += delta
    this.#emit('response.output_text.delta', { ...this.#at(item), content_index: 0, delta })
  }

  /** Opens a function call; `key` is the provider's own name for it. Without a `callId` one is made. Known keys are left as they are. */
  openCall(key: string | number, { callId, name }: { callId: string; name: string }): void {
    if (this.#calls.has(key)) return
    const id = callId === '' ? newId('call') : callId
    this.#calls.set(key, this.#open({ id, type: 'function_call', call_id: id, name, arguments: '' }))
  }

  /** A piece of an open call's arguments. */
  addArguments(key: string | number, delta: string): void {
    const item = this.#calls.get(key)
    if (item === undefined || delta === '') return
    item.arguments += delta
    this.#emit('response.function_call_arguments.delta', { ...this.#at(item), delta })
  }

  /** What the provider wants back with an item when the conversation goes on; kept in its `provider_data`. */
  attach(to: { thought: number } | { call: string | number }, data: JsonObject): void {
    const item = 'call' in to ? this.#calls.get(to.call) : this.#reasoning
    if (item !== undefined) Object.assign(item.provider_data as JsonObject, data)
  }

  /** Closes every item and gives the finished response; the last events are then there to take. */
  finish(): ModelResponse {
    for (const [output_index, item] of this.#output.entries()) {
      item.status = 'completed'
      const at = { item_id: item.id, output_index }
      if (item === this.#reasoning) {
        const part = (item.summary as JsonObject[])[0]
        this.#emit('response.reasoning_summary_part.done', { ...at, summary_index: 0, part })
      }
      if (item === this.#message) {
        const part = (item.content as JsonObject[])[0]
        this.#emit('response.content_part.done', { ...at, content_index: 0, part })
      }
    }
    const order = (item: Item) => (item === this.#message ? 2 : item === this.#reasoning ? 0 : 1)
    for (const item of this.#output.toSorted((a, b) => order(a) - order(b)))
      this.#emit('response.output_item.done', { output_index: this.#output.indexOf(item), item })
    const response = this.#response()
    this.#emit('response.completed', { response })
    return response
  }

  #openReasoning(): Item {
    const item = this.#open({ id: newId('rs'), type: 'reasoning', summary: [] })
    this.#reasoning = item
    const part = { type: 'summary_text', text: '' }
    item.summary = [part]
    this.#emit('response.reasoning_summary_part.added', { ...this.#at(item), summary_index: 0, part: { ...part } })
    return item
  }

  #openMessage(): Item {
    const item = this.#open({
      id: newId('msg'),
      type: 'message',
      role: 'assistant',
      status: 'in_progress',
      content: [],
    })
    this.#message = item
    const part = { type: 'output_text', text: '', annotations: [] }
    item.content = [part]
    this.#emit('response.content_part.added', { ...this.#at(item), content_index: 0, part: { ...part } })
    return item
  }

  #open(item: Item): Item {
    item.provider_data = { model: this.#model, response_id: this.#id }
    this.#output.push(item)
    this.#emit('response.output_item.added', { output_index: this.#output.length - 1, item: structuredClone(item) })
    return item
  }

  #at(item: Item) {
    return { item_id: item.id, output_index: this.#output.indexOf(item) }
  }

  #emit(type: string, fields: JsonObject): void {
    this.#events.push({ type, ...fields, sequence_number: this.#sequence++ })
  }

  #response(): ModelResponse {
    return {
      id: this.#id,
      object: 'response',
      status: 'completed',
      model: this.#model,
      output: this.#output,
      usage: this.usage ?? null,
    }
  }
}
