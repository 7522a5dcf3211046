/** Shorter values are no secrets: masking them would only garble texts. */
const MIN_CHARS = 4
const MASK = '[redacted]'

export type Redact = (text: string) => string

/**
 * A function that masks known secrets in any text that leaves the process, also where they stand in a URL, inside JSON or
 * in Base64. `secrets` is asked when the first text comes, which for most runs is never.
 */
export function createRedactor(secrets: () => readonly (string | null | undefined)[]): Redact {
  let forms: string[] | undefined
  return (text) => {
    forms ??= [...new Set(secrets().flatMap(formsOf))].sort((a, b) => b.length - a.length) // the longest first
    return forms.reduce((masked, form) => (masked.includes(form) ? masked.replaceAll(form, MASK) : masked), text)
  }
}

function formsOf(secret: string | null | undefined): string[] {
  if (typeof secret !== 'string' || secret.length < MIN_CHARS) return []
  const text = secret.toWellFormed()
  const inUrl = encodeURIComponent(text)
  // Base64 of what the text begins with: its last characters depend on what follows.
  const bytes = Buffer.from(text)
  const whole = bytes.subarray(0, bytes.length - (bytes.length % 3))
  const encoded = whole.length < 9 ? [] : [whole.toString('base64'), whole.toString('base64url')]
  const lowerInUrl = inUrl.replace(/%../g, (code) => code.toLowerCase())
  return [secret, inUrl, lowerInUrl, JSON.stringify(text).slice(1, -1), ...encoded]
}

/** Shorter values of a context are words that a sentence may need. */
const MIN_CONTEXT_CHARS = 8
const MAX_CONTEXT_TEXTS = 1_000

/** The texts in a user context that no failure may tell: strings of some length in plain objects and lists, the first 1,000. */
export function textsOf(context: unknown): string[] {
  const texts: string[] = []
  const waiting: unknown[] = [context]
  const seen = new Set<unknown>()
  for (
    let value = waiting.pop();
    texts.length < MAX_CONTEXT_TEXTS && seen.size < 10 * MAX_CONTEXT_TEXTS;
    value = waiting.pop()
  ) {
    if (typeof value === 'string' && value.length >= MIN_CONTEXT_CHARS) texts.push(value)
    if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value)
      if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
        waiting.push(...Object.values(value).slice(0, MAX_CONTEXT_TEXTS))
    }
    if (waiting.length === 0) break
  }
  return texts
}

/** A function that takes the lines of a stack and the server's own folders out of a text. */
export function createPlaceMask(folders: readonly string[]): Redact {
  const known = folders
    .filter((folder) => folder.length >= MIN_CHARS)
    .map((folder) => folder.replace(/[^\w/]/g, '\\$&'))
  // As a path of its own: not the same letters inside an address.
  const places = new RegExp(`(?<![\\w./:-])(?:${known.join('|')})(?![\\w.-])`, 'g')
  return (text) => {
    const lines = text.includes('\n') ? text.replace(/\n[ \t]+at [^\n]*/g, '') : text
    return known.length === 0 ? lines : lines.replace(places, '')
  }
}

/** The longest line of a log. */
const MAX_LINE_CHARS = 4_000

/** One line for a log: nothing in it ends the line, moves a cursor or turns the direction of writing. */
export function toLogLine(text: string): string {
  const line = text.slice(0, MAX_LINE_CHARS).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
  return text.length > MAX_LINE_CHARS ? `${line} ... (${text.length} characters)` : line
}
