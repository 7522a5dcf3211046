import { asText } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { type CallHalf, callHalf, callKey, isModelMade, typeOf } from './item-kinds.ts'
import { saidIn, toModelItem } from './items.ts'

/**
 * Cleans a conversation so that every provider accepts it, without losing a text or a completed call:
 *
 * - Every call has one output and every output one call, told apart by kind, call id and place. Halves and second outputs are
 *   left out; an output that stands before its call is put behind it.
 * - An item of the history is a copy of an earlier one when id and content are the same. An id alone says nothing: items of
 *   other content with an id that was used before, or with a placeholder, stay and lose the id.
 * - Reasoning stays with the item it led to. When that item is left out, the reasoning is too, and the rest of that answer loses its ids,
 *   because the provider would ask for the reasoning of that id.
 *
 * Agents that talk with each other have conversations of their own in one list. The order is kept otherwise.
 * @param known how many items at the front are the history: they pair and are compared, but are not part of the result
 */
export function clean<T extends InputItem>(items: readonly T[], known = 0): T[] {
  const slots = tidy(items, known)
  return emit(slots, slots.slice(known))
}

/**
 * The input of a model call: cleaned, without empty messages, and every call with a call id of its own.
 * @param known how many items at the front are the history
 */
export function cleanForModel(items: readonly InputItem[], known: number): InputItem[] {
  const slots = tidy(items, known, isEmptyMessage)
  nameCalls(slots)
  return emit(slots, slots)
}

/** One item and what becomes of it. */
interface Slot<T extends InputItem = InputItem> {
  item: T
  index: number
  dropped: boolean
  /** Its id must not stay. */
  unnamed: boolean
  call: CallHalf | undefined
  /** The other half of its call. */
  partner?: Slot<T>
  /** An output that stood before this call. */
  early?: Slot<T>
  /** In place of the call id it came with. */
  callId?: string
}

function tidy<T extends InputItem>(
  items: readonly T[],
  known: number,
  isEmpty: (item: T) => boolean = () => false,
): Slot<T>[] {
  const slots = items.map((item, index): Slot<T> => {
    return { item, index, dropped: isEmpty(item), unnamed: false, call: callHalf(item) }
  })
  for (const thread of threadsOf(slots)) {
    pairCalls(thread, known)
    dropCopies(thread.slice(0, thread.findLastIndex(({ index }) => index < known) + 1))
    dropLoneReasoning(thread)
  }
  return slots
}

/** Each conversation of the list by itself: the user's, and one for each pair of agents. */
function threadsOf<T extends InputItem>(slots: readonly Slot<T>[]): Iterable<Slot<T>[]> {
  const threads = new Map<string, Slot<T>[]>()
  for (const slot of slots) {
    const { agent, callerAgent } = slot.item as Partial<StoredMessage>
    const key = typeof callerAgent === 'string' ? JSON.stringify([asText(agent), callerAgent].toSorted()) : ''
    const thread = threads.get(key)
    if (thread === undefined) threads.set(key, [slot])
    else thread.push(slot)
  }
  return threads.values()
}

/** Links calls and outputs, and drops the halves that stay alone. */
function pairCalls<T extends InputItem>(thread: readonly Slot<T>[], known: number): void {
  const byKey = new Map<string, Slot<T>[]>()
  for (const slot of thread) {
    if (slot.call === undefined) continue
    const halves = byKey.get(slot.call.key)
    if (halves === undefined) byKey.set(slot.call.key, [slot])
    else halves.push(slot)
  }
  for (const halves of byKey.values()) {
    const { open, early } = matchHalves(isApproval(halves) ? firstOfEach(halves) : halves)
    for (const [index, call] of open.slice(0, early.length).entries()) {
      const output = early[index] as Slot<T>
      if (call.index < known !== output.index < known) continue
      link(call, output)
      call.early = output
    }
    for (const slot of halves) slot.dropped ||= slot.partner === undefined
  }
}

/**
 * Gives each output to a call of its key that stands before it: outputs in a row to the latest calls, in their order. What an
 * earlier turn left unanswered stays so, and the first of too many outputs counts.
 */
function matchHalves<T extends InputItem>(halves: readonly Slot<T>[]): { open: Slot<T>[]; early: Slot<T>[] } {
  const open: Slot<T>[] = []
  const early: Slot<T>[] = []
  for (let index = 0; index < halves.length; ) {
    const slot = halves[index] as Slot<T>
    if (slot.call?.half === 'call') {
      open.push(slot)
      index++
      continue
    }
    let end = index
    while (halves[end]?.call?.half === 'output') end++
    const answered = open.splice(Math.max(0, open.length - (end - index)))
    // Without any call in front of it an output came too early; behind an answered call it is one too many.
    if (index === early.length) for (; index < end; index++) early.push(halves[index] as Slot<T>)
    for (const call of answered) link(call, halves[index++] as Slot<T>)
    index = end
  }
  return { open, early }
}

/** An approval is found by its request's id, so there can be one of an id, and none without. */
const isApproval = <T extends InputItem>([first]: readonly Slot<T>[]) => first?.call?.key.startsWith('mcp_') === true
function firstOfEach<T extends InputItem>(halves: readonly Slot<T>[]): Slot<T>[] {
  if (callKey((halves[0] as Slot<T>).item) === '') return []
  const first = ['call', 'output'].flatMap((half) => halves.find(({ call }) => call?.half === half) ?? [])
  return first.toSorted((a, b) => a.index - b.index)
}

function link<T extends InputItem>(call: Slot<T>, output: Slot<T>): void {
  call.partner = output
  output.partner = call
}

/** Drops copies in the history, calls together with their outputs. Messages of the user are never copies. */
function dropCopies<T extends InputItem>(history: readonly Slot<T>[]): void {
  const first = new Map<string, Slot<T> | Set<string>>()
  for (const slot of history) {
    const { item, dropped, call } = slot
    const id = nameOf(item)
    if (id === undefined || dropped || call?.half === 'output' || item.role === 'user') continue
    const known = first.get(id)
    if (known === undefined) {
      first.set(id, slot)
      continue
    }
    const contents = known instanceof Set ? known : new Set([contentOf(known)])
    first.set(id, contents)
    const content = contentOf(slot)
    if (contents.has(content)) {
      slot.dropped = true
      if (slot.partner !== undefined) slot.partner.dropped = true
    } else contents.add(content)
  }
}

/** What two items with one id have to share to be the same; for a call its output too. */
function contentOf<T extends InputItem>({ item, partner }: Slot<T>): string {
  const { id: _, status: __, ...fields } = toModelItem(item)
  const said = item.role === 'assistant' ? saidIn(item.content) : ''
  const content = said === '' ? fields : said
  return JSON.stringify([
    item.type ?? 'message',
    item.role,
    content,
    partner === undefined ? null : toModelItem(partner.item).output,
  ])
}

/** The id that the older LiteLLM runs of the original gave to every item, and ids that are none. */
const PLACEHOLDERS = new Set<unknown>(['', '__fake_id__', 'FAKE_ID', null])

/** The name of an item; undefined when it has none, or repeats its call id. */
function nameOf({ id, call_id }: InputItem): string | undefined {
  return typeof id === 'string' && !PLACEHOLDERS.has(id) && id !== call_id ? id : undefined
}

/** Drops reasoning whose following item is gone, and the ids of the rest of that answer. */
function dropLoneReasoning<T extends InputItem>(thread: readonly Slot<T>[]): void {
  let led: boolean | undefined // true when the item behind the reasoning stays
  for (const slot of thread.toReversed()) {
    if (slot.item.type !== 'reasoning') led = isModelMade(slot.item) && !slot.dropped
    else if (led !== true) slot.dropped = true
  }
  takeIds(thread, (slot) => (slot.item.type === 'reasoning' ? slot.dropped : undefined))
}

/** Marks the items behind dropped reasoning as unnamed, to the end of that answer. `isLost` gives undefined for other items than reasoning. */
export function takeIds<S extends { item: InputItem; unnamed: boolean }>(
  items: readonly S[],
  isLost: (item: S) => boolean | undefined,
): void {
  let lost = false
  let followed = false
  for (const slot of items) {
    const state = isLost(slot)
    if (state !== undefined) {
      lost = state
      followed = false
    } else if (!isModelMade(slot.item)) lost &&= !followed
    else if (lost) {
      slot.unnamed = true
      followed = true
    }
  }
}

/** True for a message without any content, which providers refuse. */
const isEmptyMessage = (item: InputItem) =>
  typeOf(item) === 'message' && (item.content == null || (Array.isArray(item.content) && item.content.length === 0))

/** Gives each call that shares its call id with an earlier one, or has none, a call id of its own. */
function nameCalls(slots: readonly Slot[]): void {
  const given = new Set<unknown>()
  const taken = new Set<string>()
  const calls = slots.filter(
    ({ call, dropped, item }) => call?.half === 'call' && !dropped && item.type !== 'mcp_approval_request',
  )
  for (const { item } of calls) given.add(item.call_id)
  /** The last number given for an id, so that many calls of one id take one pass. */
  const counts = new Map<string, number>()
  for (const slot of calls) {
    const { call_id } = slot.item
    const own = typeof call_id === 'string' ? call_id : ''
    let name = own
    let count = counts.get(own) ?? 1
    while (name === '' || taken.has(name) || (name !== own && given.has(name)))
      name = own === '' ? `call_${count++}` : `${own}_${++count}`
    counts.set(own, count)
    taken.add(name)
    if (name === call_id) continue
    slot.callId = name
    if (slot.partner !== undefined) slot.partner.callId = name
  }
}

/** The items that stay, each with an id that no other has, or none. */
function emit<T extends InputItem>(all: readonly Slot<T>[], wanted: readonly Slot<T>[]): T[] {
  const ids = new Set<unknown>()
  const moved = new Set<Slot<T>>()
  for (const { early } of all) if (early !== undefined) moved.add(early)
  if (wanted.length < all.length) for (const { item } of all.slice(0, all.length - wanted.length)) ids.add(item.id)
  const out: T[] = []
  const put = (slot: Slot<T>) => {
    if (slot.dropped) return
    const item = withNames(slot, ids)
    if (item.id !== undefined) ids.add(item.id)
    out.push(item)
  }
  for (const slot of wanted) {
    if (moved.has(slot)) continue
    put(slot)
    if (slot.early !== undefined) put(slot.early)
  }
  return out
}

/** The item itself where nothing has to change. */
function withNames<T extends InputItem>({ item, unnamed, callId }: Slot<T>, ids: ReadonlySet<unknown>): T {
  if (callId === undefined && item.id === undefined) return item
  const named =
    callId === undefined ? item : { ...item, [item.type === 'local_shell_call_output' ? 'id' : 'call_id']: callId }
  if (item.type === 'local_shell_call_output') return named
  // An approval is found by the id of its request.
  const keepsId = item.type === 'mcp_approval_request' || !Object.hasOwn(item, 'id')
  if (keepsId || !(unnamed || PLACEHOLDERS.has(item.id) || ids.has(item.id))) return named
  const { id: _, ...rest } = named
  return rest as T
}
