/** Assembles the items of a Responses stream. */
import { isEmptyObject, messageText, refusalOf } from '../messages/items.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { ContentPart, InputItem } from '../wire/message.ts'
import { newId } from './ids.ts'
import type { ResponseEvent } from './model.ts'

type Field = 'text' | 'refusal' | 'arguments'

/** One item of an answer, as streamed so far. */
interface Slot {
  item: InputItem | undefined
  id: string | undefined
  kind: string
  done: boolean
  text: string
  refusal: string
  arguments: string
}

const FIELDS: { readonly [type: string]: Field } = {
  'response.output_text': 'text',
  'response.refusal': 'refusal',
  'response.function_call_arguments': 'arguments',
}

/**
 * The items of a streamed Responses answer, built from its events. Gateways leave out `output_item.done`, close items
 * before their text arrives, or end with an empty `output`: the streamed items are then the answer.
 */
export class StreamedItems {
  readonly #slots: Slot[] = []
  readonly #byId = new Map<string, Slot>()
  readonly #byPlace = new Map<string, Slot>()
  // The item of the last delta: most deltas continue it.
  #slot: Slot | undefined
  #field: Field = 'text'
  #type = ''
  #id: unknown
  #index: unknown

  /** The number of items, closed or open. */
  get size(): number {
    return this.#slots.length
  }

  /** Adds a delta of a text or of arguments. The hot path: three comparisons and one append. */
  grow(event: ResponseEvent, delta: string): void {
    if (event.type !== this.#type || event.item_id !== this.#id || event.output_index !== this.#index)
      this.#turnTo(event)
    if (this.#slot !== undefined) this.#slot[this.#field] += delta
  }

  /** Reads an event that is not a delta. */
  read(event: ResponseEvent): void {
    const { type, item } = event
    if (type === 'response.output_item.added' && isObject(item)) this.#add(item, event.output_index)
    else if (type.endsWith('.done')) {
      const part = type === 'response.content_part.done' && isObject(event.part) ? event.part : undefined
      const field = part === undefined ? FIELDS[type.slice(0, -'.done'.length)] : partField(part)
      const whole = field === undefined ? undefined : (part ?? event)[field]
      if (field === undefined || typeof whole !== 'string') return
      const slot = this.#find(kindOf(field), event.item_id, event.output_index)
      if (whole.length > slot[field].length) slot[field] = whole
      if (slot.item === undefined && typeof event.name === 'string') slot.item = { type: slot.kind, name: event.name }
    }
  }

  /** Closes an item. Returns it, with streamed text that it lacks; undefined when it was closed before. */
  finish(item: InputItem, place: unknown): InputItem | undefined {
    const id = typeof item.id === 'string' ? item.id : undefined
    const kind = String(item.type ?? 'message')
    let slot = this.#find(kind, id, place)
    const isOther = id === undefined ? place == null : slot.id !== id
    if (slot.done && isOther) slot = this.#open(kind, id, place)
    const closed = slot.done
    slot.item = item
    slot.done = true
    return closed ? undefined : filled(slot, item)
  }

  /** The closed items. */
  done(): InputItem[] {
    return this.#slots.flatMap((slot) => (slot.done && slot.item !== undefined ? [filled(slot, slot.item)] : []))
  }

  /** All items of the answer: the provider's final `output`, completed with what was streamed. */
  complete(output: readonly InputItem[]): InputItem[] {
    const own = this.#streamed()
    if (weight(own) > weight(output)) return own
    const slots = {
      message: this.#slots.filter(({ kind }) => kind === 'message').values(),
      function_call: this.#slots.filter(({ kind }) => kind === 'function_call').values(),
    }
    return output.map((item) => {
      if (item.type !== 'message' && item.type !== 'function_call') return item
      const slot = slots[item.type].next().value
      return slot === undefined ? item : filled(slot, item)
    })
  }

  /** The items as they were streamed. When at least one call was closed, open calls are left out. */
  #streamed(): InputItem[] {
    const closes = this.#slots.some(({ kind, done }) => kind === 'function_call' && done)
    return this.#slots.flatMap((slot) => {
      const item = slot.item ?? unannounced(slot)
      if (item === undefined || (closes && slot.kind === 'function_call' && !slot.done)) return []
      return [filled(slot, item)]
    })
  }

  #turnTo(event: ResponseEvent): void {
    this.#type = event.type
    this.#id = event.item_id
    this.#index = event.output_index
    const field = FIELDS[event.type.slice(0, -'.delta'.length)]
    this.#slot = field === undefined ? undefined : this.#find(kindOf(field), this.#id, this.#index)
    this.#field = field ?? 'text'
  }

  #add(item: InputItem, place: unknown): void {
    const id = typeof item.id === 'string' ? item.id : undefined
    const kind = String(item.type ?? 'message')
    const known = id === undefined ? undefined : this.#byId.get(id)
    const slot = known?.kind === kind ? known : this.#open(kind, id, place)
    slot.item ??= item
  }

  /** The item of that kind with this id, else the latest one at this position, else a new one. */
  #find(kind: string, id: unknown, place: unknown): Slot {
    const named = typeof id === 'string' ? this.#byId.get(id) : undefined
    if (named?.kind === kind) return named
    return this.#byPlace.get(`${kind} ${place}`) ?? this.#open(kind, typeof id === 'string' ? id : undefined, place)
  }

  #open(kind: string, id: string | undefined, place: unknown): Slot {
    const slot: Slot = { item: undefined, id, kind, done: false, text: '', refusal: '', arguments: '' }
    this.#slots.push(slot)
    if (id !== undefined) this.#byId.set(id, slot)
    this.#byPlace.set(`${kind} ${place}`, slot)
    return slot
  }
}

const partField = ({ type }: JsonObject): Field | undefined =>
  type === 'refusal' ? 'refusal' : type === 'output_text' || type === 'text' ? 'text' : undefined
const kindOf = (field: Field) => (field === 'arguments' ? 'function_call' : 'message')

/** A message that was streamed without `output_item.added`. A call cannot be created so, since its name is unknown. */
function unannounced({ kind, id, text, refusal }: Slot): InputItem | undefined {
  if (kind !== 'message' || (text === '' && refusal === '')) return undefined
  return { id: id ?? newId('msg'), type: 'message', role: 'assistant', status: 'completed', content: [] }
}

/** The number of calls and non-empty messages. */
const weight = (items: readonly InputItem[]): number =>
  items.filter((item) => item.type === 'function_call' || (item.type === 'message' && saysSomething(item))).length

const saysSomething = (item: InputItem) => messageText(item) !== '' || (refusalOf(item) ?? '') !== ''

/** The item, or a copy with the streamed text or arguments that it lacks. */
function filled(slot: Slot, item: InputItem): InputItem {
  const changes: InputItem = {}
  if (item.status === 'in_progress' && !slot.done) changes.status = 'completed'
  if (item.type === 'function_call') {
    const args = item.arguments ?? ''
    const known = typeof args === 'string' && isEmptyObject(args) ? '' : args
    if (typeof known === 'string' && lacks(known.trim(), slot.arguments)) changes.arguments = slot.arguments
  } else if (item.type === 'message') {
    const lacksText = lacks(messageText(item), slot.text)
    if (lacksText || lacks(refusalOf(item) ?? '', slot.refusal)) changes.content = contentOf(slot, item, lacksText)
  }
  return Object.keys(changes).length > 0 ? { ...item, ...changes } : item
}

function contentOf({ text, refusal }: Slot, { content }: InputItem, lacksText: boolean): ContentPart[] {
  const parts: ContentPart[] = Array.isArray(content) ? content.filter(isObject) : []
  const said = parts.filter((part) => typeof part.text === 'string')
  const refused = refusal === '' ? parts.filter(({ type }) => type === 'refusal') : [{ type: 'refusal', refusal }]
  return lacksText ? [{ annotations: [], ...said[0], type: 'output_text', text }, ...refused] : [...said, ...refused]
}

/** True when the streamed text begins with the final one and is longer. */
const lacks = (text: string, streamed: string) => streamed.length > text.length && streamed.startsWith(text)
