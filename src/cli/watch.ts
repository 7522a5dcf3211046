/** Watches source files for `dev`. */
import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'
import { cannotWatch } from './errors.ts'

const SOURCE = /^(\.env|[^.].*\.([cm]?[jt]s|md))$/
const IGNORED = /^(node_modules|dist|coverage|activity-logs|\..*)$/
/** Changes within this time count as one. */
const SETTLE_MS = 100
/** The most folders that are watched. */
const MAX_FOLDERS = 500

/**
 * Yields a path whenever source files below `root` have changed, until the signal aborts. Data files are ignored, because an
 * agency that writes one must not be restarted for it.
 *
 * @throws CommandError when the system allows no more watchers
 */
export async function* watchSources(root: string, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
  const watchers = new Map<string, FSWatcher>()
  let changed: string | undefined
  let timer: NodeJS.Timeout | undefined
  let wake = () => {}

  const notice = (path: string) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      changed = path
      wake()
    }, SETTLE_MS)
  }
  const add = (folder: string) => {
    if (watchers.has(folder) || watchers.size >= MAX_FOLDERS) return
    const inside = listFolders(folder)
    if (inside === undefined) return
    const onChange = (_event: string, name: string | null) => {
      if (name === null) return
      if (SOURCE.test(name)) notice(join(folder, name))
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
