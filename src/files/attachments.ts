/** Prepares the files of requests: fetches, checks and stores them. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Budget } from '../base/budget.ts'
import { AgencyError } from '../base/errors.ts'
import { fileIdFailed, fileUrlFailed } from '../base/request-errors.ts'
import type { Lookup } from '../net/lookup.ts'
import type { ReadyFile } from './attach.ts'
import type { Downloader } from './download.ts'
import { findKind, readExtension } from './kinds.ts'
import { expandDirectories, type OpenFile, openLocalFile, readDirectories } from './local-files.ts'
import { type Account, createFileMemory, type FileLimits } from './memory-budget.ts'
import { inParallel, withTimeout } from './parallel.ts'
import {
  checkExtension,
  describeUnsupported,
  excerpt,
  type FileSource,
  isLocal,
  isRemote,
  readSources,
} from './sources.ts'
import type { FileStore, LoadedFile, StoredFile } from './store.ts'

/** A provider processes a file before it can be used. Its state is read once a second, at most this often. */
const PROCESSING_STEP_MS = 1000
const PROCESSING_STEPS = 60
/** The time limit for storing the files of one request. */
const STORING_MS = 300_000
const CLEANUP_MS = 10_000

export interface FileDeskOptions {
  limits: FileLimits
  /** The memory budget of the process, which files in memory are charged to. */
  budget: Budget
  /** Directories whose files callers may name; undefined for none. `~` is the home folder. */
  allowedLocalFileDirs?: readonly string[] | undefined
  /** Origins outside the public internet from which files may be fetched. */
  trustedFileOrigins: readonly string[]
  /** The part of a store's error that callers may see. */
  explain: (error: unknown) => string
  log: (message: string, error: unknown, mask: (text: string) => string) => void
  warn: (message: string) => void
  /** @default the resolver of the system */
  lookup?: Lookup
  /** @default timers of Node */
  pause?: (ms: number, signal: AbortSignal) => Promise<unknown>
}

/** The files of one request. */
export interface FileOrder {
  fileIds: readonly string[]
  fileUrls: { readonly [key: string]: string }
  /** The store for the files of this request. */
  store: FileStore
  /** Masks the secrets of this request. */
  mask: (text: string) => string
  signal: AbortSignal
}

export interface FileDesk {
  /**
   * Fetches and stores the files of `fileUrls` (`fetched`) and looks up `fileIds` (`named`). All checks come before the first
   * file is stored, and nothing stays stored after a failure.
   * @throws FILE_FAILED; the signal's reason after an abort
   */
  prepare(order: FileOrder): Promise<{ named: ReadyFile[]; fetched: ReadyFile[] }>
  /** The canonical paths of the allowed directories that exist now; null when none are configured. */
  directories(): Promise<string[] | null>
  /** Writes a warning for the operator. */
  warn(message: string): void
  /** Aborts all preparations, waits until they have ended, and rejects later ones. */
  stop(reason: Error): Promise<void>
}

/** Creates the service that prepares the files of requests. */
export function createFileDesk(options: FileDeskOptions): FileDesk {
  const { limits, allowedLocalFileDirs, log } = options
  const { pause = (ms, signal) => sleep(ms, undefined, { signal }) } = options
  const entries = expandDirectories(allowedLocalFileDirs ?? [])
  const trusted = new Set(options.trustedFileOrigins.map((origin) => new URL(origin).origin))
  const memory = createFileMemory(limits, options.budget)
  const closed = new AbortController()
  const running = new Set<Promise<unknown>>()

  /** Turns an error of the store into an AgencyError, and logs its text. */
  const toAgencyError = (
    error: unknown,
    made: (why: string, cause: unknown) => Error,
    mask: FileOrder['mask'],
  ): Error => {
    if (AgencyError.isInstance(error)) return error
    const failure = made(mask(options.explain(error)), error)
    log('The file store failed.', failure, mask)
    return failure
  }

  const lookUp = ({ fileIds, store, mask, signal }: FileOrder) =>
    inParallel(fileIds, limits.fileConcurrency, signal, async (id, stop): Promise<ReadyFile> => {
      if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw fileIdFailed(`No file has the id ${excerpt(id)}`)
      const file = await store.get(id, stop).catch((error) => {
        stop.throwIfAborted()
        throw toAgencyError(
          error,
          (why, cause) => fileIdFailed(`The file ${excerpt(id)} could not be looked up ${why}`, cause),
          mask,
        )
      })
      return toReadyFile(file, fileIdFailed)
    })

  /** Loads all files into memory. Every entry is checked before the first one is fetched. */
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
        checkExtension(readExtension(source.from.path), source.url)
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

  /** The directories that local files may be in. @throws FILE_FAILED when there are none */
  async function usableDirectories(): Promise<readonly string[]> {
    const { usable, broken } = await readDirectories(entries)
    if (broken) throw fileUrlFailed('Allowed path must be a directory: the list of this server names something else.')
    if (usable.length === 0) throw fileUrlFailed('Local file access is disabled for this server.')
    return usable
  }

  /** Stores all files or none: after a failure, the stored ones are deleted. */
  async function storeAll(files: readonly LoadedFile[], { store, mask }: FileOrder, signal: AbortSignal) {
    const stored: string[] = []
    try {
      return await inParallel(files, limits.fileConcurrency, signal, async (file, stop) => {
        const failed = (why: string, cause: unknown) => fileUrlFailed(`${file.name} could not be stored ${why}`, cause)
        try {
          const id = await store.put(file, stop)
          stored.push(id)
          return toReadyFile(await awaitProcessing(store, id, pause, stop), fileUrlFailed)
        } catch (error) {
          stop.throwIfAborted()
          throw toAgencyError(error, failed, mask)
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
      throw (urls > 0 ? fileUrlFailed : fileIdFailed)(`A request may have at most ${fileCount} files.`)
    const sources = readSources(order.fileUrls)
    const slow = () => fileUrlFailed(`The file store took longer than ${STORING_MS} ms.`)
    const named = await withTimeout(STORING_MS, slow, signal, (stop) => lookUp({ ...order, signal: stop }))
    if (sources.length === 0) return { named, fetched: [] }
    const account = memory.open()
    try {
      const { fileTimeoutMs } = limits
      const late = () => fileUrlFailed(`Fetching the files took longer than ${fileTimeoutMs} ms.`)
      const loaded = await withTimeout(fileTimeoutMs, late, signal, (stop) => fetchAll(sources, account, stop))
      return { named, fetched: await withTimeout(STORING_MS, slow, signal, (stop) => storeAll(loaded, order, stop)) }
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

/** A stored file with its kind, by its stored name. @throws FILE_FAILED for a type that is not supported */
function toReadyFile({ id, name }: StoredFile, failed: (reason: string) => Error): ReadyFile {
  const kind = findKind(readExtension(name))
  if (kind !== undefined) return { id, name, kind }
  throw failed(describeUnsupported(readExtension(name), name))
}

/** Waits until the store has processed the file. @throws FILE_FAILED when the store rejects the file or takes too long */
async function awaitProcessing(
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
