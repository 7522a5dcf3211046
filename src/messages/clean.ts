/** Cleans conversations so that every provider accepts them. */
import { eachOf, inFull, inPieces } from '../base/async.ts'
import { asText } from '../wire/json.ts'
import type { InputItem, StoredMessage } from '../wire/message.ts'
import { type CallHalf, callHalf, callKey, isModelMade, typeOf } from './item-kinds.ts'
import { saidIn, toModelItem } from './items.ts'

/**
 * Cleans a conversation so that every provider accepts it, without losing any text or completed call:
 *
 * - Every call has one output and every output one call, matched by kind, call id and position. Calls without an output, outputs
 *   without a call and second outputs are removed; an output before its call is moved behind it.
 * - An item of the history is a duplicate when an earlier one has the same id and content; it is removed. Items that share only
 *   the id, or have a placeholder as id, stay and lose the id.
 * - Reasoning stays with the item that follows it. When that item is removed, the reasoning is removed, too, and the rest of that
 *   answer loses its ids, because the provider would look for the reasoning that belongs to them.
 *
 * Each pair of agents has its own thread inside the list. Otherwise the order is kept.
 * @param historyCount number of items at the front that are the history: they are matched and compared but not returned
 */
export function clean<T extends InputItem>(items: readonly T[], historyCount = 0): T[] {
  return inFull(steps(items, { historyCount, from: historyCount }))
}

/**
 * Cleans the input of a model call: also removes empty messages and makes every call id unique. A long conversation is cleaned in turns
 * with other work, and then the result is a promise.
 * @param historyCount number of items at the front that are the history
 */
export const cleanForModel = (items: readonly InputItem[], historyCount: number): InputItem[] | Promise<InputItem[]> =>
  inPieces(items.length, steps(items, { historyCount, from: 0, isEmpty: isEmptyMessage, naming: true }))

interface Cleaning<T> {
  historyCount: number
  /** The first item that is returned. */
  from: number
  isEmpty?: (item: T) => boolean
  /** Makes call ids unique. */
  naming?: boolean
}

/** The work in pieces. */
function* steps<T extends InputItem>(
  items: readonly T[],
  { historyCount, from, isEmpty, naming = false }: Cleaning<T>,
): Generator<undefined, T[]> {
  const slots = yield* markChanges(items, historyCount, isEmpty)
  if (naming) nameCalls(slots)
  yield
  return yield* emit(slots, from === 0 ? slots : slots.slice(from))
}

/** One item, and the changes to make to it. */
interface Slot<T extends InputItem = InputItem> {
  item: T
  index: number
  dropped: boolean
  /** True when its id must be removed. */
  unnamed: boolean
  call: CallHalf | undefined
  /** The other half of its call. */
  partner?: Slot<T>
  /** The output of this call, when it came before the call. */
  early?: Slot<T>
  /** Replaces the item's call id. */
  callId?: string
}

/** Marks in every thread what to remove or change. */
function* markChanges<T extends InputItem>(
  items: readonly T[],
  historyCount: number,
  isEmpty: (item: T) => boolean = () => false,
): Generator<undefined, Slot<T>[]> {
  const slots: Slot<T>[] = []
  yield* eachOf(items, (item, index) => {
    slots.push({ item, index, dropped: isEmpty(item), unnamed: false, call: callHalf(item) })
  })
  for (const thread of splitThreads(slots)) {
    yield
    yield* pairCalls(thread, historyCount)
    yield
    dropLoneReasoning(thread) // before it could make reasoning that stays a duplicate
    dropDuplicates(thread.slice(0, thread.findLastIndex(({ index }) => index < historyCount) + 1))
    yield
    dropLoneReasoning(thread)
    takeIds(thread, (slot) => (slot.item.type === 'reasoning' ? slot.dropped : undefined))
  }
  yield
  return slots
}

/** Splits the list into threads: the user's, and one for each pair of agents. */
function splitThreads<T extends InputItem>(slots: readonly Slot<T>[]): Iterable<Slot<T>[]> {
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

/** Links calls with their outputs, and drops those without a partner. */
function* pairCalls<T extends InputItem>(thread: readonly Slot<T>[], historyCount: number): Generator<undefined, void> {
  const byKey = new Map<string, Slot<T>[]>()
  for (const slot of thread) {
    if (slot.call === undefined) continue
    const halves = byKey.get(slot.call.key)
    if (halves === undefined) byKey.set(slot.call.key, [slot])
    else halves.push(slot)
  }
  let count = 0
  for (const halves of byKey.values()) {
    if ((++count & 511) === 0) yield
    const { open, early } = matchHalves(isApproval(halves) ? firstOfEach(halves) : halves)
    for (const [index, call] of open.slice(0, early.length).entries()) {
      const output = early[index] as Slot<T>
      if (call.index < historyCount !== output.index < historyCount) continue
      link(call, output)
      call.early = output
    }
    for (const slot of halves) slot.dropped ||= slot.partner === undefined
  }
}

/**
 * Links each output with an earlier call of its key: consecutive outputs with the latest calls, in order. Calls that an earlier
 * turn left unanswered stay unanswered, and surplus outputs are ignored.
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
    // Before any call, an output is early; after an answered call, it is surplus.
    if (index === early.length) for (; index < end; index++) early.push(halves[index] as Slot<T>)
    for (const call of answered) link(call, halves[index++] as Slot<T>)
    index = end
  }
  return { open, early }
}

/** An approval is matched by the id of its request, so each id counts once, and one without an id never matches. */
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

/** Drops duplicates in the history, calls together with their outputs. User messages are never duplicates. */
function dropDuplicates<T extends InputItem>(history: readonly Slot<T>[]): void {
  const first = new Map<string, Slot<T> | Set<string>>()
  for (const slot of history) {
    const { item, dropped, call } = slot
    const id = readId(item)
    if (id === undefined || dropped || call?.half === 'output' || item.role === 'user') continue
    const earlier = first.get(id)
    if (earlier === undefined) {
      first.set(id, slot)
      continue
    }
    const contents = earlier instanceof Set ? earlier : new Set([contentKey(earlier)])
    first.set(id, contents)
    const content = contentKey(slot)
    if (contents.has(content)) {
      slot.dropped = true
      if (slot.partner !== undefined) slot.partner.dropped = true
    } else contents.add(content)
  }
}

/** The content by which items with the same id are compared; for a call, its output, too. */
function contentKey<T extends InputItem>({ item, partner }: Slot<T>): string {
  const { id: _, status: __, ...fields } = toModelItem(item)
  const text = item.role === 'assistant' ? saidIn(item.content) : ''
  const content = text === '' ? fields : text
  return JSON.stringify([
    item.type ?? 'message',
    item.role,
    content,
    partner === undefined ? null : toModelItem(partner.item).output,
  ])
}

/** Ids that identify nothing: empty ones, and the id that LiteLLM runs of older versions of the original gave to every item. */
const PLACEHOLDERS = new Set<unknown>(['', '__fake_id__', 'FAKE_ID', null])

/** The id of an item; undefined when it has none, or when it repeats the call id. */
function readId({ id, call_id }: InputItem): string | undefined {
  return typeof id === 'string' && !PLACEHOLDERS.has(id) && id !== call_id ? id : undefined
}

/** Drops reasoning whose following item was dropped. */
function dropLoneReasoning<T extends InputItem>(thread: readonly Slot<T>[]): void {
  let led: boolean | undefined // true when the item after the reasoning stays
  for (const slot of thread.toReversed()) {
    if (slot.item.type !== 'reasoning') led = isModelMade(slot.item) && !slot.dropped
    else if (led !== true) slot.dropped = true
  }
}

/**
 * Marks the items after dropped reasoning as `unnamed`, to the end of that answer.
 * @param isLost whether reasoning is dropped; undefined for items that are not reasoning
 */
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

/** True for a message without content, which providers refuse. */
const isEmptyMessage = (item: InputItem) =>
  typeOf(item) === 'message' && (item.content == null || (Array.isArray(item.content) && item.content.length === 0))

/** Gives a new call id to each call that has none or shares it with an earlier call. */
function nameCalls(slots: readonly Slot[]): void {
  const originalIds = new Set<unknown>()
  const taken = new Set<string>()
  const calls = slots.filter(
    ({ call, dropped, item }) => call?.half === 'call' && !dropped && item.type !== 'mcp_approval_request',
  )
  for (const { item } of calls) originalIds.add(item.call_id)
  /** The last number used for an id, so that many calls with one id take one pass. */
  const counts = new Map<string, number>()
  for (const slot of calls) {
    const { call_id } = slot.item
    const original = typeof call_id === 'string' ? call_id : ''
    let name = original
    let count = counts.get(original) ?? 1
    while (name === '' || taken.has(name) || (name !== original && originalIds.has(name)))
      name = original === '' ? `call_${count++}` : `${original}_${++count}`
    counts.set(original, count)
    taken.add(name)
    if (name === call_id) continue
    slot.callId = name
    if (slot.partner !== undefined) slot.partner.callId = name
  }
}

/** The remaining items, each with a unique id or none. */
function* emit<T extends InputItem>(all: readonly Slot<T>[], wanted: readonly Slot<T>[]): Generator<undefined, T[]> {
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
  yield* eachOf(wanted, (slot) => {
    if (moved.has(slot)) return
    put(slot)
    if (slot.early !== undefined) put(slot.early)
  })
  return out
}

/** The item with its new ids; the same object when nothing changes. */
function withNames<T extends InputItem>({ item, unnamed, callId }: Slot<T>, ids: ReadonlySet<unknown>): T {
  if (callId === undefined && item.id === undefined) return item
  const named =
    callId === undefined ? item : { ...item, [item.type === 'local_shell_call_output' ? 'id' : 'call_id']: callId }
  if (item.type === 'local_shell_call_output') return named
  // An approval is matched by the id of its request, so a request keeps it.
  const keepsId = item.type === 'mcp_approval_request' || !Object.hasOwn(item, 'id')
  if (keepsId || !(unnamed || PLACEHOLDERS.has(item.id) || ids.has(item.id))) return named
  const { id: _, ...rest } = named
  return rest as T
}
