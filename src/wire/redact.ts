/** Masks secrets in texts. */
import type { JsonObject } from './json.ts'

/** Shorter values are not masked, because that would garble texts. */
const MIN_CHARS = 4
const MASK = '[redacted]'

export type Redact = (text: string) => string

/**
 * Creates a function that masks known secrets in texts that leave the process, also inside a URL, JSON or Base64, alone or as
 * part of a longer text (`user:key`). `secrets` is called for the first text, which for most runs is never.
 */
export function createRedactor(secrets: () => readonly (string | null | undefined)[]): Redact {
  let forms: string[] | undefined
  return (original) => {
    const text = original.length > MAX_CHARS ? cutAtSpace(original) : original
    forms ??= [...new Set(secrets().flatMap(listForms))].sort((a, b) => b.length - a.length) // the longest first
    const masked = forms.reduce((left, form) => (left.includes(form) ? left.replaceAll(form, MASK) : left), text)
    return /[%\\]/.test(masked) ? maskEscaped(masked, forms) : masked
  }
}

/** The longest text that is masked: masking takes about 20 bytes of memory for each character. */
const MAX_CHARS = 256 * 1024

/** The beginning of a text, up to a space, so that no secret is cut in two and missed. */
function cutAtSpace(text: string): string {
  let end = MAX_CHARS
  while (end > 0 && !/\s/.test(text[end - 1] as string)) end--
  return `${text.slice(0, end)}[cut]`
}

function listForms(secret: string | null | undefined): string[] {
  if (typeof secret !== 'string' || secret.length < MIN_CHARS) return []
  const text = secret.toWellFormed()
  return [secret, text.replaceAll(' ', '+'), ...listBase64Forms(Buffer.from(text))]
}

/** Shorter pieces of Base64 could be words. */
const MIN_BASE64_CHARS = 8

/**
 * The Base64 forms of some bytes at any position: three bytes become four characters, so there are three alignments, and the
 * characters at both ends depend on the neighbours (RFC 4648, sections 4 and 5).
 */
function listBase64Forms(bytes: Buffer): string[] {
  const forms = [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64')
    const begin = Math.ceil((before * 8) / 6)
    const end = Math.floor(((before + bytes.length) * 8) / 6)
    // At the end of a text, with and without padding, and in the middle of one.
    return [encoded.slice(begin), encoded.slice(begin).replace('=', '').replace('=', ''), encoded.slice(begin, end)]
  })
  return forms
    .filter((form) => form.length >= MIN_BASE64_CHARS)
    .flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')])
}

/** Escapes of URLs (RFC 3986, section 2.1) and JSON (RFC 8259, section 7). */
const ESCAPE = /%[\da-f]{2}|\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|\\u[\da-f]{4}|\\["\\/]/gi

/** Masks forms with escaped characters: finds them in the text without escapes, and replaces them in the original text. */
function maskEscaped(text: string, forms: readonly string[]): string {
  const written = toBytes(text)
  let plain = ''
  // The position of each byte of the plain text in the original.
  const starts: number[] = []
  const ends: number[] = []
  const add = (bytes: string, at: number, length?: number) => {
    for (let index = 0; index < bytes.length; index++) {
      starts.push(length === undefined ? at + index : at)
      ends.push(length === undefined ? at + index + 1 : at + length)
    }
    plain += bytes
  }
  let at = 0
  for (const { 0: code, index } of written.matchAll(ESCAPE)) {
    add(written.slice(at, index), at)
    add(decodeEscape(code), index, code.length)
    at = index + code.length
  }
  if (at === 0) return text // nothing is escaped
  add(written.slice(at), at)
  let masked = ''
  let done = 0
  for (const [from, to] of findAll(plain, forms.map(toBytes))) {
    masked += written.slice(done, starts[from]) + MASK
    done = ends[to - 1] as number
  }
  return done === 0 ? text : Buffer.from(masked + written.slice(done), 'latin1').toString('utf8')
}

/** The bytes of an escape. */
const decodeEscape = (code: string): string =>
  code.startsWith('%') ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : toBytes(JSON.parse(`"${code}"`))

/** A text with one character for each byte of its UTF-8. */
const toBytes = (text: string): string => Buffer.from(text).toString('latin1')

/** The ranges of all matches, in order and merged where they overlap. */
function findAll(text: string, forms: readonly string[]): [from: number, to: number][] {
  const found = forms.flatMap((form) => {
    const places: [from: number, to: number][] = []
    for (let from = text.indexOf(form); from >= 0; from = text.indexOf(form, from + form.length))
      places.push([from, from + form.length])
    return places
  })
  const apart: [from: number, to: number][] = []
  for (const [from, to] of found.sort(([a], [b]) => a - b)) {
    const last = apart.at(-1)
    if (last !== undefined && from < last[1]) last[1] = Math.max(last[1], to)
    else apart.push([from, to])
  }
  return apart
}

/** Shorter values of a context could be words of an error text. */
const MIN_CONTEXT_CHARS = 8
const MAX_CONTEXT_TEXTS = 1_000
/** The bound for all texts together: listing the forms of a text takes up to a microsecond per character. */
const MAX_CONTEXT_CHARS = 50_000

/** The texts of a user context that no error may show: long strings in plain objects and lists, at most 1,000 with 50,000 characters. */
export function textsOf(context: unknown): string[] {
  const texts: string[] = []
  const waiting: unknown[] = [context]
  const seen = new Set<unknown>()
  let left = MAX_CONTEXT_CHARS
  for (
    let value = waiting.pop();
    texts.length < MAX_CONTEXT_TEXTS && seen.size < 10 * MAX_CONTEXT_TEXTS;
    value = waiting.pop()
  ) {
    if (typeof value === 'string' && value.length >= MIN_CONTEXT_CHARS && left >= MIN_CONTEXT_CHARS) {
      texts.push(value.slice(0, left)) // the beginning is found in a longer text, too
      left -= value.length
    }
    if (typeof value === 'object' && value !== null && !seen.has(value)) {
      seen.add(value)
      if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype)
        waiting.push(...Object.values(value).slice(0, MAX_CONTEXT_TEXTS))
    }
    if (waiting.length === 0) break
  }
  return texts
}

/** Creates a function that removes stack lines and the server's own folders from a text. */
export function createPlaceMask(folders: readonly string[]): Redact {
  const known = folders
    .filter((folder) => folder.length >= MIN_CHARS)
    .map((folder) => folder.replace(/[^\w/]/g, '\\$&'))
  // Only as a whole path, not inside a URL.
  const places = new RegExp(`(?<![\\w./:-])(?:${known.join('|')})(?![\\w.-])`, 'g')
  return (text) => {
    const lines = text.includes('\n') ? text.replace(/\n[ \t]+at [^\n]*/g, '') : text
    return known.length === 0 ? lines : lines.replace(places, '')
  }
}

/** The longest line of a log. */
const MAX_LINE_CHARS = 4_000

/** A text as one log line, without characters that end the line, move the cursor or change the direction of text. */
export function toLogLine(text: string): string {
  const line = text.slice(0, MAX_LINE_CHARS).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ')
  return text.length > MAX_LINE_CHARS ? `${line} ... (${text.length} characters)` : line
}

/** Fields of settings and hosted tools that carry keys. */
const SECRET_FIELDS = new Set(['headers', 'extraHeaders', 'authorization'])

/** Settings, or a tool that the provider runs, with the values of headers masked. */
export const withoutKeys = (value: object): JsonObject =>
  Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      SECRET_FIELDS.has(name) && part != null ? maskValues(part) : part,
    ]),
  )

const maskValues = (value: unknown) =>
  typeof value === 'object' && value !== null
    ? Object.fromEntries(Object.keys(value).map((name) => [name, '[redacted]']))
    : '[redacted]'
