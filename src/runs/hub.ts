import { randomUUID } from 'node:crypto'
import { orAbort, within } from '../base/async.ts'
import { Budget, RUN_BYTES } from '../base/budget.ts'
import {
  AgencyError,
  errorText,
  guidanceOf,
  overloaded,
  processFull,
  runNotFound,
  runTooLarge,
  shuttingDown,
  timeLimit,
} from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import { emptyUsage } from '../models/usage.ts'
import type { InputItem, StoredMessage, Usage } from '../wire/message.ts'
import { createRedactor, textsOf } from '../wire/redact.ts'
import { nameChat } from './chat-name.ts'
import { EventLog } from './event-log.ts'
import { nobody, type RunEvent } from './events.ts'
import { type Answer, type Conversation, endingOf, type RunState } from './loop/agent-thread.ts'
import { runLoop } from './loop/loop.ts'
import { MessageStore } from './loop/transcript.ts'
import type { RunPlan } from './plan.ts'
import { createSaver } from './saver.ts'
import { type Ending, inside, type Span } from './span.ts'

export type CancelMode = 'immediate' | 'after_turn'

/** What is left when a run is over. */
export interface RunSummary {
  newMessages: StoredMessage[]
  finalOutput: unknown
  /** Why the final answer was cut off, such as `max_output_tokens`; undefined for a whole one. */
  cut: string | undefined
  cancelled: boolean
  /** Undefined when nothing that was called is counted. */
  usage: Usage | undefined
  /** Name -> stored id of what `file_urls` named; undefined when they were not given. */
  fileIdsMap: { readonly [name: string]: string } | undefined
  /** Undefined when no name was asked for, or none could be made. */
  chatName: string | undefined
  /** Why the run failed, as far as a caller may know. */
  failure: string | undefined
  /** What was thrown, for callers in the same process. */
  error: unknown
}

export interface Run {
  readonly id: string
  /** What the run was asked, with the files of its request. */
  readonly input: readonly InputItem[]
  /** What the run says, in batches; undefined for a plain run. */
  readonly events: AsyncIterable<readonly RunEvent[]> | undefined
  /** Never rejects. */
  readonly done: Promise<RunSummary>
  stop(mode: CancelMode): void
}

export interface HubOptions {
  limits: Pick<
    Limits,
    'slowReaderBytes' | 'idleTimeoutMs' | 'runMs' | 'callbackMs' | 'concurrentRuns' | 'heldBytes' | 'runBytes'
  >
  /** Tell callers the provider's own words. For development. */
  exposeErrors: boolean
  /** Masks the secrets this server knows. */
  redact: (text: string) => string
  /** What went wrong beside a run, which went on. `mask` hides what only the request knows. */
  log: (message: string, error: unknown, mask?: (text: string) => string, run?: FailedRun) => void
  /** What ended a run. */
  logFailure: (error: unknown, mask: (text: string) => string, run: FailedRun) => void
  onEvent?: ((event: RunEvent, run: { runId: string; agency: string | undefined }) => void) | undefined
}

/** How a run is stopped: as its caller wants, or by the house, for a reason that its reader is told. */
type Stop = CancelMode | AgencyError

/** Which run failed, or had something fail beside it. */
export interface FailedRun {
  runId: string
  agency: string
  agent: string
}

interface Live {
  owner: object
  /** When its time is over; infinite once it has been told so. */
  deadline: number
  stop(how: Stop): void
  done: Promise<RunSummary>
}

/** How long a stop waits for runs that were told to end. */
const LAST_WAIT_MS = 3_000

/** How long the end of an aborted run waits for its last save: less than a cancel and a stop can wait. */
const LAST_SAVE_MS = 1_000

/** Owns the life of every run: starts it, stops it, and knows it until it is over. Routes only listen. */
export class Hub {
  readonly #options: HubOptions
  /** In the order of their start, so the first is the first to run out of time. */
  readonly #live = new Map<string, Live>()
  #timer: NodeJS.Timeout | undefined
  #draining = false
  /** What all requests and runs hold together. */
  readonly budget: Budget

  constructor(options: HubOptions) {
    this.#options = options
    this.budget = new Budget({ bound: options.limits.heldBytes, refuse: processFull, fair: true })
  }

  get size(): number {
    return this.#live.size
  }

  /** Asks for room for one more run. @throws SHUTTING_DOWN, OVERLOADED */
  admit(): void {
    if (this.#draining) throw shuttingDown()
    if (this.#live.size >= this.#options.limits.concurrentRuns) throw overloaded('as many runs')
  }

  /**
   * Starts the plan. `owner` is whatever has to be named again to cancel it (one agency's runs are not another's).
   * @param shared the request's budget, which the run then shares. Default: one of its own
   * @throws SHUTTING_DOWN, OVERLOADED
   */
  start(plan: RunPlan, owner: object, shared?: Budget): Run {
    this.admit()
    const budget = shared ?? this.#budgetOfRun()
    budget.charge(RUN_BYTES)
    shared?.share()
    const { slowReaderBytes, runMs } = this.#options.limits
    const id = randomUUID()
    const abort = new AbortController()
    const log = new EventLog(slowReaderBytes, budget.part(), (error) => abort.abort(error))
    const events = plan.streaming ? log.read() : undefined
    let asked: CancelMode | undefined
    const stop = (how: Stop) => {
      if (how instanceof AgencyError) abort.abort(how)
      else {
        if (asked !== 'immediate') asked = how
        if (how === 'immediate') abort.abort(new Error('The run was cancelled.'))
      }
    }
    const span = startSpan(id, plan, this.#options.redact)
    const pumped = { id, plan, log, abort, asked: () => asked, span, budget }
    const pump = async () => inside(span, () => this.#pump(pumped))
    const done = pump().catch((error) => this.#breakOff(error, pumped))
    this.#live.set(id, { owner, stop, done, deadline: performance.now() + runMs })
    const forget = () => {
      this.#live.delete(id)
      budget.close()
    }
    void done.then(forget, forget)
    this.#watch()
    return { id, input: plan.input, events, done, stop }
  }

  /**
   * Stops a run and waits until it has ended, at most `waitMs`; undefined when it did not end in that time (the request
   * to stop stands). @throws RUN_NOT_FOUND
   */
  async cancel(id: string, owner: object, mode: CancelMode, waitMs: number): Promise<RunSummary | undefined> {
    const run = this.#live.get(id)
    if (run === undefined || run.owner !== owner) throw runNotFound(id)
    run.stop(mode)
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const timer = setTimeout(resolve, waitMs, undefined)
    return Promise.race([run.done, promise]).finally(() => clearTimeout(timer))
  }

  /** The client left: nothing more is spent on its run. */
  abandon(id: string): void {
    this.#live.get(id)?.stop('immediate')
  }

  /** Waits for running work, at most `ms`, then stops what is left and gives it a moment to say so. */
  async drain(ms: number): Promise<void> {
    const ended = (ms: number) => {
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, ms)
      const all = Promise.all([...this.#live.values()].map((run) => run.done))
      return Promise.race([all, promise]).finally(() => clearTimeout(timer))
    }
    this.#draining = true
    await ended(ms)
    for (const run of this.#live.values()) run.stop(shuttingDown())
    await ended(LAST_WAIT_MS)
  }

  /** One timer for all runs: it waits for the oldest. */
  #watch(): void {
    const oldest = this.#timer === undefined ? [...this.#live.values()].find(isTimed) : undefined
    if (oldest === undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      for (const run of this.#live.values()) {
        if (!isTimed(run)) continue
        if (run.deadline > performance.now()) break
        run.deadline = Number.POSITIVE_INFINITY
        run.stop(timeLimit(this.#options.limits.runMs))
      }
      this.#watch()
    }, oldest.deadline - performance.now())
    this.#timer.unref()
  }

  async #pump({ id, plan, log, abort, asked, span, budget }: Pumped): Promise<RunSummary> {
    const { signal } = abort
    const { agency } = plan
    const { idleTimeoutMs, callbackMs } = this.#options.limits
    const store = new MessageStore(plan.history)
    const open = new Set<Conversation>()
    const own = ownRedactor(plan)
    const save = createSaver({
      save: agency.saveThreads,
      messages: () => store.all([...open].reverse().flatMap((conversation) => conversation.own)),
      callbackMs,
      onError: (error) => this.#options.log('saveThreads failed; the run goes on.', error, own, identify(id, plan)),
    })
    const redact = (text: string) => this.#options.redact(own(text))
    const state: RunState = {
      plan,
      signal,
      store,
      open,
      span,
      usage: emptyUsage(),
      uncounted: agency.agents.every((agent) => agent.modelSettings.includeUsage === false),
      turns: 0,
      busy: new Set(),
      lanes: new Map(),
      budget,
      hold: (bytes, part = budget) => charge(part, bytes, abort),
      emit: (events, bytes) => {
        if (this.#options.onEvent !== undefined) this.#tell(events, id, plan)
        log.append(events, bytes)
      },
      room: () => log.room(signal, idleTimeoutMs, () => abort.abort(new Error('The reader stalled.'))),
      stopAfterTurn: () => asked() === 'after_turn',
      save: save === undefined ? async () => {} : () => orAbort(save(), signal),
      redact,
      explain: (error, agent) => redact(this.#explain(error, agent)),
    }
    let answer: Answer | undefined
    let failure: string | undefined
    let thrown: unknown
    let ending: Ending = {}
    try {
      answer = await runLoop(state)
    } catch (error) {
      ending = endingOf(state, error)
      const ours = signal.reason instanceof AgencyError
      if (!signal.aborted || ours) {
        thrown = ours ? signal.reason : error
        failure = state.explain(thrown, plan.recipient)
        state.emit([failureEvent(thrown, failure)], failure.length)
        this.#options.logFailure(thrown, own, identify(id, plan))
      }
    }
    if (save !== undefined) await lastSave(save(), signal)
    const newMessages = store.newMessages()
    const cut = signal.aborted
    let chatName: string | undefined
    if (plan.namesChat && failure === undefined && !cut && asked() === undefined)
      chatName = await nameChat(plan, newMessages, signal, budget).catch((error: unknown) => {
        this.#options.log('The chat got no name.', error, own, identify(id, plan)) // the answer is worth more than its name
        return undefined
      })
    log.seal()
    const cancelled = failure === undefined && (cut || asked() !== undefined)
    const finalOutput = answer?.output
    span?.end({ ...ending, cancelled, usage: state.usage, finalOutput })
    return {
      newMessages,
      finalOutput,
      cut: answer?.cut,
      cancelled,
      usage: state.uncounted && state.usage.request_count === 0 ? undefined : state.usage,
      fileIdsMap: plan.fileIdsMap,
      chatName,
      failure,
      error: thrown,
    }
  }

  /** What no run should throw costs its own run at most. */
  #breakOff(error: unknown, { id, plan, log, abort, span }: Pumped): RunSummary {
    const failure = failureOf(plan.recipient, 'InternalError')
    abort.abort(new Error('The run broke off.'))
    log.append([failureEvent(undefined, failure)], failure.length)
    log.seal()
    span?.end({ failure: { type: 'Error', message: failure }, usage: emptyUsage(), finalOutput: undefined })
    this.#options.log('A run broke off.', error, ownRedactor(plan), identify(id, plan))
    return {
      newMessages: [],
      finalOutput: undefined,
      cut: undefined,
      cancelled: false,
      usage: undefined,
      fileIdsMap: plan.fileIdsMap,
      chatName: undefined,
      failure,
      error,
    }
  }

  /** A budget for a run that no HTTP request began. */
  #budgetOfRun(): Budget {
    return this.budget.part({ bound: this.#options.limits.runBytes, refuse: runTooLarge })
  }

  #tell(events: readonly RunEvent[], runId: string, plan: RunPlan): void {
    const agency = plan.agency.name
    const failed = (error: unknown) =>
      this.#options.log('onEvent failed; the run goes on.', error, undefined, identify(runId, plan))
    try {
      for (const event of events) {
        const told: unknown = this.#options.onEvent?.(event, { runId, agency })
        if (told instanceof Promise) told.catch(failed)
      }
    } catch (error) {
      failed(error) // a listener must not decide over a run
    }
  }

  /** One sentence for callers and models; a provider's own words stay in the log unless errors are exposed. */
  #explain(error: unknown, agent: string): string {
    const { exposeErrors } = this.#options
    if (error instanceof AgencyError && (exposeErrors || error.code !== 'MODEL_FAILED')) return error.message
    if (exposeErrors) return errorText(error)
    const cause =
      error instanceof AgencyError && error.cause instanceof Error ? error.cause.constructor.name : 'ModelError'
    return failureOf(agent, error instanceof AgencyError ? cause : 'InternalError')
  }
}

/** Waits for a save; once the run is aborted only a moment longer, and the save goes on by itself. */
const lastSave = (saving: Promise<void>, signal: AbortSignal) =>
  orAbort(saving, signal)
    .catch(() => within(LAST_SAVE_MS, 'saveThreads', saving))
    .catch(() => {})

/** Masks what only the request knows. */
const ownRedactor = ({ secrets, userContext }: RunPlan) => createRedactor(() => [...secrets, ...textsOf(userContext)])

const failureOf = (agent: string, cause: string) => `The run of agent ${agent} failed (cause: ${cause}).`

const identify = (runId: string, { servedAs, recipient }: RunPlan): FailedRun => ({
  runId,
  agency: servedAs,
  agent: recipient,
})

const isTimed = (run: Live) => run.deadline !== Number.POSITIVE_INFINITY

interface Pumped {
  id: string
  plan: RunPlan
  log: EventLog
  abort: AbortController
  asked: () => CancelMode | undefined
  span: Span<'run'> | undefined
  /** What the run holds. */
  budget: Budget
}

/** Charges a run, which ends when there is no room. @throws MEMORY_LIMIT, OVERLOADED */
function charge(budget: Budget, bytes: number, abort: AbortController): void {
  try {
    budget.charge(bytes)
  } catch (error) {
    abort.abort(error)
    throw error
  }
}

function startSpan(runId: string, plan: RunPlan, redact: (text: string) => string): Span<'run'> | undefined {
  if (plan.telemetry === undefined) return undefined
  const own = createRedactor(() => plan.secrets)
  return plan.telemetry.start({
    runId,
    agency: plan.servedAs,
    recipient: plan.recipient,
    streaming: plan.streaming,
    conversationId: plan.traceId,
    input: plan.input,
    parent: plan.traceContext,
    redact: (text) => redact(own(text)),
  })
}

/** An output guardrail's guidance is for the reader too; an input guardrail's was said before. */
function failureEvent(error: unknown, failure: string): RunEvent {
  const guidance = guidanceOf(error)
  if (guidance === undefined) return { kind: 'error', who: nobody, nested: false, content: failure }
  return {
    kind: 'tripped',
    who: nobody,
    content: /OutputGuardrail/.test(failure) ? `${failure}: ${guidance}` : failure,
  }
}
