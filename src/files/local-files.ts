/** Opens local files inside the allowed directories. */
import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path'
import { fileUrlFailed } from '../base/request-errors.ts'
import { excerpt, type LocalSource } from './sources.ts'
import type { LoadedFile } from './store.ts'

/** The most links that a path may contain, as on Linux. */
const MAX_LINKS = 40
const PIECE_BYTES = 1024 * 1024
/** How often a path must lead to the opened file, on systems that do not report the path of an open file. */
const LOOKS = 8
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants

/** A local file that was checked and is still open, so that the checked file is the one that is read. */
export interface OpenFile {
  size: number
  /** Reads the whole file. @param count called with the size of every piece */
  read(count: (bytes: number) => void, signal: AbortSignal): Promise<LoadedFile>
  close(): Promise<void>
}

/** The entries of an allowlist as absolute paths; `~` is the home folder. */
export const expandDirectories = (entries: readonly string[]): string[] =>
  entries.map((entry) => resolve(/^~(?=$|[\\/])/.test(entry) ? join(homedir(), entry.slice(1)) : entry))

/** The canonical paths of the entries that are directories now. `broken` is true when an entry is something else; missing entries are skipped. */
export async function readDirectories(entries: readonly string[]): Promise<{ usable: string[]; broken: boolean }> {
  const found = await Promise.all(
    entries.map(async (entry) => {
      try {
        const path = await realpath(entry)
        return { path, directory: (await stat(path)).isDirectory() }
      } catch {
        return undefined
      }
    }),
  )
  const existing = found.filter((entry) => entry !== undefined)
  return {
    usable: existing.filter(({ directory }) => directory).map(({ path }) => path),
    broken: existing.some(({ directory }) => !directory),
  }
}

/**
 * Opens a regular file inside one of the directories (canonical paths). Links are followed, and their target must be inside. The
 * open descriptor is checked again, in case the file was replaced meanwhile.
 * @param descriptors the folder in which the system shows the paths of open files
 * @throws FILE_FAILED, with the same text for every path outside, so that callers cannot test which files exist
 */
export async function openLocalFile(
  { url: text, from: { path } }: LocalSource,
  directories: readonly string[],
  descriptors = '/proc/self/fd',
): Promise<OpenFile> {
  const outside = () => fileUrlFailed(`Local file not in allowed directories: ${excerpt(text)}`)
  const allowed = (place: string) => directories.some((directory) => isInside(place, directory))
  const root = (place: string) => parse(place).root.toLowerCase()
  // On Windows, even a look at a share of another machine would send it our credentials.
  if (!directories.some((directory) => root(directory) === root(path))) throw outside()
  const place = await locate(path)
  if (!allowed(place)) throw outside()
  const before = await lstat(place).catch(() => undefined)
  if (before === undefined) throw fileUrlFailed(`Local file not found: ${excerpt(text)}`)
  if (!before.isFile() && !before.isSymbolicLink()) throw fileUrlFailed(`Local path must be a file: ${excerpt(text)}`)
  const unreadable = (cause: unknown) => fileUrlFailed(`Local file cannot be read: ${excerpt(text)}`, cause)
  const handle = await open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY).catch((error) => {
    throw error.code === 'ELOOP' ? outside() : unreadable(error) // the file was just replaced by a link
  })
  try {
    const info = await handle.stat({ bigint: true })
    if (!info.isFile()) throw fileUrlFailed(`Local path must be a file: ${excerpt(text)}`)
    const opened = await readOpenedPath(handle, place, info, descriptors)
    if (opened === undefined || !allowed(opened)) throw outside()
    const size = Number(info.size)
    return {
      size,
      async read(count, signal) {
        const pieces: Buffer[] = []
        for await (const piece of readPieces(handle, size, unreadable)) {
          signal.throwIfAborted()
          count(piece.length)
          pieces.push(piece)
        }
        return { name: basename(path), pieces }
      },
      close: () => handle.close(),
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** True for the directory itself and for paths below it. */
export function isInside(path: string, directory: string): boolean {
  const steps = relative(directory, path)
  return steps !== '..' && !steps.startsWith(`..${sep}`) && !isAbsolute(steps)
}

/**
 * Resolves the links of a path. When the path ends early (missing, forbidden, too many links), returns the place where it ends, so
 * that a link to the outside counts as outside even when its target does not exist.
 */
async function locate(path: string): Promise<string> {
  const { root } = parse(path)
  const names = path.slice(root.length).split(sep)
  let place = root
  let links = 0
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === '' || name === '.') continue
    if (name === '..') {
      place = dirname(place)
      continue
    }
    const next = join(place, name)
    try {
      if (!(await lstat(next)).isSymbolicLink()) {
        place = next
        continue
      }
      const target = await readlink(next)
      if (++links > MAX_LINKS) return next
      const start = parse(target).root
      names.unshift(...target.slice(start.length).split(sep))
      if (start !== '') place = resolve(place, start)
    } catch {
      return next
    }
  }
  return place
}

/** The canonical path of an open file: as the system reports it, or resolved from the path if that still leads to the file. */
async function readOpenedPath(
  { fd }: FileHandle,
  place: string,
  { dev, ino }: BigIntStats,
  descriptors: string,
): Promise<string | undefined> {
  try {
    return await readlink(join(descriptors, String(fd)))
  } catch {
    // The path may change between two looks, so every look must find the same file.
    let path: string | undefined
    for (let look = 0; look < LOOKS; look++) {
      const found = await realpath(place).catch(() => undefined)
      const now = found === undefined ? undefined : await stat(found, { bigint: true }).catch(() => undefined)
      if (now?.dev !== dev || now.ino !== ino || (path ?? found) !== found) return undefined
      path = found
    }
    return path
  }
}

async function* readPieces(
  handle: FileHandle,
  size: number,
  unreadable: (cause: unknown) => Error,
): AsyncGenerator<Buffer> {
  for (;;) {
    // One byte more than expected, so that `count` notices when the file has grown.
    const piece = Buffer.allocUnsafe(Math.min(size + 1, PIECE_BYTES))
    const { bytesRead } = await handle.read(piece, 0, piece.length, null).catch((error) => {
      throw unreadable(error)
    })
    if (bytesRead === 0) return
    yield piece.subarray(0, bytesRead)
  }
}
