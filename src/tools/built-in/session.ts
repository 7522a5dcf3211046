/** One interpreter in a process of its own: pieces of code go in one after the other, what they print comes out, within limits. */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import type { Readable, Writable } from 'node:stream'
import { Printed } from './output.ts'
import { adopt, endGroup, measure } from './processes.ts'

/** What one call may use. */
export interface SessionLimits {
  /** How long one piece of code may run, in milliseconds. */
  timeoutMs: number
  /** The memory of the process and everything it started, in bytes. */
  memoryBytes: number
  /** How much of what is printed is kept, per stream, in bytes. */
  outputBytes: number
}

/** A program that reads pieces of code from a pipe, and answers each with one line. */
export interface Interpreter {
  command: string
  args: readonly string[]
  /** Where it reads code: standard input, or the pipe with the number 3. */
  reads: 0 | 3
  /** The bytes that make it run a piece of code, print the mark to both outputs, and write a line to the pipe with the number 4. */
  encode(code: string, mark: string): string
  /** How to get the program when it is not installed. */
  missing: string
}

/** How a piece of code ended, and what it printed. */
export type Outcome = { out: string; err: string } & (
  | { kind: 'answered'; reply: string }
  /** The process is gone, and all that it knew. */
  | { kind: 'ended'; reason: string }
)

/** How often memory is looked at, in milliseconds. */
const LOOK_MS = 100
/** What may be printed before the process is ended, per stream. */
const FLOOD_BYTES = 64 * 1024 * 1024
/** How long printed text may come after the answer, in milliseconds. */
const LATE_MS = 200

export interface SessionOptions {
  interpreter: Interpreter
  limits: SessionLimits
  folder: string
  env: { readonly [name: string]: string | undefined }
}

export class Session {
  readonly #options: SessionOptions
  readonly #child: ChildProcess
  #queue: Promise<unknown> = Promise.resolve()
  #ended: string | undefined
  /** Called when the process is gone. */
  #onEnd = (_reason: string) => {}

  constructor(options: SessionOptions) {
    const { interpreter, folder, env } = options
    this.#options = options
    const own = interpreter.reads === 0 ? 'pipe' : 'ignore'
    this.#child = spawn(interpreter.command, interpreter.args, {
      cwd: folder,
      env,
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: [own, 'pipe', 'pipe', 'pipe', 'pipe'],
    })
    if (this.#child.pid !== undefined) adopt(this.#child.pid)
    this.#child.once('error', (error: NodeJS.ErrnoException) =>
      this.end(
        error.code === 'ENOENT' ? `${interpreter.command} cannot be started. ${interpreter.missing}` : error.message,
      ),
    )
    this.#child.once('exit', (code, signal) => this.end(`its process ended (${signal ?? `code ${code}`})`))
    for (const stream of this.#child.stdio) stream?.on('error', () => {}) // the end of the process tells
  }

  /** Why the process is gone; undefined while it lives. */
  get ended(): string | undefined {
    return this.#ended
  }

  /** Ends the process with everything it started. */
  end(reason: string): void {
    if (this.#ended !== undefined) return
    this.#ended = reason
    if (this.#child.pid !== undefined) endGroup(this.#child.pid)
    this.#onEnd(reason)
  }

  /** Runs a piece of code once those before it have ended. Never rejects. */
  run(code: string): Promise<Outcome> {
    const work = this.#queue.then(() => this.#perform(code))
    this.#queue = work
    return work
  }

  async #perform(code: string): Promise<Outcome> {
    const { interpreter, limits } = this.#options
    const mark = randomBytes(16).toString('hex')
    const printed = [new Printed(mark, limits.outputBytes), new Printed(mark, limits.outputBytes)] as const
    const text = () => ({ out: printed[0].text, err: printed[1].text })
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    this.#onEnd = (reason) => resolve({ kind: 'ended', reason, ...text() })
    if (this.#ended !== undefined) this.#onEnd(this.#ended)
    const stop = this.#watch(printed, (reply) => resolve({ kind: 'answered', reply, ...text() }))
    this.#input.write(interpreter.encode(code, mark))
    try {
      return await promise
    } finally {
      stop()
      this.#onEnd = () => {}
    }
  }

  get #input(): Writable {
    return this.#child.stdio[this.#options.interpreter.reads] as Writable
  }

  /** Reads what is printed and the answer, and ends the process at its limits. @returns what takes the watch off */
  #watch(printed: readonly [Printed, Printed], answer: (reply: string) => void): () => void {
    const { timeoutMs, memoryBytes, outputBytes } = this.#options.limits
    let reply = ''
    let late: NodeJS.Timeout | undefined
    const settle = () => {
      if (!reply.includes('\n')) return
      if (printed.every(({ complete }) => complete)) return answer(reply)
      late ??= setTimeout(answer, LATE_MS, reply) // an output that the code has closed
    }
    const onReply = (chunk: Buffer) => {
      reply += chunk.toString('utf8')
      if (reply.length > FLOOD_BYTES) this.end('its answer was too large')
      settle()
    }
    const listeners = printed.map((stream) => (chunk: Buffer) => {
      stream.add(chunk)
      if (stream.total > FLOOD_BYTES) this.end(`it printed more than ${FLOOD_BYTES} bytes; ${outputBytes} are kept`)
      settle()
    })
    const streams = [this.#child.stdout, this.#child.stderr, this.#child.stdio[4]] as Readable[]
    const all = [...listeners, onReply]
    for (const [index, stream] of streams.entries()) stream.on('data', all[index] as (chunk: Buffer) => void)
    const timer = setTimeout(() => this.end(`it ran longer than ${timeoutMs / 1000} seconds`), timeoutMs)
    const look = setInterval(() => void this.#checkMemory(memoryBytes), LOOK_MS)
    return () => {
      clearTimeout(timer)
      clearTimeout(late)
      clearInterval(look)
      for (const [index, stream] of streams.entries()) stream.off('data', all[index] as (chunk: Buffer) => void)
      for (const stream of streams) stream.resume() // what a process in the background prints is dropped
    }
  }

  async #checkMemory(memoryBytes: number): Promise<void> {
    const bytes = this.#child.pid === undefined ? undefined : await measure(this.#child.pid)
    if (bytes !== undefined && bytes > memoryBytes) this.end(`it used more than ${memoryBytes} bytes of memory`)
  }
}
