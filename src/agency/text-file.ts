/** Instructions that stand in a file: finds the file a text names, and reads it as text. */
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidOption } from '../errors.ts'

/** Longer texts are never looked up as paths. */
const MAX_PATH_CHARS = 1_024
/** The largest instructions file that is read, in bytes. */
const MAX_FILE_BYTES = 1_048_576
/** How much of a file is looked at to tell its encoding. */
const SAMPLE_BYTES = 1_024
/** Calls of the stack that are searched for modules. */
const MAX_FRAMES = 50

const ROOTED = /^(\.{1,2}[\\/]|~[\\/]|[\\/]|[a-z]:[\\/]|file:)/i
const EXTENSION = /\.[a-z][a-z0-9]{0,9}$/i
const TEXT_EXTENSION = /\.(md|mdx|markdown|txt|text|prompt|rst|adoc|xml|ya?ml|json|j2|jinja2?|hbs|mustache)$/i
const PLAIN_PATH = /^[\w.@-]+([\\/][\w.@-]+)+$/
const SENTENCE = /[.,;:!?]\s/

/**
 * The text itself, or the content of the file it names. A relative path is looked for beside the module that makes the agent
 * (or agency), then beside the modules that called it, then in the working folder. Files are UTF-8 or UTF-16; a byte order mark
 * is taken off, and line ends become `\n`, as in the original.
 *
 * @param owner whose text it is, for errors: `agent "Desk"`
 * @param option the option it was given as
 * @throws INVALID_OPTION for a text that looks like a path and names no file, and for a file that cannot be read as text
 */
export function readText(given: string | URL, owner: string, option: string): string {
  const text = given instanceof URL ? given.href : given
  const path = text.trim()
  if (path === '' || path.length > MAX_PATH_CHARS || /[\n\0]/.test(path)) return text
  const candidate = ROOTED.test(path) || /[\\/]|\.\w+$/.test(path)
  if (!candidate) return text
  const refuse = (reason: string) => invalidOption(`${option} of ${owner}: ${reason}`)
  const places = placesOf(path, refuse)
  const found = places.find(isFile)
  if (found !== undefined) return readTextFile(found, refuse)
  if (!looksLikePath(path)) return text
  const folder = places.some((place) => statSync(place, { throwIfNoEntry: false })?.isDirectory())
  const shown = places.map((place) => relative(process.cwd(), place) || place)
  throw refuse(
    `"${path}" looks like the path of a file, and ${folder ? 'is a folder' : 'there is no such file'}. Looked for: ${shown.join(', ')}. Correct the path, or give the text itself.`,
  )
}

/** True for what is meant as a path: `./a b.md`, `prompts/desk.md`, `desk.md`, `C:\desk.txt`; false for a sentence with a slash in it. */
function looksLikePath(text: string): boolean {
  if (ROOTED.test(text)) return !SENTENCE.test(text) && (EXTENSION.test(text) || !/\s/.test(text))
  if (/\s/.test(text)) return false
  return TEXT_EXTENSION.test(text) || PLAIN_PATH.test(text) || (/[\\/]/.test(text) && EXTENSION.test(text))
}

/** Where the file may be, in the order of looking, each place once. */
function placesOf(path: string, refuse: (reason: string) => Error): string[] {
  if (/^file:/i.test(path)) {
    try {
      return [fileURLToPath(path)]
    } catch {
      throw refuse(`"${path}" is not a valid file address.`)
    }
  }
  if (/^~[\\/]/.test(path)) return [join(homedir(), path.slice(2))]
  if (isAbsolute(path)) return [path]
  return [...new Set([...callingFolders(), process.cwd()].map((folder) => resolve(folder, path)))]
}

/** This package's own files, whose calls are passed over; undefined when a bundler has put them into one file with the caller's. */
const OWN_FOLDER = /[\\/]agency[\\/]text-file\.[jt]s$/.test(new URL(import.meta.url).pathname)
  ? fileURLToPath(new URL('..', import.meta.url))
  : undefined

/** The folders of the modules on the stack, innermost first. */
function callingFolders(): string[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = MAX_FRAMES
    Error.prepareStackTrace = (_error, calls) => calls.map((call) => call.getFileName())
    Error.captureStackTrace(holder, callingFolders)
    const files = (holder.stack as (string | null | undefined)[]).flatMap((file) => pathOf(file) ?? [])
    return files.filter((file) => OWN_FOLDER === undefined || !file.startsWith(OWN_FOLDER)).map((file) => dirname(file))
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** ESM calls have file URLs, possibly with a query; CommonJS calls have paths. */
function pathOf(file: string | null | undefined): string | undefined {
  if (typeof file !== 'string') return undefined
  if (!file.startsWith('file:')) return isAbsolute(file) ? file : undefined
  try {
    return fileURLToPath(file)
  } catch {
    return undefined
  }
}

const isFile = (path: string): boolean => {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true
  } catch {
    return false // a folder that may not be read, or a name that is too long
  }
}

function readTextFile(path: string, refuse: (reason: string) => Error): string {
  const { size } = statSync(path)
  if (size > MAX_FILE_BYTES) throw refuse(`"${path}" is larger than the ${MAX_FILE_BYTES} bytes that are read.`)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw refuse(`"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  const text = decodeText(bytes)
  if (text === undefined)
    throw refuse(`"${path}" is not text in UTF-8 or UTF-16. Save it as UTF-8 (Latin-1 and Windows-1252 are not read).`)
  return text.replaceAll('\r\n', '\n')
}

/** Text in UTF-8 or UTF-16, with or without a byte order mark; undefined for anything else. */
export function decodeText(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes
  const encoding =
    first === 0xff && second === 0xfe
      ? 'utf-16le'
      : first === 0xfe && second === 0xff
        ? 'utf-16be'
        : (unmarkedUtf16(bytes) ?? 'utf-8')
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}

/** UTF-16 without a mark has a zero in every other byte of its Latin letters, and never two side by side. */
function unmarkedUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const zeros = [0, 0]
  for (const [index, byte] of bytes.subarray(0, SAMPLE_BYTES).entries())
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] as number) + 1
  const [even = 0, odd = 0] = zeros
  if (even === 0 && odd === 0) return undefined
  return odd > even ? 'utf-16le' : 'utf-16be'
}
