import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, dirname, isAbsolute, join, parse, relative, resolve, sep } from 'node:path'
import { fileUrlFailed } from '../base/errors.ts'
import { type LocalSource, shown } from './sources.ts'
import type { LoadedFile } from './store.ts'

/** Links that are followed on the way to one file, as on Linux. */
const MAX_LINKS = 40
const PIECE_BYTES = 1024 * 1024
/** How often a path has to lead to the opened file, where the system does not tell the file's own path. */
const LOOKS = 8
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_NOCTTY = 0 } = constants

/** A local file that was checked, still open: what is read later is what was checked. */
export interface OpenFile {
  size: number
  /** The whole content. `count` is told of every piece. */
  read(count: (bytes: number) => void, signal: AbortSignal): Promise<LoadedFile>
  close(): Promise<void>
}

/** The entries of an allowlist as absolute paths; `~` is the home folder. */
export const expandDirectories = (entries: readonly string[]): string[] =>
  entries.map((entry) => resolve(/^~(?=$|[\\/])/.test(entry) ? join(homedir(), entry.slice(1)) : entry))

/** The canonical paths of the entries that are directories right now, and whether one is something else. Missing ones are skipped. */
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
  const there = found.filter((entry) => entry !== undefined)
  return {
    usable: there.filter(({ directory }) => directory).map(({ path }) => path),
    broken: there.some(({ directory }) => !directory),
  }
}

/**
 * Opens a file inside one of the directories (canonical paths). Links are followed, and where they end is what counts; the
 * descriptor is checked again, so that nothing that is swapped in between is read. Only regular files are opened.
 * @param descriptors where the system shows the paths of open files, if it does
 * @throws FILE_FAILED; the same for everything outside, whether it exists or not
 */
export async function openLocalFile(
  { url: given, from: { path } }: LocalSource,
  directories: readonly string[],
  descriptors = '/proc/self/fd',
): Promise<OpenFile> {
  const outside = () => fileUrlFailed(`Local file not in allowed directories: ${shown(given)}`)
  const allowed = (place: string) => directories.some((directory) => isInside(place, directory))
  const root = (place: string) => parse(place).root.toLowerCase()
  // On Windows, looking at another machine's share would already tell it who we are.
  if (!directories.some((directory) => root(directory) === root(path))) throw outside()
  const place = await locate(path)
  if (!allowed(place)) throw outside()
  const before = await lstat(place).catch(() => undefined)
  if (before === undefined) throw fileUrlFailed(`Local file not found: ${shown(given)}`)
  if (!before.isFile() && !before.isSymbolicLink()) throw fileUrlFailed(`Local path must be a file: ${shown(given)}`)
  const unreadable = (cause: unknown) => fileUrlFailed(`Local file cannot be read: ${shown(given)}`, cause)
  const handle = await open(place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY).catch((error) => {
    throw error.code === 'ELOOP' ? outside() : unreadable(error) // it became a link just now
  })
  try {
    const info = await handle.stat({ bigint: true })
    if (!info.isFile()) throw fileUrlFailed(`Local path must be a file: ${shown(given)}`)
    const opened = await openedPath(handle, place, info, descriptors)
    if (opened === undefined || !allowed(opened)) throw outside()
    const size = Number(info.size)
    return {
      size,
      async read(count, signal) {
        const pieces: Buffer[] = []
        for await (const piece of piecesOf(handle, size, unreadable)) {
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

/** True for a directory and what lies below it, by path segments. */
function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/**
 * Where a path really leads, links followed. A path that ends early (missing, forbidden, too many links) gives the place where
 * it ends, so that a link to the outside is outside whether or not its target exists.
 */
async function locate(path: string): Promise<string> {
  const { root } = parse(path)
  const way = path.slice(root.length).split(sep)
  let place = root
  let links = 0
  for (let name = way.shift(); name !== undefined; name = way.shift()) {
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
      way.unshift(...target.slice(start.length).split(sep))
      if (start !== '') place = resolve(place, start)
    } catch {
      return next
    }
  }
  return place
}

/** The canonical path of an open file: asked of the system, or of the path again if it still leads to this file. */
async function openedPath(
  { fd }: FileHandle,
  place: string,
  { dev, ino }: BigIntStats,
  descriptors: string,
): Promise<string | undefined> {
  try {
    return await readlink(join(descriptors, String(fd)))
  } catch {
    // Only the path can be asked, and it may change between two looks: it has to say the same every time.
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

async function* piecesOf(
  handle: FileHandle,
  size: number,
  unreadable: (cause: unknown) => Error,
): AsyncGenerator<Buffer> {
  for (;;) {
    // A byte more than is expected, so that a file that grew meanwhile is noticed by whoever counts.
    const piece = Buffer.allocUnsafe(Math.min(size + 1, PIECE_BYTES))
    const { bytesRead } = await handle.read(piece, 0, piece.length, null).catch((error) => {
      throw unreadable(error)
    })
    if (bytesRead === 0) return
    yield piece.subarray(0, bytesRead)
  }
}
