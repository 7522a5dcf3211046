import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { WriteRunLog } from '../runs/run-log.ts'
import type { RequestLogs } from '../services.ts'
import { toLogLine } from '../wire/redact.ts'
import type { LogLine } from '../wire/responses.ts'

/** The header that names the log a request writes to. */
export const LOG_HEADER = 'x-agency-log-id'
const SAFE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/
const PRUNE_EVERY = 100
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

export interface RequestLogOptions {
  folder: string
  /** A log that has grown to this takes no more lines. */
  fileBytes: number
  /** Beyond this many logs the oldest go. */
  files: number
  redact: (text: string) => string
  onError: (error: unknown) => void
}

/** Logs per request, kept as `<folder>/<id>.jsonl` until they are read; each is read once. */
export class RequestLog implements RequestLogs {
  readonly #options: RequestLogOptions
  /** Id -> the end of its writes. */
  readonly #pending = new Map<string, Promise<void>>()
  #opened = 0

  constructor(options: RequestLogOptions) {
    this.#options = { ...options, folder: resolve(options.folder) }
  }

  /** A writer for the log a header names; undefined for no id or one that is not safe as a file name. */
  writer(id: unknown): WriteRunLog | undefined {
    if (typeof id !== 'string' || !SAFE_ID.test(id)) return undefined
    if (this.#opened++ % PRUNE_EVERY === 0) void this.#prune().catch(this.#options.onError)
    return (level, message, where) => {
      const text = toLogLine(this.#options.redact(message))
      const location = { file: 'agency-swarm-js', function: where, line: 0 }
      const line: LogLine = { message: text, details: { timestamp: localTime(), level, location } }
      const written = (this.#pending.get(id) ?? Promise.resolve())
        .then(() => this.#append(id, `${JSON.stringify(line)}\n`))
        .catch(this.#options.onError)
      this.#pending.set(id, written)
      void written.then(() => this.#pending.get(id) === written && this.#pending.delete(id))
    }
  }

  /** The lines of a log, which is gone afterwards; undefined when there is none. */
  async take(id: string): Promise<unknown[] | undefined> {
    if (!SAFE_ID.test(id)) return undefined
    await this.#pending.get(id)
    const taken = join(this.#options.folder, `.${randomUUID()}.taken`)
    try {
      await rename(this.#pathOf(id), taken) // of two readers one wins
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const text = await readOwn(taken)
    await unlink(taken).catch(() => rename(taken, this.#pathOf(id))) // a folder, which is not ours to empty
    return text?.split('\n').flatMap(readLine)
  }

  /** Everything that was written so far is on disk. */
  async flush(): Promise<void> {
    await Promise.all(this.#pending.values())
  }

  #pathOf(id: string): string {
    return join(this.#options.folder, `${id}.jsonl`)
  }

  async #append(id: string, line: string): Promise<void> {
    await mkdir(this.#options.folder, { recursive: true })
    const file = await open(this.#pathOf(id), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    try {
      const stats = await file.stat()
      if (stats.isFile() && stats.size + line.length <= this.#options.fileBytes) await file.write(line)
    } finally {
      await file.close()
    }
  }

  async #prune(): Promise<void> {
    const { folder, files } = this.#options
    const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.jsonl'))
    if (names.length <= files) return
    const aged = await Promise.all(
      names.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => ({ mtimeMs: 0 }))).mtimeMs })),
    )
    for (const { name } of aged.sort((a, b) => a.at - b.at).slice(0, names.length - files))
      await unlink(join(folder, name)).catch(() => {})
  }
}

/** The line as a list; an empty one for what a process did not live to write whole. */
function readLine(line: string): unknown[] {
  try {
    return [JSON.parse(line)]
  } catch {
    return []
  }
}

/** The text of a file of ours; undefined for a link, a pipe, a folder: those are not. Nothing here waits for a writer. */
async function readOwn(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      return (await file.stat()).isFile() ? await file.readFile('utf8') : undefined
    } finally {
      await file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') return undefined
    throw error
  }
}

/** ISO time of this machine's zone, without the zone, as the original writes it. */
function localTime(): string {
  const now = new Date()
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, -1)
}
