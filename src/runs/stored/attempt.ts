/** One attempt of a stored run: from its claim to the moment when it leaves this process. */
import { inTurns } from '../../base/async.ts'
import { type Budget, weigh } from '../../base/budget.ts'
import { AgencyError, crashLoop, notRecoverable } from '../../base/errors.ts'
import type { Limits } from '../../base/limits.ts'
import { runTooLarge } from '../../base/run-errors.ts'
import type { JsonObject } from '../../wire/json.ts'
import { countJsonBytes } from '../../wire/json-write.ts'
import type { RunSummary } from '../events.ts'
import { failureEvent } from '../failure.ts'
import type { RunPlan } from '../plan.ts'
import type { CancelMode, ClaimedRun, RunId, RunSnapshot, RunStore, RunWork, Written } from '../run-store.ts'
import type { Run } from '../runner.ts'
import { joinTelemetry } from '../span.ts'
import { ownerKey, type RunOrder } from '../start.ts'
import { type AttemptLog, logAttempt, type RunLogs } from './attempt-log.ts'
import { boundsOf, type CostBudgets, createRunLedger } from './costs.ts'
import { startedEvent } from './events.ts'
import { createJournal, readEventBytes, toSnapshot } from './journal.ts'
import { StoredLog } from './log.ts'
import { toEnd } from './outcome.ts'
import { RunSteering } from './steering.ts'
import { type PlanSources, planStoredRun, type StoredPlan } from './stored-plan.ts'
import { announceAttempt } from './take-over.ts'
import { ThreadSaver } from './thread-saver.ts'
import { TraceRecorder } from './trace/recorder.ts'
import type { TraceRecord } from './trace/records.ts'
import { describeWork } from './unworked.ts'

/** What all attempts of a process share. */
export interface AttemptOptions extends PlanSources, RunLogs {
  store: RunStore
  /** The name of this process in the store. */
  worker: string
  limits: Limits
  now: () => number
  budgets: CostBudgets
  /** Set where traces are kept. Gets what could not be recorded; it changes nothing for the run. */
  traces: { onError(error: unknown): void } | undefined
  /** Called when a call waits for a person, with the time at which that ends. */
  onApproval(expiresAt: number): void
  /** True once runs should leave this process at their next turn boundary. */
  leaving(): boolean
  /** Aborts when the process no longer waits for a store that is away. */
  closing: AbortSignal
}

/** An attempt that goes on. */
export interface Attempt extends RunId {
  readonly number: number
  readonly log: StoredLog
  stop(mode: CancelMode): void
  /** Learns what others have asked of the run. Resolves when messages to its agents are known here. */
  learn(state: RunSnapshot): Promise<void>
  /** Lets agents that are held look again whether they may go on. */
  wake(): void
  /** What the store answered when the run left; undefined when it was lost: fenced, or the store is away. Never rejects. */
  readonly done: Promise<Written | undefined>
}

export function startAttempt(options: AttemptOptions, claimed: ClaimedRun): Attempt {
  const attempt = new RunAttempt(options, claimed)
  const { agency, owner, runId } = claimed.run
  return {
    agency,
    owner,
    runId,
    number: claimed.claim.attempt,
    log: attempt.log,
    stop: (mode) => attempt.stop(mode),
    learn: (state) => attempt.steering.learn(state),
    wake: () => attempt.steering.wake(),
    done: attempt.work(),
  }
}

/** Errors of this process and not of the run: somebody takes the run up later. */
const BUSY = new Set(['SHUTTING_DOWN', 'OVERLOADED'])
const FENCED = new Set(['FENCED'])
const LOST = new Set(['STORE_UNAVAILABLE', ...FENCED])

/** What takes part in a run beside its plan. */
interface Helpers {
  saver: ThreadSaver | undefined
  lost: boolean
  trace: TraceRecorder | undefined
}

const hasCode = (error: unknown, codes: ReadonlySet<string>) => AgencyError.isInstance(error) && codes.has(error.code)

class RunAttempt {
  readonly log: StoredLog
  readonly steering: RunSteering
  readonly #options: AttemptOptions
  readonly #claimed: ClaimedRun
  readonly #budget: Budget
  readonly #abort = new AbortController()
  #recoverable: boolean
  #stop: CancelMode | undefined
  #run: Run | undefined
  readonly #lines: AttemptLog
  /** Set once the run is about to end. */
  #summary: RunSummary | undefined

  constructor(options: AttemptOptions, claimed: ClaimedRun) {
    const { store, now, limits, runs, closing } = options
    const { claim, run, work } = claimed
    this.#options = options
    this.#claimed = claimed
    this.#lines = logAttempt(options, claimed)
    this.#recoverable = run.recoverable
    this.#stop = run.wish ?? undefined
    this.#budget = runs.runner.budget.part({ bound: limits.runBytes, refuse: runTooLarge })
    this.log = new StoredLog({
      store,
      claim,
      now,
      limits,
      closing,
      lastEventId: run.lastEventId,
      known: run.lastEventId === 1 ? [{ number: 1, event: startedEvent(run.runId) }] : [],
      storedBytes: readEventBytes(work),
      budget: this.#budget.part(),
      onFull: (error) => this.#run?.stop(error as AgencyError),
      onState: (state) => {
        void this.steering.learn(state)
        if (state.wish !== null) this.stop(state.wish)
      },
      onStored: (lagMs) => runs.telemetry?.note?.({ kind: 'stored', lagMs }),
      onLost: (error) => {
        if (hasCode(error, FENCED)) runs.telemetry?.note?.({ kind: 'fenced', agency: run.agency })
        this.#abort.abort(error)
        this.#run?.stop('immediate')
      },
    })
    const { agency, owner, runId } = run
    const goingOn = () => this.#stop === undefined && !this.#leaving()
    this.steering = new RunSteering({ store, log: this.log, now, agency, owner, runId, goingOn })
  }

  stop(mode: CancelMode): void {
    if (this.#stop === 'immediate' || (this.#stop === mode && this.#run === undefined)) return
    this.#stop = mode
    if (mode === 'immediate') this.#abort.abort(new Error('The run was cancelled.'))
    this.#run?.stop(mode)
    this.steering.wake()
  }

  async work(): Promise<Written | undefined> {
    const written = await this.#work()
    this.#lines.left(written, this.#summary)
    return written
  }

  async #work(): Promise<Written | undefined> {
    const { store } = this.#options
    try {
      if (this.#claimed.takenOver) await announceAttempt(store, this.log, this.#claimed)
      return await this.#execute()
    } catch (error) {
      if (this.log.lost !== undefined || hasCode(error, LOST)) return undefined
      return await this.#leaveWith(error).catch(() => undefined)
    } finally {
      this.log.seal()
      this.#budget.close()
    }
  }

  async #execute(): Promise<Written | undefined> {
    const { run, takenOver } = this.#claimed
    const { limits, store } = this.#options
    if (run.crashes >= limits.attempts) throw crashLoop(limits.attempts)
    await this.steering.learn(run)
    const trace = await this.#openTrace()
    let { work } = this.#claimed
    for (let lost = takenOver; ; lost = false) {
      const saver = run.threadId === null ? undefined : new ThreadSaver(this.log, work.messages)
      const summary = await this.#runOnce(work, { saver, lost, trace })
      if (this.log.lost !== undefined) return undefined
      if (summary.paused !== true) return await this.#end(summary, saver)
      if (this.#leaving()) return await this.log.write({ leave: { kind: 'release' } })
      const written = await this.log.write({ leave: { kind: 'pause' } })
      if (written.state.status !== 'in_progress') return written
      // The last approval was decided, or a stop came, before the pause was stored: the run goes on here.
      const { agency, owner, runId } = run
      work = await store.read({ kind: 'work', agency, owner, runId })
    }
  }

  /** Runs until the end, a pause, or the next turn boundary when the process stops. */
  async #runOnce(work: RunWork, { saver, lost, trace }: Helpers) {
    const { run } = this.#claimed
    const { write: log } = this.#lines
    const planned = await planStoredRun(this.#options, { run, work, log, signal: this.#abort.signal })
    const { plan, order } = planned
    for (const rows of [work.history, work.items]) this.#charge(await inTurns<unknown, number>(rows, weigh))
    this.#charge([weigh(work.plan)])
    this.#run = this.#options.runs.runner.start(this.#listenTo(plan, trace), {
      id: run.runId,
      owner: ownerKey(run),
      save: saver === undefined ? order.save : (messages) => saver.save(messages.slice(work.history.length)),
      feed: this.log,
      budget: this.#budget,
      ledger: this.#createLedger(order),
      durable: {
        journal: this.#createJournal(planned),
        snapshot: toSnapshot(work),
        lost,
        steering: this.steering,
        leaving: () => this.#leaving(),
      },
    })
    if (this.#stop !== undefined) this.#run.stop(this.#stop)
    return this.#run.done
  }

  /** What records the trace, where traces are kept. It goes on from what earlier claims have recorded. */
  async #openTrace(): Promise<TraceRecorder | undefined> {
    const { traces, store, now, limits } = this.#options
    const { claim, run } = this.#claimed
    if (traces === undefined) return undefined
    const { agency, owner, runId } = run
    const earlier = claim.fence === 1 ? [] : await store.read({ kind: 'trace', agency, owner, runId })
    const recorder = new TraceRecorder({
      attempt: claim.attempt,
      earlier: earlier as unknown as TraceRecord[],
      maxBytes: limits.traceBytes,
      now,
      budget: this.#budget.part(),
      onRecord: () => this.log.noteTrace(),
    })
    this.log.carry(recorder)
    return recorder
  }

  #listenTo(plan: RunPlan, trace: TraceRecorder | undefined): RunPlan {
    const { traces } = this.#options
    if (trace === undefined || traces === undefined) return plan
    const listeners = [...(plan.telemetry === undefined ? [] : [plan.telemetry]), trace]
    return { ...plan, telemetry: joinTelemetry(listeners, traces.onError) }
  }

  #charge(bytes: readonly number[]): void {
    this.#budget.charge(bytes.reduce((sum, part) => sum + part, 0))
  }

  #createJournal({ plan, prepared }: StoredPlan) {
    const { now, limits, worker, kept, onApproval } = this.#options
    const { runId } = this.#claimed.run
    const onPinned = () => {
      this.#recoverable = false
      kept.set(runId, { ...kept.get(runId), userContext: plan.userContext })
    }
    const { log, steering } = this
    const { approvalMs } = limits
    return createJournal({ log, now, approvalMs, prepared, worker, steering, onPinned, onApproval })
  }

  #createLedger({ maxCost, request: { client_config: clientConfig } }: RunOrder) {
    const { runs, store, now, limits, budgets } = this.#options
    const { run, claim } = this.#claimed
    const onLost = (error: unknown) => this.log.lose(error)
    const bounds = boundsOf(run, maxCost, budgets, now())
    return createRunLedger(runs, { store, claim, storeMs: limits.storeMs, onLost }, { bounds, clientConfig })
  }

  /** A run that only this process can go on with stays until it ends or the process no longer waits for it. */
  #leaving(): boolean {
    return this.#recoverable && this.#options.leaving()
  }

  /** Ends a run that could not be started or taken up, or leaves it to others. */
  async #leaveWith(error: unknown): Promise<Written | undefined> {
    const { run, work } = this.#claimed
    if (this.#stop !== 'immediate' && hasCode(error, BUSY)) return this.log.write({ leave: { kind: 'release' } })
    const { receipt, ...recorded } = describeWork(work, run.recipient)
    if (this.#stop === 'immediate') return this.#write({ ...recorded, cancelled: true, receipt })
    const failure = this.#options.runs.runner.explain(error, run.recipient)
    this.log.append([failureEvent(error, failure)])
    const code = AgencyError.isInstance(error) ? { errorCode: error.code } : {}
    return this.#write({ ...recorded, failure, error, ...code })
  }

  #end(summary: RunSummary, saver: ThreadSaver | undefined): Promise<Written | undefined> {
    if (!hasCode(summary.error, SHUTTING_DOWN)) return this.#write(summary, saver)
    if (!this.#recoverable) return this.#leaveWith(notRecoverable())
    return this.log.write({ leave: { kind: 'release' } })
  }

  async #write(summary: RunSummary, saver?: ThreadSaver): Promise<Written> {
    const { runId, recipient } = this.#claimed.run
    const messages = saver?.toChange(summary.newMessages)
    const receipt = summary.receipt ?? { agent: recipient, state: 'never_started', calls: [] }
    const bytes = countJsonBytes([summary.newMessages, summary.finalOutput])
    const steers = await this.steering.settleAll()
    this.log.append([{ kind: 'ended', runId, summary }], bytes)
    this.#summary = summary
    return this.log.write({
      ...(messages === undefined ? {} : { messages }),
      ...(steers.length === 0 ? {} : { steers }),
      leave: toEnd(summary, receipt as unknown as JsonObject),
    })
  }
}

const SHUTTING_DOWN = new Set(['SHUTTING_DOWN'])
