/** Instructions and folders of an agent: finds what a path names, and reads texts. */
import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { invalidOption } from '../base/start-errors.ts'

/** Longest text that is tried as a path, in characters. */
const MAX_PATH_CHARS = 1_024
/** Largest instructions file that is read, in bytes; a larger one throws INVALID_OPTION. */
const MAX_FILE_BYTES = 1_048_576
/** How many bytes of a file decide its encoding. */
const SAMPLE_BYTES = 1_024
/** How many stack frames are searched for the module that creates the agent. */
const MAX_FRAMES = 50

const ROOTED = /^(\.{1,2}[\\/]|~[\\/]|[\\/]|[a-z]:[\\/]|file:)/i
const EXTENSION = /\.[a-z][a-z0-9]{0,9}$/i
const TEXT_EXTENSION =
  /\.(md|mdx|markdown|txt|text|prompty?|rst|adoc|xml|html?|ya?ml|toml|json|j2|jinja2?|njk|liquid|te?mpl|hbs|mustache|docx?|pdf)$/i
/** No sentence begins so. */
const PREFIXED = /^(\.{1,2}[\\/]|~[\\/]|[a-z]:[\\/]|file:)/i
const SENTENCE = /[.,;:!?]\s/

/**
 * Returns the text itself, or the content of the file it names. A relative path is resolved against the folder of the module
 * that creates the agent (or agency), then those of the modules that called it, then the working directory. Files must be
 * UTF-8 or UTF-16. The byte order mark is removed, and line ends become `\n`, as in the original.
 *
 * @param owner the owner named in errors: `agent "Desk"`
 * @param option the option named in errors: `instructions`
 * @throws INVALID_OPTION for a text that looks like a path but names no file, and for a file that cannot be read as text
 */
export function readText(value: string | URL, owner: string, option: string): string {
  const text = value instanceof URL ? value.href : value
  const path = text.trim()
  if (path === '' || path.length > MAX_PATH_CHARS || /[\n\0]/.test(path)) return text
  const candidate = ROOTED.test(path) || /[\\/]|\.\w+$/.test(path)
  if (!candidate) return text
  const refuse = (reason: string) => invalidOption(`${option} of ${owner}: ${reason}`)
  if (/^https?:\/\/\S+$/i.test(path))
    throw refuse(`"${path}" is a web address, which is not fetched. Fetch it yourself, and pass the text.`)
  const places = listPlaces(path, refuse)
  const found = places.find(isFile)
  if (found !== undefined) return readTextFile(found, refuse)
  const folder = ROOTED.test(path) && places.some(isFolder)
  if (!folder && !looksLikePath(path)) return text
  const shown = places.map((place) => relative(process.cwd(), place) || place)
  throw refuse(
    `"${path}" looks like the path of a file, and ${folder ? 'is a folder' : 'there is no such file'}. Tried: ${shown.join(', ')}. Correct the path, or pass the text itself.`,
  )
}

/**
 * The place of the folder that an option names; a relative path is resolved as in `readText`.
 * @param owner the owner named in errors: `agent "Desk"`
 * @param search.find returns the folder at a place, or undefined. Default: a folder of exactly this path
 * @param search.noun what is looked for, in the error. Default: a folder
 * @throws INVALID_OPTION when there is no such folder
 */
export function locateFolder(
  value: unknown,
  owner: string,
  option: string,
  { find = asFolder, noun = 'folder' }: { find?: (place: string) => string | undefined; noun?: string } = {},
): string {
  const refuse = (reason: string) => invalidOption(`${option} of ${owner}: ${reason}`)
  if (!(typeof value === 'string' && value.trim() !== '') && !(value instanceof URL))
    throw refuse(`it must be the path or the file URL of a ${noun}.`)
  const path = value instanceof URL ? value.href : value.trim()
  const places = listPlaces(path, refuse)
  const found = places.find((place) => find(place) !== undefined)
  if (found !== undefined) return found
  const shown = places.map((place) => relative(process.cwd(), place) || place)
  throw refuse(`there is no ${noun} "${path}". Tried: ${shown.join(', ')}. Create it, or correct the path.`)
}

const asFolder = (place: string) => (isFolder(place) ? place : undefined)

/**
 * True for a text meant as a path: `./desk`, `C:\\desk.txt`, `/prompts/desk.md`, `prompts/desk.md`; false for words with a slash
 * (`TCP/IP`, `and/or`, `/help`) and for sentences.
 */
function looksLikePath(text: string): boolean {
  if (PREFIXED.test(text)) return !SENTENCE.test(text) && (EXTENSION.test(text) || !/\s/.test(text))
  if (ROOTED.test(text)) return !SENTENCE.test(text) && EXTENSION.test(text)
  return !/\s/.test(text) && TEXT_EXTENSION.test(text)
}

/**
 * The places where a path may lead, in search order and without duplicates. A relative path is resolved against the folders of
 * the modules on the stack and the working directory, so this must be called before anything is awaited.
 */
function listPlaces(path: string, refuse: (reason: string) => Error): string[] {
  if (/^file:/i.test(path)) {
    try {
      return [fileURLToPath(path)]
    } catch {
      throw refuse(`"${path}" is not a valid file address.`)
    }
  }
  if (/^~[\\/]/.test(path)) return [join(homedir(), path.slice(2))]
  if (isAbsolute(path)) return [path]
  return [...new Set([...findCallerFolders(), process.cwd()].map((folder) => resolve(folder, path)))]
}

/** The folder of this package, whose stack frames are skipped; undefined when a bundler merged it into the caller's file. */
const OWN_FOLDER = /[\\/]agency[\\/]text-file\.[jt]s$/.test(new URL(import.meta.url).pathname)
  ? fileURLToPath(new URL('..', import.meta.url))
  : undefined

/** The folders of the modules on the stack, innermost first. */
function findCallerFolders(): string[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.stackTraceLimit = MAX_FRAMES
    Error.prepareStackTrace = (_error, calls) => calls.map((call) => call.getFileName())
    Error.captureStackTrace(holder, findCallerFolders)
    const files = (holder.stack as (string | null | undefined)[]).flatMap((file) => toPath(file) ?? [])
    return files.filter((file) => OWN_FOLDER === undefined || !file.startsWith(OWN_FOLDER)).map((file) => dirname(file))
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Frames of ES modules have file URLs, possibly with a query; those of CommonJS modules have paths. */
function toPath(file: string | null | undefined): string | undefined {
  if (typeof file !== 'string') return undefined
  if (!file.startsWith('file:')) return isAbsolute(file) ? file : undefined
  try {
    return fileURLToPath(file)
  } catch {
    return undefined
  }
}

const isFile = (path: string): boolean => statOf(path)?.isFile() === true
const isFolder = (path: string): boolean => statOf(path)?.isDirectory() === true

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch {
    return undefined // no permission for the folder, or the name is too long
  }
}

function readTextFile(path: string, refuse: (reason: string) => Error): string {
  const { size } = statSync(path)
  if (size > MAX_FILE_BYTES) throw refuse(`"${path}" is larger than the limit of ${MAX_FILE_BYTES} bytes.`)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    throw refuse(`"${path}" cannot be read (${(error as NodeJS.ErrnoException).code}).`)
  }
  const text = decodeText(bytes)
  if (text === undefined)
    throw refuse(
      `"${path}" is not text in UTF-8 or UTF-16. Save it as UTF-8 (Latin-1 and Windows-1252 are not supported).`,
    )
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

/** UTF-16 without a byte order mark: Latin letters have a zero in every other byte, always the even or always the odd ones. */
function unmarkedUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const zeros = [0, 0]
  for (const [index, byte] of bytes.subarray(0, SAMPLE_BYTES).entries())
    if (byte === 0) zeros[index % 2] = (zeros[index % 2] as number) + 1
  const [even = 0, odd = 0] = zeros
  if (even === 0 && odd === 0) return undefined
  return odd > even ? 'utf-16le' : 'utf-16be'
}
