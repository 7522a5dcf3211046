/** Tool names that every provider accepts: 1 to 64 letters, digits, "_" or "-". */
import { createHash } from 'node:crypto'
import { invalidTool } from '../base/start-errors.ts'

const MAX_LENGTH = 64
const HASH_LENGTH = 8

/** True for a name that every provider accepts. */
export const isToolName = (name: unknown): name is string =>
  typeof name === 'string' && /^[a-zA-Z0-9_-]{1,64}$/.test(name)

/** @throws INVALID_TOOL for a name that a provider would refuse; `advice` says how to set another name */
export function requireToolName(name: unknown, advice = ''): void {
  if (isToolName(name)) return
  const sentence = `The tool name ${JSON.stringify(name)} is not valid: use 1 to 64 letters, digits, "_" or "-".`
  throw invalidTool(`${sentence} ${advice}`.trim())
}

/** Removes accents and replaces every other character that a name cannot have with "_". */
const clean = (text: string) =>
  text
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .replace(/[^a-zA-Z0-9_-]/gu, '_')

/** A name with a hash of the text, so that two texts differ even when cleaning or shortening makes them equal. */
function withHash(name: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, HASH_LENGTH)
  return `${name.slice(0, MAX_LENGTH - HASH_LENGTH - 1)}_${hash}`
}

/**
 * One tool name for each text, in the same order, each different and none in `taken`. A text that is a valid name stays
 * unchanged. Otherwise the name is the cleaned text, followed by a hash of the text when the cleaned text is too long, has no
 * letter or digit, or is taken.
 */
export function toToolNames(
  texts: readonly string[],
  { prefix = '', taken = [] }: { prefix?: string; taken?: Iterable<string> } = {},
): string[] {
  const used = new Set(taken)
  const names = new Map<number, string>()
  // Valid names first, so that no cleaned text takes them.
  const order = texts.map((_, index) => index).sort((a, b) => changes(texts[a]) - changes(texts[b]) || a - b)
  for (const index of order) {
    const name = freeName(texts[index] as string, prefix, used)
    used.add(name)
    names.set(index, name)
  }
  return texts.map((_, index) => names.get(index) as string)
}

const changes = (text: string | undefined) => (text !== undefined && clean(text) === text ? 0 : 1)

function freeName(text: string, prefix: string, used: ReadonlySet<string>): string {
  const cleaned = clean(text)
  const name = prefix + cleaned
  if (name.length <= MAX_LENGTH && /[a-zA-Z0-9]/.test(cleaned) && !used.has(name)) return name
  let salted = text
  let hashed = withHash(name, salted)
  while (used.has(hashed)) {
    salted += ' '
    hashed = withHash(name, salted)
  }
  return hashed
}
