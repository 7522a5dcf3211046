/** Finds what a run changed in its user context, as plain JSON. */
import { isPlainObject } from '../../wire/json.ts'
import type { ContextChange } from './journal.ts'

/** Compares a user context with what it was when the watch began. */
export interface ContextWatch {
  /** `recoverable` is false when something that is not JSON was added or changed. */
  read(): { context: ContextChange; recoverable: boolean }
}

export function watchContext(userContext: { [key: string]: unknown }): ContextWatch {
  const ids = new WeakMap<object, number>()
  let lastId = 0
  /** A text that is equal for equal values; what is not JSON counts by its identity. */
  const print = (value: unknown): { text: string; isJson: boolean } => {
    const path = new Set<object>()
    let isJson = true
    const plain = (part: unknown): unknown => {
      if (part === null || typeof part === 'string' || typeof part === 'boolean') return part
      if (typeof part === 'number' && Number.isFinite(part)) return part
      if (typeof part === 'object' && (Array.isArray(part) || isPlainObject(part)) && !path.has(part)) {
        path.add(part)
        const copy = Array.isArray(part)
          ? part.map(plain)
          : Object.fromEntries(
              Object.entries(part).flatMap(([key, item]) => (item === undefined ? [] : [[key, plain(item)]])),
            )
        path.delete(part)
        return copy
      }
      isJson = false
      if (typeof part !== 'object' && typeof part !== 'function') return { [NOT_JSON]: String(part) }
      const id = ids.get(part as object) ?? ++lastId
      ids.set(part as object, id)
      return { [NOT_JSON]: id }
    }
    return { text: JSON.stringify(plain(value)), isJson }
  }
  const start = new Map(Object.entries(userContext).map(([key, value]) => [key, print(value).text]))
  return {
    read() {
      const removed = [...start.keys()].filter((key) => !Object.hasOwn(userContext, key))
      const set: { [key: string]: unknown } = {}
      let recoverable = true
      for (const [key, value] of Object.entries(userContext)) {
        const { text, isJson } = print(value)
        if (text === start.get(key)) continue
        if (isJson)
          Object.defineProperty(set, key, {
            value: JSON.parse(text),
            writable: true,
            enumerable: true,
            configurable: true,
          })
        else recoverable = false
      }
      return { context: { set, removed }, recoverable }
    },
  }
}

const NOT_JSON = '~'

/** Repeats the changes of an earlier attempt. */
export function applyContext(userContext: { [key: string]: unknown }, { set, removed }: ContextChange): void {
  for (const key of removed) delete userContext[key]
  for (const [key, value] of Object.entries(set))
    Object.defineProperty(userContext, key, {
      value: structuredClone(value),
      writable: true,
      enumerable: true,
      configurable: true,
    })
}
