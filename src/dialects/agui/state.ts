/** The state that tools and the application share, as STATE_SNAPSHOT and STATE_DELTA. */
import { isObject, type JsonObject } from '../../wire/json.ts'
import { event } from './thread.ts'

/** An operation of JSON Patch (RFC 6902). */
export type PatchOperation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

/** A fold: what the client has, and the events that bring it up to date. */
export class SharedState {
  #json: string | undefined

  constructor(state: unknown) {
    this.#json = state === undefined ? undefined : JSON.stringify(state)
  }

  /** The whole state; empty where nothing is shared. */
  snapshot(): string {
    return this.#json === undefined ? '' : event({ type: 'STATE_SNAPSHOT', snapshot: JSON.parse(this.#json) })
  }

  /** The change to another state: a patch, or the whole where that is shorter. */
  change(state: unknown): string {
    const json = JSON.stringify(state ?? null)
    const before = this.#json
    if (json === before) return ''
    this.#json = json
    if (before === undefined) return this.snapshot()
    const delta = diff(JSON.parse(before), state ?? null)
    return JSON.stringify(delta).length > json.length ? this.snapshot() : event({ type: 'STATE_DELTA', delta })
  }
}

/** The operations that turn one JSON value into another. */
export function diff(before: unknown, after: unknown, path = ''): PatchOperation[] {
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path)
  if (isObject(before) && isObject(after)) return diffObjects(before, after, path)
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ op: 'replace', path, value: after }]
}

function diffObjects(before: JsonObject, after: JsonObject, path: string): PatchOperation[] {
  const operations: PatchOperation[] = []
  for (const key of Object.keys(before))
    if (!Object.hasOwn(after, key)) operations.push({ op: 'remove', path: `${path}/${escapeKey(key)}` })
  for (const [key, value] of Object.entries(after)) {
    const place = `${path}/${escapeKey(key)}`
    if (Object.hasOwn(before, key)) operations.push(...diff(before[key], value, place))
    else operations.push({ op: 'add', path: place, value })
  }
  return operations
}

/** Items are compared by their place: a list grows and shrinks at its end. */
function diffLists(before: readonly unknown[], after: readonly unknown[], path: string): PatchOperation[] {
  const shared = Math.min(before.length, after.length)
  const operations = after.slice(0, shared).flatMap((value, index) => diff(before[index], value, `${path}/${index}`))
  for (let index = before.length - 1; index >= shared; index--)
    operations.push({ op: 'remove', path: `${path}/${index}` })
  for (const value of after.slice(shared)) operations.push({ op: 'add', path: `${path}/-`, value })
  return operations
}

/** RFC 6901, section 3. */
const escapeKey = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1')
