import { setTimeout as sleep } from 'node:timers/promises'
import type { Budget } from '../base/budget.ts'
import { AgencyError, fileIdFailed, fileUrlFailed } from '../base/errors.ts'
import type { Lookup } from '../net/lookup.ts'
import type { ReadyFile } from './attach.ts'
import type { Downloader } from './download.ts'
import { extensionOf, kindOf } from './kinds.ts'
import { expandDirectories, type OpenFile, openLocalFile, readDirectories } from './local-files.ts'
import { type Account, createLedger, type FileLimits } from './memory-budget.ts'
import { inParallel, within } from './parallel.ts'
import { checkExtension, type FileSource, isLocal, isRemote, readSources, shown, unsupported } from './sources.ts'
import type { FileStore, LoadedFile, StoredFile } from './store.ts'

/** The provider looks at a file before it can be used: asked once a second, at most so many times. */
const PROCESSING_STEP_MS = 1000
const PROCESSING_STEPS = 60
/** How long a store may take over the files of one request. */
const STORING_MS = 300_000
const CLEANUP_MS = 10_000

export interface FileDeskOptions {
  limits: FileLimits
  /** What the process holds: files in memory are charged to it. */
  budget: Budget
  /** Directories whose files may be named; undefined: none, and the metadata says so. `~` is the home folder. */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Origins that files are fetched from although they are not on the public internet. */
  trustedFileOrigins: readonly string[]
  /** What a caller may know about a store's error. */
  explain: (error: unknown) => string
  log: (message: string, error: unknown, mask: (text: string) => string) => void
  warn: (message: string) => void
  /** Default: the system's resolver. */
  lookup?: Lookup
  /** Default: the system's clock. */
  pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** What a request asks for. */
export interface FileOrder {
  fileIds: readonly string[]
  fileUrls: { readonly [key: string]: string }
  /** Where this request's files live. */
  store: FileStore
  /** Hides what only this request knows. */
  mask: (text: string) => string
  signal: AbortSignal
}

export interface FileDesk {
  /**
   * Fetches and stores what `fileUrls` name and looks up `fileIds`; `named` comes first. Nothing is stored when a failure can
   * be known before, and nothing stays stored after one.
   * @throws FILE_FAILED; the signal's reason after an abort
   */
  prepare(order: FileOrder): Promise<{ named: ReadyFile[]; fetched: ReadyFile[] }>
  /** Canonical paths of the allowed directories that are usable right now; null when none are configured. */
  directories(): Promise<string[] | null>
  /** Tells the operator. */
  warn(message: string): void
  /** Ends all that is being prepared, waits until it has ended, and refuses what is asked for later. */
  stop(reason: Error): Promise<void>
}

/** The place where the files of requests are prepared. */
export function createFileDesk(options: FileDeskOptions): FileDesk {
  const { limits, allowedLocalFileDirs, log } = options
  const { pause = (ms, signal) => sleep(ms, undefined, { signal }) } = options
  const entries = expandDirectories(allowedLocalFileDirs ?? [])
  const trusted = new Set(options.trustedFileOrigins.map((origin) => new URL(origin).origin))
  const ledger = createLedger(limits, options.budget)
  const closed = new AbortController()
  const running = new Set<Promise<unknown>>()

  /** An error of the store as one of ours; what it says stays in the log. */
  const translated = (error: unknown, made: (why: string, cause: unknown) => Error, mask: FileOrder['mask']): Error => {
    if (AgencyError.isInstance(error)) return error
    const failure = made(mask(options.explain(error)), error)
    log('The file store failed.', failure, mask)
    return failure
  }

  const lookUp = ({ fileIds, store, mask, signal }: FileOrder) =>
    inParallel(fileIds, limits.fileConcurrency, signal, async (id, stop): Promise<ReadyFile> => {
      if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw fileIdFailed(`No file has the id ${shown(id)}`)
      const file = await store.get(id, stop).catch((error) => {
        stop.throwIfAborted()
        throw translated(
          error,
          (why, cause) => fileIdFailed(`The file ${shown(id)} could not be looked up ${why}`, cause),
          mask,
        )
      })
      return ready(file, fileIdFailed)
    })

  /** Everything into memory, each entry checked before the first is fetched. */
  async function fetchAll(sources: readonly FileSource[], account: Account, signal: AbortSignal) {
    const each = <R>(work: (source: FileSource, signal: AbortSignal) => Promise<R>) =>
      inParallel(sources, limits.fileConcurrency, signal, work)
    const directories = sources.some(isLocal) ? await usableDirectories() : []
    const downloads = sources.some(isRemote) ? await openDownloads() : undefined
    const opened = new Map<FileSource, OpenFile>()
    try {
      await each(async (source, stop) => {
        if (isRemote(source)) await downloads?.check(source, stop)
        if (!isLocal(source)) return
        const file = await openLocalFile(source, directories)
        opened.set(source, file)
        checkExtension(extensionOf(source.from.path), source.url)
        account.declare(source.key, file.size)
      })
      return await each((source, stop) =>
        isRemote(source)
          ? (downloads as Downloader).load(source, account, stop)
          : (opened.get(source) as OpenFile).read(account.file(source.key), stop),
      )
    } finally {
      await Promise.all([downloads?.close(), ...[...opened.values()].map((file) => file.close())])
    }
  }

  const openDownloads = async () =>
    (await import('./download.ts')).createDownloader((origin) => trusted.has(origin), options.lookup)

  /** Where local files may lie. @throws FILE_FAILED when that is nowhere */
  async function usableDirectories(): Promise<readonly string[]> {
    const { usable, broken } = await readDirectories(entries)
    if (broken) throw fileUrlFailed('Allowed path must be a directory: the list of this server names something else.')
    if (usable.length === 0) throw fileUrlFailed('Local file access is disabled for this server.')
    return usable
  }

  /** Stores all, or none: what is stored when another one fails goes again. */
  async function storeAll(files: readonly LoadedFile[], { store, mask }: FileOrder, signal: AbortSignal) {
    const stored: string[] = []
    try {
      return await inParallel(files, limits.fileConcurrency, signal, async (file, stop) => {
        const failed = (why: string, cause: unknown) => fileUrlFailed(`${file.name} could not be stored ${why}`, cause)
        try {
          const id = await store.put(file, stop)
          stored.push(id)
          return ready(await processed(store, id, pause, stop), fileUrlFailed)
        } catch (error) {
          stop.throwIfAborted()
          throw translated(error, failed, mask)
        }
      })
    } catch (error) {
      const left = await Promise.allSettled(stored.map((id) => store.delete(id, AbortSignal.timeout(CLEANUP_MS))))
      for (const result of left)
        if (result.status === 'rejected') log('A stored file could not be removed.', result.reason, mask)
      throw error
    }
  }

  async function prepare(order: FileOrder) {
    const signal = AbortSignal.any([order.signal, closed.signal])
    const { fileCount } = limits
    const urls = Object.keys(order.fileUrls).length
    if (order.fileIds.length + urls > fileCount)
      throw (urls > 0 ? fileUrlFailed : fileIdFailed)(`A request may have ${fileCount} files at most.`)
    const sources = readSources(order.fileUrls)
    const slow = () => fileUrlFailed(`The file store took longer than ${STORING_MS} ms.`)
    const named = await within(STORING_MS, slow, signal, (stop) => lookUp({ ...order, signal: stop }))
    if (sources.length === 0) return { named, fetched: [] }
    const account = ledger.open()
    try {
      const { fileTimeoutMs } = limits
      const late = () => fileUrlFailed(`Fetching the files took longer than ${fileTimeoutMs} ms.`)
      const loaded = await within(fileTimeoutMs, late, signal, (stop) => fetchAll(sources, account, stop))
      return { named, fetched: await within(STORING_MS, slow, signal, (stop) => storeAll(loaded, order, stop)) }
    } finally {
      account.close()
    }
  }

  return {
    prepare(order) {
      const work = prepare(order)
      running.add(work)
      return work.finally(() => running.delete(work))
    },
    directories: async () => (allowedLocalFileDirs === undefined ? null : (await readDirectories(entries)).usable),
    warn: options.warn,
    async stop(reason) {
      closed.abort(reason)
      await Promise.allSettled(running)
    },
  }
}

/** A stored file by its stored name. @throws FILE_FAILED for a type that is not supported */
function ready({ id, name }: StoredFile, failed: (reason: string) => Error): ReadyFile {
  const kind = kindOf(extensionOf(name))
  if (kind !== undefined) return { id, name, kind }
  throw failed(unsupported(extensionOf(name), name))
}

/** @throws FILE_FAILED when the store finds fault with the file, or does not come to an end with it */
async function processed(
  store: FileStore,
  id: string,
  pause: NonNullable<FileDeskOptions['pause']>,
  signal: AbortSignal,
): Promise<StoredFile> {
  for (let step = 0; step < PROCESSING_STEPS; step++) {
    const file = await store.get(id, signal)
    if (file.state === 'ready') return file
    if (file.state === 'failed') throw fileUrlFailed(`File processing failed: ${id}`)
    await pause(PROCESSING_STEP_MS, signal)
  }
  throw fileUrlFailed(`File processing timed out: ${id}`)
}
