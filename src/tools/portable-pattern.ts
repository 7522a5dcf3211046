/** Regular expressions that every provider understands in the same way. */

const MAX_LENGTH = 1_000
const MAX_REPEATS = 1_000

/**
 * True for a pattern between "^" and "$" of literals, classes, unnamed groups, alternatives and repeats. Only some engines
 * support lookaround, named groups, back-references, `\p{...}`, `\b` and set operations in classes.
 */
export function isPortablePattern(pattern: string): boolean {
  if (pattern.length > MAX_LENGTH || !compiles(pattern)) return false
  const inner = /^\^([\s\S]*)\$$/.exec(pattern)?.[1]
  if (inner === undefined) return false
  const escapes = inner.match(/\\[\s\S]/g) ?? []
  if (!escapes.every((pair) => /^\\([dDwWsSnrt]|[^a-zA-Z0-9])$/.test(pair))) return false
  // Replace every escape and every class with one character.
  const plain = inner.replace(/\\[\s\S]/g, 'e').replace(/\[\^?[^[\]]+\]/g, (set) => (isPlainClass(set) ? 'c' : '['))
  if (/[[\]^$]/.test(plain) || /\((?!\?:)\?/.test(plain)) return false
  const repeats = [...plain.matchAll(/\{(\d+)(?:,(\d*))?\}/g)]
  if (repeats.some(([, least, most]) => Number(least) > MAX_REPEATS || Number(most ?? 0) > MAX_REPEATS)) return false
  return !/[{}]/.test(plain.replace(/\{\d+(?:,\d*)?\}/g, ''))
}

/** False for a class with a sequence that some engines read as a set operator. */
const isPlainClass = (set: string) => !/&&|--|~~|\|\|/.test(set)

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u')
    return true
  } catch {
    return false
  }
}
