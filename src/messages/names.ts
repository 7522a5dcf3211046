import { createHash } from 'node:crypto'
import { asText } from '../wire/json.ts'

/** The ids and names that an API takes. */
export interface NameRule {
  /** Characters. */
  maxLength: number
  /** Characters that it takes, as the inside of a character class. Default: all. */
  alphabet?: string
  /** Every name has exactly `maxLength` characters. */
  exact?: true
}

/** The names of functions that providers take. */
export const FUNCTION_NAME: NameRule = { maxLength: 64, alphabet: 'a-zA-Z0-9_-' }

/**
 * Makes names fit a rule: equal names stay equal, different ones different, and names that fit stay as they are. One namer serves one
 * request. Its results depend only on the names, so prompt caches keep working.
 */
export function createNamer(rule: NameRule): (name: unknown) => string {
  const given = new Map<string, string>()
  const taken = new Set<string>()
  return (value) => {
    const name = asText(value)
    const known = given.get(name)
    if (known !== undefined) return known
    let fitted = name
    for (let round = 0; !fits(fitted, rule) || taken.has(fitted); round++) fitted = shorten(name, rule, round)
    given.set(name, fitted)
    taken.add(fitted)
    return fitted
  }
}

function fits(name: string, { maxLength, alphabet, exact }: NameRule): boolean {
  if (name === '' || name.length > maxLength || (exact === true && name.length < maxLength)) return false
  return alphabet === undefined || !new RegExp(`[^${alphabet}]`).test(name)
}

const HASH_CHARS = 16

/** As much of the name as fits, and a hash of the whole. */
function shorten(name: string, { maxLength, alphabet = '', exact }: NameRule, round: number): string {
  const hash = createHash('sha256').update(`${round} ${name}`).digest('hex')
  if (exact === true) return hash.slice(0, maxLength)
  const start = alphabet === '' ? name : name.replaceAll(new RegExp(`[^${alphabet}]`, 'g'), '_')
  return `${start.slice(0, maxLength - HASH_CHARS - 1)}_${hash.slice(0, HASH_CHARS)}`
}
