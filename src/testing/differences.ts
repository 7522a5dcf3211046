/** Compares values, and says where they first differ. */
import { isObject } from '../wire/json.ts'

/** The first place where two values differ. */
export interface Difference {
  /** Such as `items[0].price`; empty for the value itself. */
  path: string
  actual: unknown
  expected: unknown
}

/** A matcher of Vitest or Jest, such as `expect.any(String)`. */
interface Matcher {
  asymmetricMatch(value: unknown): boolean
}
const isMatcher = (value: unknown): value is Matcher =>
  typeof value === 'object' && value !== null && typeof (value as Partial<Matcher>).asymmetricMatch === 'function'

/** Deeper values count as different. */
const MAX_DEPTH = 200

/** The first difference of two JSON values; undefined when they are equal. The order of keys does not count. */
export const firstDifference = (actual: unknown, expected: unknown): Difference | undefined =>
  compare({ path: '', actual, expected }, { partial: false, depth: 0 })

/**
 * Where a value first fails to match. An object matches when it has every expected field. A regular expression matches texts,
 * a function decides itself, and matchers of Vitest and Jest work as they do there.
 */
export const firstMismatch = (actual: unknown, expected: unknown): Difference | undefined =>
  compare({ path: '', actual, expected }, { partial: true, depth: 0 })

function compare(at: Difference, rules: { partial: boolean; depth: number }): Difference | undefined {
  const { path, actual, expected } = at
  const { partial, depth } = rules
  if (depth > MAX_DEPTH) return at
  if (partial && isMatcher(expected)) return expected.asymmetricMatch(actual) ? undefined : at
  if (partial && expected instanceof RegExp)
    return typeof actual === 'string' && actual.search(expected) >= 0 ? undefined : at
  if (partial && typeof expected === 'function') return expected(actual) === true ? undefined : at
  const deeper = { partial, depth: depth + 1 }
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return at
    for (let index = 0; index < Math.max(actual.length, expected.length); index++) {
      const inner = { path: `${path}[${index}]`, actual: actual[index], expected: expected[index] }
      const found = compare(inner, deeper)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isObject(expected)) return Object.is(actual, expected) ? undefined : at
  if (!isObject(actual)) return at
  const keys = partial ? Object.keys(expected) : [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort()
  for (const key of keys) {
    const inner = { path: path === '' ? key : `${path}.${key}`, actual: actual[key], expected: expected[key] }
    const found = compare(inner, deeper)
    if (found !== undefined) return found
  }
  return undefined
}

const MAX_SHOWN_CHARS = 200

/** A value on one line, shortened. */
export function show(value: unknown): string {
  const text =
    value instanceof RegExp || typeof value === 'function'
      ? String(value)
      : value === undefined
        ? 'nothing'
        : (JSON.stringify(value, (_key, part) => (part instanceof RegExp ? String(part) : part)) ?? String(value))
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}...` : text
}
