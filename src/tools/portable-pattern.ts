/** Regular expressions that mean the same to every provider. */

const MAX_LENGTH = 1_000
const MAX_REPEATS = 1_000

/**
 * True for a pattern of plain parts between "^" and "$": classes, groups without a name, alternatives and repeats. Lookaround,
 * named groups, back-references, `\p{...}`, `\b` and sets inside classes are known to some engines only.
 */
export function isPortablePattern(pattern: string): boolean {
  if (pattern.length > MAX_LENGTH || !compiles(pattern)) return false
  const inner = /^\^([\s\S]*)\$$/.exec(pattern)?.[1]
  if (inner === undefined) return false
  const escapes = inner.match(/\\[\s\S]/g) ?? []
  if (!escapes.every((pair) => /^\\([dDwWsSnrt]|[^a-zA-Z0-9])$/.test(pair))) return false
  // Every escape stands for one character from here on, and so does every class.
  const plain = inner.replace(/\\[\s\S]/g, 'e').replace(/\[\^?[^[\]]+\]/g, (set) => (isPlainClass(set) ? 'c' : '['))
  if (/[[\]^$]/.test(plain) || /\((?!\?:)\?/.test(plain)) return false
  const repeats = [...plain.matchAll(/\{(\d+)(?:,(\d*))?\}/g)]
  if (repeats.some(([, least, most]) => Number(least) > MAX_REPEATS || Number(most ?? 0) > MAX_REPEATS)) return false
  return !/[{}]/.test(plain.replace(/\{\d+(?:,\d*)?\}/g, ''))
}

/** Some engines read these as operators on sets. */
const isPlainClass = (set: string) => !/&&|--|~~|\|\|/.test(set)

function compiles(pattern: string): boolean {
  try {
    new RegExp(pattern, 'u')
    return true
  } catch {
    return false
  }
}
