/** Logs of single requests, kept as files until `/get_logs` reads them. */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { FastifyRequest } from 'fastify'
import { type Charges, VALUE_BYTES } from '../base/budget.ts'
import type { WriteRunLog } from '../runs/run-log.ts'
import type { RequestLogs } from '../services.ts'
import { toLogLine } from '../wire/redact.ts'
import type { LogLine } from '../wire/responses.ts'

/** The request header with the id of the log. */
export const LOG_HEADER = 'x-agency-log-id'
const SAFE_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/
/** True for an id that a log may have. */
export const isLogId = (id: unknown): id is string => typeof id === 'string' && SAFE_ID.test(id)
const PRUNE_EVERY = 100
/** Charged for each line that waits for the disk, beside its text. */
const WAITING_BYTES = 1024
/** Copies of a log in memory while it is read: its text, its lines, their values and the answer. */
const READ_COPIES = 4
/** The size of the shortest line, and the number of values in it. */
const LINE_BYTES = 150
const LINE_VALUES = 8
const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants

export interface RequestLogOptions {
  folder: string
  /** The largest size of a log; further lines are dropped. */
  fileBytes: number
  /** The most logs; beyond that the oldest are deleted. */
  files: number
  /** Charged for the lines that are not on disk yet. */
  budget: Charges
  redact: (text: string) => string
  onError: (error: unknown) => void
}

/** Logs per request, stored as `<folder>/<id>.jsonl`. Reading a log deletes it. */
export class RequestLog implements RequestLogs {
  readonly #options: RequestLogOptions
  /** Id -> a promise for the end of its last write. */
  readonly #pending = new Map<string, Promise<void>>()
  #opened = 0

  constructor(options: RequestLogOptions) {
    this.#options = { ...options, folder: resolve(options.folder) }
  }

  /** A writer for the log with this id; undefined without an id, or with one that is not safe as a file name. */
  writer(id: unknown): WriteRunLog | undefined {
    if (!isLogId(id)) return undefined
    if (this.#opened++ % PRUNE_EVERY === 0) void this.#prune().catch(this.#options.onError)
    return (level, message, where) => {
      const text = toLogLine(this.#options.redact(message))
      const location = { file: 'agency-swarm-js', function: where, line: 0 }
      const line: LogLine = { message: text, details: { timestamp: localTime(), level, location } }
      this.#write(id, `${JSON.stringify(line)}\n`)
    }
  }

  /** Appends a line after those before it. While the process is at its limit of data in memory, lines are dropped. */
  #write(id: string, line: string): void {
    const { budget, onError } = this.#options
    const bytes = line.length + WAITING_BYTES
    try {
      budget.charge(bytes)
    } catch {
      return // the run goes on without this line
    }
    const written = (this.#pending.get(id) ?? Promise.resolve())
      .then(() => this.#append(id, line))
      .catch(onError)
      .finally(() => budget.release(bytes))
    this.#pending.set(id, written)
    void written.then(() => this.#pending.get(id) === written && this.#pending.delete(id))
  }

  /**
   * Reads and deletes a log; undefined when there is none.
   * @throws what `budget` throws when the log does not fit in memory; the log is then kept
   */
  async take(id: string, budget: Charges): Promise<unknown[] | undefined> {
    if (!isLogId(id)) return undefined
    await this.#pending.get(id)
    budget.charge(await this.#weigh(id))
    const taken = join(this.#options.folder, `.${randomUUID()}.taken`)
    try {
      await rename(this.#pathOf(id), taken) // of two readers, only one succeeds
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const text = await readLogFile(taken)
    await unlink(taken).catch(() => rename(taken, this.#pathOf(id))) // a folder is not one of our files, so it is put back
    return text?.split('\n').flatMap(parseLine)
  }

  async flush(id?: string): Promise<void> {
    await (id === undefined ? Promise.all(this.#pending.values()) : this.#pending.get(id))
  }

  /** The memory that reading a log needs, in bytes. */
  async #weigh(id: string): Promise<number> {
    const bytes = await stat(this.#pathOf(id)).then(
      ({ size }) => Math.min(size, this.#options.fileBytes),
      () => 0,
    )
    return READ_COPIES * bytes + (bytes / LINE_BYTES) * LINE_VALUES * VALUE_BYTES
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

/** The id of the log that a request asks for; undefined without one, or with one that is not safe as a file name. */
export function logIdOf({ headers }: Pick<FastifyRequest, 'headers'>): string | undefined {
  const id = headers[LOG_HEADER]
  return isLogId(id) ? id : undefined
}

/** The parsed line in a list; an empty list for a line that a process did not finish writing. */
function parseLine(line: string): unknown[] {
  try {
    return [JSON.parse(line)]
  } catch {
    return []
  }
}

/** The text of a log file; undefined for a link, a pipe or a folder. Never waits for the writer of a pipe. */
async function readLogFile(path: string): Promise<string | undefined> {
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

/** ISO time in the local time zone, without the zone, as in the original. */
function localTime(): string {
  const now = new Date()
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, -1)
}
