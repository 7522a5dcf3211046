/** Brings the stored files of a folder in step with the files that lie in it. */
import { readFile, rename, stat, utimes } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorText } from '../base/errors.ts'
import { folderFailed } from '../base/request-errors.ts'
import { FOLDER_TYPES, type FolderContent, type FolderFile, filesIn, findFolder, readFolderName } from './folder.ts'
import { type FolderStore, isMissing } from './folder-store.ts'
import { inParallel, withTimeout } from './parallel.ts'

/** How long the files of one folder may take, and how long their vector store may take to process them. */
const SYNC_MS = 900_000
const INGESTION_MS = 120_000
/** The first and the longest pause between two looks at a file that is being processed. */
const PAUSE_MS = { first: 250, most: 5_000 }
/** Files that are stored at the same time. A large file is held in memory while it is sent, so it is sent alone. */
const LANES = 4
const LARGE_BYTES = 32 * 1024 * 1024
/** The largest file that OpenAI takes. */
const MOST_BYTES = 512 * 1024 * 1024

export interface SyncOptions {
  store: FolderStore
  signal: AbortSignal
  /** What a failure may tell. */
  explain: (error: unknown) => string
  /** Progress, one line at a time. */
  note: (text: string) => void
  warn: (text: string) => void
}

/** A folder on its way into the account. */
interface Sync extends SyncOptions {
  /** The folder's path, without an id. */
  path: string
  /** Where its files lie, with the id of the vector store at the end. */
  home: string
  vectorStore: string
}

/**
 * Stores the files of a folder: new and changed ones are uploaded, deleted ones are removed from the account. The folder gets
 * the id of its vector store at the end of its name, each file the id under which it is stored, as in the Python original.
 * What was stored before a failure keeps its name, so the next try goes on from there.
 *
 * @param path the folder without an id
 * @throws FOLDER_FAILED
 */
export function syncFolder(path: string, options: SyncOptions): Promise<FolderContent> {
  const work = (busy.get(path) ?? Promise.resolve()).catch(() => {}).then(() => sync(path, options))
  busy.set(path, work)
  const forget = () => {
    if (busy.get(path) === work) busy.delete(path)
  }
  work.then(forget, forget)
  return work
}

/** The last work at each folder: several agencies of a process may have one, and its files must not be stored twice. */
const busy = new Map<string, Promise<unknown>>()

async function sync(path: string, options: SyncOptions): Promise<FolderContent> {
  const files = filesIn(path)
  checkTypes(path, files)
  const found = findFolder(path)
  const known = found === undefined ? undefined : readFolderName(basename(found)).vectorStore
  if (files.length === 0 && known === undefined) return { vectorStore: undefined, codeFiles: [] }
  const late = () => folderFailed(path, `its files took longer than ${SYNC_MS / 60_000} minutes`)
  try {
    return await withTimeout(SYNC_MS, late, options.signal, async (signal) => {
      const inner = { ...options, signal, path }
      const home = known === undefined ? await openHome(inner) : { home: found as string, vectorStore: known }
      return await fill({ ...inner, ...home }, filesIn(path))
    })
  } catch (error) {
    throw asFailure(path, error, options)
  }
}

const asFailure = (path: string, error: unknown, { explain, signal }: SyncOptions): unknown =>
  signal.aborted || (error as { code?: unknown }).code === 'FOLDER_FAILED'
    ? error
    : folderFailed(path, explain(error), error)

/** @throws FOLDER_FAILED, before anything is stored */
function checkTypes(path: string, files: readonly FolderFile[]): void {
  const odd = files.filter(({ kind }) => kind === undefined).map(({ name }) => name)
  if (odd.length > 0)
    throw folderFailed(
      path,
      `the type of ${odd.slice(0, 5).join(', ')}${odd.length > 5 ? ` and ${odd.length - 5} more` : ''} is not supported. Move these files elsewhere, or begin their names with a dot. Supported: ${FOLDER_TYPES}`,
    )
}

/** Creates the vector store and puts its id into the folder's name. */
async function openHome({ path, store, signal }: Omit<Sync, 'home' | 'vectorStore'>) {
  const vectorStore = await store.create(basename(path), signal)
  const home = join(dirname(path), `${basename(path)}_${vectorStore}`)
  try {
    if (readFolderName(basename(home)).vectorStore === undefined)
      throw new Error(`the id of its vector store (${vectorStore}) is not one of OpenAI`)
    await rename(path, home)
    return { home, vectorStore }
  } catch (error) {
    await store.drop(vectorStore, signal).catch(() => {}) // the first failure is the one to tell
    const other = findFolder(path)
    const theirs = other === undefined ? undefined : readFolderName(basename(other)).vectorStore
    if (theirs !== undefined) return { home: other as string, vectorStore: theirs } // another process was faster
    throw folderFailed(
      path,
      `it cannot be renamed to ${basename(home)}: ${errorText(error)}. Store its files once where it is writable, and deploy the renamed folder`,
      error,
    )
  }
}

async function fill(sync: Sync, files: readonly FolderFile[]): Promise<FolderContent> {
  const { store, vectorStore, signal, path } = sync
  const there = await store.list(vectorStore, signal)
  if (there === undefined)
    throw folderFailed(
      path,
      `the account has no vector store ${vectorStore}. With another key than before, rename ${basename(sync.home)} to ${basename(path)}: its files are then stored anew`,
    )
  const ids = await storeAll(sync, files)
  const searched = files.flatMap(({ kind }, index) => (kind === 'search' ? [ids[index] as string] : []))
  const added = searched.filter((id) => !there.has(id))
  await inParallel(added, LANES, signal, (id, stop) => store.add(vectorStore, id, stop))
  const names = new Map(files.map(({ name }, index) => [ids[index] as string, name]))
  await awaitAll(sync, added, names)
  const gone = [...there].filter((id) => !ids.includes(id))
  await inParallel(gone, LANES, signal, (id, stop) => remove(store, id, stop))
  if (added.length + gone.length > 0)
    sync.note(`The files of ${path} are stored: ${added.length} added, ${gone.length} removed.`)
  return {
    vectorStore: searched.length === 0 ? undefined : vectorStore,
    codeFiles: files.flatMap(({ kind }, index) => (kind === 'code' ? [ids[index] as string] : [])),
  }
}

/** Stores every file that is new or has changed. @returns the ids, in the order of the files */
async function storeAll(sync: Sync, files: readonly FolderFile[]): Promise<string[]> {
  const ids = new Map<FolderFile, string>()
  const fresh: { file: FolderFile; size: number }[] = []
  await inParallel(files, LANES, sync.signal, async (file, stop) => {
    const { size, mtimeMs } = await stat(file.path)
    if (size > MOST_BYTES)
      throw folderFailed(sync.path, `${file.name} has ${size} bytes, and OpenAI takes ${MOST_BYTES}`)
    if (file.id !== undefined && (await isCurrent(sync.store, file.id, mtimeMs, stop))) ids.set(file, file.id)
    else fresh.push({ file, size })
  })
  if (fresh.length > 0) sync.note(`Storing ${fresh.length} of ${files.length} files of ${sync.path} ...`)
  let done = 0
  const send = async ({ file }: { file: FolderFile }, stop: AbortSignal) => {
    ids.set(file, await storeFile(sync, file, stop))
    if (++done % 10 === 0) sync.note(`Stored ${done} of ${fresh.length} files of ${sync.path}.`)
  }
  const isLarge = ({ size }: { size: number }) => size > LARGE_BYTES
  await inParallel(
    fresh.filter((entry) => !isLarge(entry)),
    LANES,
    sync.signal,
    send,
  )
  await inParallel(fresh.filter(isLarge), 1, sync.signal, send)
  return files.map((file) => ids.get(file) as string)
}

/** False for a file that changed after it was stored, and for one that the account no longer has. */
async function isCurrent(store: FolderStore, id: string, mtimeMs: number, signal: AbortSignal): Promise<boolean> {
  try {
    const { createdAt } = await store.get(id, signal)
    return createdAt === undefined || mtimeMs <= createdAt * 1000
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Uploads one file, writes its id into its name, and removes what it replaces. */
async function storeFile({ store, home }: Sync, file: FolderFile, signal: AbortSignal): Promise<string> {
  const id = await store.put({ name: file.name, pieces: [await readFile(file.path, { signal })] }, signal)
  const extension = extname(file.name)
  const place = join(home, `${file.name.slice(0, file.name.length - extension.length)}_${id}${extension}`)
  try {
    // A later change is noticed by a time after this one. It is set first, so that no file has an id without it.
    const { createdAt } = await store.get(id, signal)
    if (createdAt !== undefined) await utimes(file.path, createdAt, createdAt)
    await rename(file.path, place)
  } catch (error) {
    await remove(store, id, signal).catch(() => {}) // the first failure is the one to tell
    throw error
  }
  if (file.id !== undefined) await remove(store, file.id, signal)
  return id
}

/** Waits until the vector store has processed its new files. What takes longer goes on there, and is found later. */
async function awaitAll(sync: Sync, added: readonly string[], names: ReadonlyMap<string, string>): Promise<void> {
  const { store, vectorStore, signal, path } = sync
  const until = performance.now() + INGESTION_MS
  let waiting = added
  for (let pause = PAUSE_MS.first; waiting.length > 0; pause = Math.min(pause * 1.7, PAUSE_MS.most)) {
    const states = await inParallel(waiting, LANES, signal, (id, stop) => store.ingestion(vectorStore, id, stop))
    for (const [index, state] of states.entries())
      if (state.state === 'failed')
        throw folderFailed(path, `OpenAI could not process ${names.get(waiting[index] as string)}: ${state.reason}`)
    waiting = waiting.filter((_, index) => states[index]?.state === 'pending')
    if (waiting.length === 0) return
    if (performance.now() > until) {
      sync.warn(`OpenAI still processes ${waiting.length} files of ${path}; they cannot be found before that.`)
      return
    }
    await sleep(pause, undefined, { signal })
  }
}

/** Deletes a file, which also takes it out of every vector store. */
async function remove(store: FolderStore, id: string, signal: AbortSignal): Promise<void> {
  try {
    await store.delete(id, signal)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
