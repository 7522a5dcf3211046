/** Makes ids and names fit the rules of an API. */
import { createHash } from 'node:crypto'
import { asText } from '../wire/json.ts'

/** Which ids or names an API accepts. */
export interface NameRule {
  /** Most characters. */
  maxLength: number
  /** The accepted characters, as the inside of a character class. @default all */
  alphabet?: string
  /** Names must have exactly `maxLength` characters. */
  exact?: true
}

/** The function names that providers accept. */
export const FUNCTION_NAME: NameRule = { maxLength: 64, alphabet: 'a-zA-Z0-9_-' }

/**
 * Creates a function that makes names fit a rule: equal names stay equal, different ones stay different, and names that fit are
 * unchanged. Use one namer per request. Its results depend only on the names, so prompt caches keep working.
 */
export function createNamer(rule: NameRule): (name: unknown) => string {
  const results = new Map<string, string>()
  const taken = new Set<string>()
  return (value) => {
    const name = asText(value)
    const earlier = results.get(name)
    if (earlier !== undefined) return earlier
    let fitted = name
    for (let round = 0; !fits(fitted, rule) || taken.has(fitted); round++) fitted = shorten(name, rule, round)
    results.set(name, fitted)
    taken.add(fitted)
    return fitted
  }
}

function fits(name: string, { maxLength, alphabet, exact }: NameRule): boolean {
  if (name === '' || name.length > maxLength || (exact === true && name.length < maxLength)) return false
  return alphabet === undefined || !new RegExp(`[^${alphabet}]`).test(name)
}

const HASH_CHARS = 16

/** The start of the name, and a hash of the whole. */
function shorten(name: string, { maxLength, alphabet = '', exact }: NameRule, round: number): string {
  const hash = createHash('sha256').update(`${round} ${name}`).digest('hex')
  if (exact === true) return hash.slice(0, maxLength)
  const start = alphabet === '' ? name : name.replaceAll(new RegExp(`[^${alphabet}]`, 'g'), '_')
  return `${start.slice(0, maxLength - HASH_CHARS - 1)}_${hash.slice(0, HASH_CHARS)}`
}
