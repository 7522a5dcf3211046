/** The primary process of `serve({ workers })`: starts the workers, starts them again, passes messages on, and stops them. */
import cluster, { type Worker } from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { AgencyError } from '../base/errors.ts'
import type { ServerLog } from '../base/log.ts'
import { invalidOption, workerFailed } from '../base/start-errors.ts'
import { Counters } from './counters.ts'
import { type Downward, type Listening, type Upward, unwrap, wrap } from './messages.ts'
import { SHARED_SECRET_VARIABLE, WORKER_VARIABLE } from './worker.ts'

/** The pause before a worker that has ended is started again, in milliseconds; doubled after each short life. */
const RESTART = { firstMs: 100, mostMs: 10_000, longLifeMs: 60_000 }
/** How much longer than its own drain a worker may take to end, in milliseconds. */
const KILL_AFTER_MS = 7_000

/** How a worker stops serving: it has ended, or a signal asks it to. */
type Over = 'ended' | 'leaving'

/** A worker from its start to its end. */
interface Member {
  readonly worker: Worker
  readonly number: number
  readonly startedAt: number
  /** Undefined until it listens. */
  listening: Listening | undefined
  /** It waits for the worker that replaces it. */
  leaving: boolean
  readonly over: PromiseWithResolvers<Over>
}

export interface PrimaryOptions {
  workers: number
  /** How long workers may take to drain, in milliseconds. */
  drainMs: number
  log: ServerLog
}

export class Primary {
  readonly #options: PrimaryOptions
  /** Running workers, by the id that the cluster gave them. */
  readonly #members = new Map<number, Member>()
  readonly #counters = new Counters()
  readonly #sharedSecret = randomBytes(32).toString('base64')
  /** Short lives of each worker, one after the other. */
  readonly #failures = new Map<number, number>()
  readonly #stopped = new AbortController()
  #stopping: Promise<void> | undefined

  /** @throws INVALID_OPTION where no program can be started again */
  constructor(options: PrimaryOptions) {
    this.#options = options
    if (process.argv[1] === undefined)
      throw invalidOption('workers start the program again, so it has to be a file: node server.ts')
    if (Object.keys(cluster.workers ?? {}).length > 0)
      throw invalidOption('This process has workers already. Only one server of a program can have the workers option.')
  }

  /**
   * Starts the first worker, and the others when it listens: a fault of the program fails once, and a worker that fails alone is started again.
   * Resolves when all listen.
   * @throws what `serve()` throws in a worker; WORKER_FAILED for a first one that ends before it listens
   */
  async start(): Promise<Listening> {
    const first = await this.#begin(1).catch((error) => {
      this.kill()
      throw error
    })
    void this.#keep(first)
    const others = Array.from({ length: this.#options.workers - 1 }, async (_, index) => {
      const member = await this.#startAgain(index + 2, 'leaving')
      if (member !== undefined) void this.#keep(member)
    })
    await Promise.all(others)
    return first.listening as Listening
  }

  /** Tells all workers to drain, and waits until they have ended. */
  stop(): Promise<void> {
    this.#stopping ??= this.#end()
    return this.#stopping
  }

  /** Ends all workers at once. */
  kill(): void {
    this.#stopped.abort()
    for (const { worker } of this.#members.values()) worker.process.kill('SIGKILL')
  }

  async #end(): Promise<void> {
    this.#stopped.abort()
    const ended = [...this.#members.values()].map(async ({ worker, listening }) => {
      const exited = new Promise((resolve) => worker.once('exit', resolve))
      if (listening !== undefined) this.#send(worker, { kind: 'stop' })
      else worker.process.kill('SIGKILL') // it has nothing to finish
      await exited
    })
    const killing = setTimeout(() => this.kill(), this.#options.drainMs + KILL_AFTER_MS)
    await Promise.all(ended)
    clearTimeout(killing)
  }

  /** Starts a worker. Resolves when it listens. */
  #begin(number: number): Promise<Member> {
    const { promise, resolve, reject } = Promise.withResolvers<Member>()
    const worker = cluster.fork({ [WORKER_VARIABLE]: String(number), [SHARED_SECRET_VARIABLE]: this.#sharedSecret })
    const over = Promise.withResolvers<Over>()
    const member: Member = { worker, number, startedAt: Date.now(), listening: undefined, leaving: false, over }
    this.#members.set(worker.id, member)
    worker.on('message', (received) => {
      const message = unwrap<Upward>(received)
      if (message === undefined) return
      if (message.kind === 'failed') reject(new AgencyError(message.code, message.status, message.message))
      else if (message.kind === 'listening') {
        member.listening = message.listening
        resolve(member)
      } else this.#take(member, message)
    })
    worker.once('exit', (code, signal) => {
      this.#members.delete(worker.id)
      for (const other of this.#members.values()) this.#send(other.worker, { kind: 'gone', process: worker.id })
      over.resolve('ended')
      reject(workerFailed(`it ended with ${signal ?? `code ${code}`} before it listened. Its output has the reason.`))
    })
    return promise
  }

  /** Keeps a worker of this number alive until the primary stops. */
  async #keep(first: Member): Promise<void> {
    let member: Member | undefined = first
    while (member !== undefined) {
      const { number, startedAt, over } = member
      const how = await over.promise
      if (Date.now() - startedAt >= RESTART.longLifeMs) this.#failures.delete(number)
      member = await this.#startAgain(number, how)
      for (const { worker, leaving, number: left } of this.#members.values())
        if (leaving && left === number) this.#send(worker, { kind: 'retire' })
    }
  }

  /** Tries until it listens; after one that has ended, not at once. Undefined when the primary stops. */
  async #startAgain(number: number, before: Over): Promise<Member | undefined> {
    const { log } = this.#options
    const { signal } = this.#stopped
    let waits = before === 'ended'
    while (!signal.aborted) {
      if (waits) await this.#waitAfterEnd(number)
      if (signal.aborted) break
      try {
        return await this.#begin(number)
      } catch (error) {
        if (!signal.aborted) log.error(`Worker ${number} could not start.`, error)
        waits = true
      }
    }
    return undefined
  }

  async #waitAfterEnd(number: number): Promise<void> {
    const failures = this.#failures.get(number) ?? 0
    this.#failures.set(number, failures + 1)
    const delayMs = Math.min(RESTART.firstMs * 2 ** failures, RESTART.mostMs)
    this.#options.log.warn(`Worker ${number} has ended. It is started again in ${delayMs} ms.`)
    await sleep(delayMs, undefined, { signal: this.#stopped.signal }).catch(() => {}) // the primary stops
  }

  #take(member: Member, message: Exclude<Upward, { kind: 'listening' | 'failed' }>): void {
    const { worker } = member
    switch (message.kind) {
      case 'leaving':
        member.leaving = true
        member.over.resolve('leaving')
        return
      case 'ask': {
        const { id, question, asks } = message
        const others = [...this.#members.values()].filter((one) => one !== member && one.listening !== undefined)
        this.#send(worker, { kind: 'asked', id, of: others.map((one) => one.worker.id) })
        for (const other of others) this.#send(other.worker, { kind: 'question', from: worker.id, id, question, asks })
        return
      }
      case 'answer': {
        const asker = this.#members.get(message.to)
        if (asker !== undefined)
          this.#send(asker.worker, { kind: 'answer', from: worker.id, id: message.id, json: message.json })
        return
      }
      case 'count':
        this.#send(worker, {
          kind: 'counted',
          id: message.id,
          ...this.#counters.count(message.key, message.windowMs, Date.now()),
        })
        return
      default:
        message satisfies never
    }
  }

  #send(worker: Worker, message: Downward): void {
    if (worker.isConnected()) worker.send(wrap(message), () => {}) // one that has just ended gets no message
  }
}
