/** Starts runs, and stops them when they are cancelled, take too long, or the server closes. */
import { randomUUID } from 'node:crypto'
import type { SaveThreads } from '../agency/agency.ts'
import { Budget, RUN_BYTES } from '../base/budget.ts'
import { AgencyError } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { overloaded, processFull, runNotFound, shuttingDown } from '../base/request-errors.ts'
import { runTooLarge, timeLimit } from '../base/run-errors.ts'
import { endRun } from '../tools/run-end.ts'
import { createRedactor } from '../wire/redact.ts'
import { EventLog } from './event-log.ts'
import type { RunSummary } from './events.ts'
import { type CancelMode, type Durable, type ExecuteOptions, execute } from './execute.ts'
import { explain } from './failure.ts'
import type { Batch, Feed } from './feed.ts'
import type { Ledger } from './ledger.ts'
import type { RunPlan } from './plan.ts'
import type { Span } from './span.ts'

/** A run that was started. */
export interface Run {
  readonly id: string
  /** The agent that the request is addressed to. */
  readonly recipient: string
  /** Its events from the first one on, for one reader; undefined for a run that is not streamed. */
  readonly events: AsyncIterable<Batch> | undefined
  /** Never rejects. */
  readonly done: Promise<RunSummary>
  /** Cancels it, or fails it with an error. */
  stop(reason: CancelMode | AgencyError): void
}

export interface RunnerOptions extends ExecuteOptions {
  limits: ExecuteOptions['limits'] &
    Pick<Limits, 'slowReaderBytes' | 'runMs' | 'concurrentRuns' | 'heldBytes' | 'runBytes'>
  /** Makes the id of a run. @default a random UUID */
  newId?: () => string
  /** The clock of the time limit: milliseconds that never go back. @default `performance.now()` */
  now?: () => number
}

/** How one run is started. */
export interface RunSettings {
  /** Whose run it is: only the same owner can cancel it. */
  owner: string
  /** Saves the conversation at each turn boundary. Default: it is not saved. */
  save?: SaveThreads | undefined
  /** The budget of the request, which the run then shares. Default: a budget of its own */
  budget?: Budget | undefined
  /** Its id. Default: a new one */
  id?: string | undefined
  /** Bounds what the run may spend on model calls. Default: nothing does */
  ledger?: Ledger | undefined
  /** Set for a stored run. */
  durable?: Durable | undefined
  /** Takes the events. Default: a window of them in memory, for one reader */
  feed?: Feed | undefined
}

interface LiveRun {
  owner: string
  /** When its time is over, on the runner's clock; Infinity once the time limit has stopped it. */
  deadline: number
  stop(reason: CancelMode | AgencyError): void
  done: Promise<RunSummary>
}

/** How long `drain` waits for runs that it has stopped. */
const LAST_WAIT_MS = 3_000

/** Knows every run of this process from its start to its end. */
export class Runner {
  readonly #options: RunnerOptions
  readonly #newId: () => string
  readonly #now: () => number
  /** In the order of their start, so the first is the first to run out of time. */
  readonly #live = new Map<string, LiveRun>()
  #timer: NodeJS.Timeout | undefined
  #draining = false
  /** What all requests and runs hold together. */
  readonly budget: Budget

  constructor(options: RunnerOptions) {
    this.#options = options
    this.#newId = options.newId ?? randomUUID
    this.#now = options.now ?? (() => performance.now())
    this.budget = new Budget({ bound: options.limits.heldBytes, refuse: processFull, fair: true })
  }

  /** Number of runs that have not ended. */
  get size(): number {
    return this.#live.size
  }

  /** True once `drain` was called: no run starts any more. */
  get draining(): boolean {
    return this.#draining
  }

  /** Checks that one more run may start. @throws SHUTTING_DOWN, OVERLOADED */
  admit(): void {
    if (this.#draining) throw shuttingDown()
    if (this.#live.size >= this.#options.limits.concurrentRuns) throw overloaded('concurrent runs')
  }

  /** @throws SHUTTING_DOWN, OVERLOADED */
  start(plan: RunPlan, settings: RunSettings): Run {
    const { owner, save, budget: shared, feed: given, id = this.#newId(), ledger, durable } = settings
    this.admit()
    const { slowReaderBytes, runMs, runBytes } = this.#options.limits
    const budget = shared ?? this.budget.part({ bound: runBytes, refuse: runTooLarge })
    budget.charge(RUN_BYTES)
    shared?.share()
    const abort = new AbortController()
    const feed = given ?? new EventLog(slowReaderBytes, budget.part(), (error) => abort.abort(error))
    const events = plan.streaming && feed instanceof EventLog ? feed.read() : undefined
    let mode: CancelMode | undefined
    const stop = (reason: CancelMode | AgencyError) => {
      if (AgencyError.isInstance(reason)) return abort.abort(reason)
      if (mode !== 'immediate') mode = reason
      if (reason === 'immediate') abort.abort(new Error('The run was cancelled.'))
    }
    const span = startSpan(id, plan, this.#options.redact)
    const run = { id, plan, feed, abort, stopMode: () => mode, span, budget, save, ledger, durable }
    const done = execute(run, this.#options)
    this.#live.set(id, { owner, stop, done, deadline: this.#now() + runMs })
    const forget = () => {
      this.#live.delete(id)
      budget.close()
      endRun(abort.signal)
    }
    void done.then(forget, forget)
    this.#watch()
    return { id, recipient: plan.recipient, events, done, stop }
  }

  /** What callers and models may know of an error. */
  explain(error: unknown, agent: string): string {
    return this.#options.redact(explain(error, agent, this.#options.exposeErrors))
  }

  /** True for a run of this owner that has not ended. */
  knows(id: string, owner: string): boolean {
    return this.#live.get(id)?.owner === owner
  }

  /**
   * Stops a run and waits for its end, at most `waitMs`. Undefined when it has not ended by then; it is still being stopped.
   * @throws RUN_NOT_FOUND for a run that has ended, and for one of another owner
   */
  async cancel(id: string, owner: string, mode: CancelMode, waitMs: number): Promise<RunSummary | undefined> {
    const run = this.#live.get(id)
    if (run === undefined || run.owner !== owner) throw runNotFound(id)
    run.stop(mode)
    return this.#orTimeout(run.done, waitMs)
  }

  /** Refuses new runs, waits for the others, at most `ms`, then stops them and gives them a moment to end. */
  async drain(ms: number): Promise<void> {
    const allDone = () => Promise.all([...this.#live.values()].map((run) => run.done))
    this.#draining = true
    await this.#orTimeout(allDone(), ms)
    for (const run of this.#live.values()) run.stop(shuttingDown())
    await this.#orTimeout(allDone(), LAST_WAIT_MS)
  }

  #orTimeout<T>(work: Promise<T>, ms: number): Promise<T | undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(resolve, ms, undefined)
    return Promise.race([work, promise]).finally(() => clearTimeout(timer))
  }

  /** One timer for all runs: it waits for the oldest. */
  #watch(): void {
    const oldest = this.#timer === undefined ? [...this.#live.values()].find(isTimed) : undefined
    if (oldest === undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      for (const run of this.#live.values()) {
        if (!isTimed(run)) continue
        if (run.deadline > this.#now()) break
        run.deadline = Number.POSITIVE_INFINITY
        run.stop(timeLimit(this.#options.limits.runMs))
      }
      this.#watch()
    }, oldest.deadline - this.#now())
    this.#timer.unref()
  }
}

const isTimed = (run: LiveRun) => run.deadline !== Number.POSITIVE_INFINITY

function startSpan(runId: string, plan: RunPlan, redact: (text: string) => string): Span<'run'> | undefined {
  if (plan.telemetry === undefined) return undefined
  const maskRequest = createRedactor(() => plan.secrets)
  const mask = (text: string) => plan.logins?.redact(maskRequest(text)) ?? maskRequest(text)
  return plan.telemetry.start({
    runId,
    agency: plan.servedAs,
    recipient: plan.recipient,
    streaming: plan.streaming,
    conversationId: plan.traceId,
    input: plan.input,
    parent: plan.traceContext,
    redact: (text) => redact(mask(text)),
  })
}
