/** Watches source files for `dev`. */
import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs'
import { basename, join } from 'node:path'
import { findFolder, readFolderName } from '../files/folder.ts'
import { cannotWatch } from './errors.ts'

const SOURCE = /^(\.env|[^.].*\.([cm]?[jt]s|md))$/
const IGNORED = /^(node_modules|dist|coverage|activity-logs|\..*)$/
/** Changes within this time count as one. */
const SETTLE_MS = 100
/** The most folders that are watched. */
const MAX_FOLDERS = 500

/**
 * Yields a path whenever source files below `root` have changed, or files in the stored folder of an agent were added or changed,
 * until the signal aborts. Other data files are ignored, because an agency that writes one must not be restarted for it.
 *
 * @throws CommandError when the system allows no more watchers
 */
export async function* watchSources(root: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const watchers = new Map<string, FSWatcher>()
  let changed: string | undefined
  let timer: NodeJS.Timeout | undefined
  let wake = () => {}

  /** What has changed since it was last quiet, and whether that still counts once it is quiet again. */
  const noticed = new Map<string, () => boolean>()
  const settle = () => {
    const counts = [...noticed].find(([, check]) => check())
    noticed.clear()
    if (counts === undefined) return
    changed = counts[0]
    wake()
  }
  const notice = (path: string, check = () => true) => {
    noticed.set(path, check)
    clearTimeout(timer)
    timer = setTimeout(settle, SETTLE_MS)
  }
  const add = (folder: string) => {
    if (watchers.has(folder) || watchers.size >= MAX_FOLDERS) return
    const inside = listFolders(folder)
    if (inside === undefined) return
    const onChange = (_event: string, name: string | null) => {
      if (name === null) return
      const stored = storedHome(folder)
      if (stored !== undefined) notice(join(stored, name), () => isNew(join(stored, name)))
      else if (SOURCE.test(name)) notice(join(folder, name))
      else if (!IGNORED.test(name)) add(join(folder, name))
    }
    const watcher = startWatching(folder, onChange)
    watcher.on('error', () => {
      watcher.close() // the folder was removed
      watchers.delete(folder)
    })
    watchers.set(folder, watcher)
    for (const name of inside) add(join(folder, name))
  }

  add(root)
  const onAbort = () => wake()
  signal.addEventListener('abort', onAbort)
  try {
    while (!signal.aborted) {
      const path = changed
      changed = undefined
      if (path !== undefined) yield path
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    clearTimeout(timer)
    for (const watcher of watchers.values()) watcher.close()
  }
}

/** Where the files of a stored folder lie, which may have been renamed since it is watched; undefined for any other folder. */
function storedHome(folder: string): string | undefined {
  const home = findFolder(folder)
  return home === undefined || readFolderName(basename(home)).vectorStore === undefined ? undefined : home
}

/** True for a file that is not stored yet, or has changed: storing one sets its time to a whole second. */
function isNew(path: string): boolean {
  const info = statSync(path, { throwIfNoEntry: false })
  return info?.isFile() === true && (!/_file-[a-zA-Z0-9]{15,}\.\w+$/.test(path) || info.mtimeMs % 1000 !== 0)
}

/** @throws CommandError when the system allows no more watchers */
function startWatching(folder: string, onChange: (event: string, name: string | null) => void): FSWatcher {
  try {
    return watch(folder, onChange)
  } catch (error) {
    throw cannotWatch(folder, error)
  }
}

/** The subfolders that may contain sources; undefined when the path is not a folder or was removed. */
function listFolders(folder: string): string[] | undefined {
  try {
    const entries = readdirSync(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory() && !IGNORED.test(entry.name)).map((entry) => entry.name)
  } catch {
    return undefined
  }
}
