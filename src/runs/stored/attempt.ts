/** One attempt of a stored run: from its claim to the moment when it leaves this process. */

import { copyContext } from '../../agency/context.ts'
import type { ServedAgency } from '../../agency/served.ts'
import { AgencyError, crashLoop, notRecoverable } from '../../base/errors.ts'
import type { Limits } from '../../base/limits.ts'
import type { JsonObject } from '../../wire/json.ts'
import type { StoredMessage } from '../../wire/message.ts'
import type { RunSummary } from '../events.ts'
import { failureEvent } from '../failure.ts'
import { findVoidFrames, type LoggedFrame } from '../loop/journal.ts'
import type { RunPlan } from '../plan.ts'
import type { CancelMode, ClaimedRun, RunStore, StoredEvent, Written } from '../run-store.ts'
import type { Run } from '../runner.ts'

import { ownerKey, preparePlan, type RunOrder, type Runs } from '../start.ts'
import { boundsOf, type CostBudgets, createRunLedger } from './costs.ts'

import { createDecoder, scopeOf } from './events.ts'
import { createJournal, readCoverage, readPrepared, toCoverageRow, toSnapshot } from './journal.ts'
import { type LogChange, StoredLog } from './log.ts'
import type { Seal, StoredOrder } from './order.ts'
import { emptySummary, toEnd } from './outcome.ts'

/** What all attempts of a process share. */
export interface AttemptOptions {
  runs: Runs
  store: RunStore
  /** The name of this process in the store. */
  worker: string
  limits: Limits
  now: () => number
  agencyOf(path: string): ServedAgency | undefined
  /** The secrets of requests that this process admitted, by run. */
  secrets: ReadonlyMap<string, unknown>
  seal: Seal | undefined
  budgets: CostBudgets
  /** True once runs should leave this process at their next turn boundary. */
  leaving(): boolean
  /** Called when a call waits for a person, with the time at which that ends. */
  onApproval(expiresAt: number): void
}

/** An attempt that goes on. */
export interface Attempt {
  readonly runId: string
  readonly log: StoredLog
  stop(mode: CancelMode): void
  /** What the store answered when the run left; undefined when it was lost: fenced, or the store is away. Never rejects. */
  readonly done: Promise<Written | undefined>
}

export function startAttempt(options: AttemptOptions, claimed: ClaimedRun): Attempt {
  const attempt = new RunAttempt(options, claimed)
  return { runId: claimed.run.runId, log: attempt.log, stop: (mode) => attempt.stop(mode), done: attempt.work() }
}

class RunAttempt {
  readonly log: StoredLog
  readonly #options: AttemptOptions
  readonly #claimed: ClaimedRun
  readonly #abort = new AbortController()
  /** The stop that came before the run was started. */
  #stop: CancelMode | undefined
  #run: Run | undefined

  constructor(options: AttemptOptions, claimed: ClaimedRun) {
    const { store, now, limits } = options
    const { claim, run } = claimed
    this.#options = options
    this.#claimed = claimed
    this.#stop = run.wish ?? undefined
    const onLost = (error: unknown) => {
      this.#abort.abort(error)
      this.#run?.stop('immediate')
    }
    this.log = new StoredLog({ store, claim, now, lastEventId: run.lastEventId, limits, onLost })
  }

  stop(mode: CancelMode): void {
    this.#stop = this.#stop === 'immediate' ? this.#stop : mode
    if (mode === 'immediate') this.#abort.abort(new Error('The run was cancelled.'))
    this.#run?.stop(mode)
  }

  async work(): Promise<Written | undefined> {
    try {
      if (this.#claimed.takenOver) await this.#takeOver()
      return await this.#execute()
    } catch (error) {
      if (this.log.lost !== undefined) return undefined
      return await this.#fail(error).catch(() => undefined)
    } finally {
      this.log.seal()
    }
  }

  /** Says which events of the attempt before are void, and emits anew those after them that are final. */
  async #takeOver(): Promise<void> {
    const { claim, work, run } = this.#claimed
    const { final, covered } = readCoverage(work)
    const events = await this.#readEvents(final)
    const frames: LoggedFrame[] = events.map((event) => ({ number: event.number, scope: scopeOf(event) ?? ALWAYS }))
    const known = new Map([...Object.entries(covered), [ALWAYS, run.lastEventId] as const])
    const { voidAfter, again } = findVoidFrames(frames, known)
    this.log.append([
      { kind: 'attempt', attempt: claim.attempt, voidAfter: frames.length === 0 ? run.lastEventId : voidAfter },
    ])
    const decode = createDecoder()
    const repeated = new Set(again)
    for (const stored of events) if (repeated.has(stored.number)) this.log.append([decode(stored).event])
    const row = toCoverageRow(work, this.log.readCoverage())
    await this.log.write(row === undefined ? {} : { conversations: [row] })
  }

  async #readEvents(after: number): Promise<StoredEvent[]> {
    const { agency, owner, runId } = this.#claimed.run
    const all: StoredEvent[] = []
    for (let last = after; ; last = all.at(-1)?.number ?? last) {
      const { events, state } = await this.#options.store.read({
        kind: 'events',
        agency,
        owner,
        runId,
        after: last,
        limit: 500,
      })
      all.push(...events)
      if (events.length === 0 || last + events.length >= state.lastEventId) return all
    }
  }

  async #execute(): Promise<Written | undefined> {
    const { run, work } = this.#claimed
    const { limits, runs, now, worker, leaving, onApproval } = this.#options
    if (run.crashes >= limits.attempts) throw crashLoop(limits.attempts)
    const { plan, order } = await this.#plan()
    const snapshot = toSnapshot(work)
    const journal = createJournal({
      log: this.log,
      now,
      approvalMs: limits.approvalMs,
      prepared: prepare(plan),
      worker,
      onApproval,
    })
    const saver = run.threadId === null ? undefined : new ThreadSaver(this.log, work.messages)
    this.#run = runs.runner.start(plan, {
      id: run.runId,
      owner: ownerKey(run),
      save: saver === undefined ? order.save : (messages) => saver.save(messages.slice(work.history.length)),
      feed: this.log,
      ledger: this.#createLedger(order),
      durable: { journal, snapshot, lost: this.#claimed.takenOver, leaving },
    })
    if (this.#stop !== undefined) this.#run.stop(this.#stop)
    const summary = await this.#run.done
    if (this.log.lost !== undefined) return undefined
    if (summary.paused === true) return this.log.write({ leave: { kind: leaving() ? 'release' : 'pause' } })
    if (AgencyError.isInstance(summary.error) && summary.error.code === 'SHUTTING_DOWN')
      return this.log.write({ leave: { kind: 'release' } })
    return this.#end(summary, saver?.toChange(summary.newMessages))
  }

  #createLedger({ maxCost, request: { client_config: clientConfig } }: RunOrder) {
    const { runs, store, now, limits, budgets } = this.#options
    const { run, claim } = this.#claimed
    const onLost = (error: unknown) => this.log.lose(error)
    const bounds = boundsOf(run, maxCost, budgets, now())
    return createRunLedger(runs, { store, claim, storeMs: limits.storeMs, onLost }, { bounds, clientConfig })
  }

  async #plan(): Promise<{ plan: RunPlan; order: RunOrder }> {
    const { runs, agencyOf, store: _store } = this.#options
    const { run, work } = this.#claimed
    const stored = work.plan as unknown as StoredOrder
    const served = agencyOf(run.agency)
    if (served === undefined)
      throw new AgencyError('AGENCY_CHANGED', 500, `There is no agency "${run.agency}" any more.`)
    const request = {
      ...stored.request,
      client_config: this.#clientConfig(stored),
      chat_history: work.history.length > 0 ? work.history : (stored.request.chat_history ?? []),
    }
    const callbacks = { loadThreads: () => request.chat_history, saveThreads: () => {} }
    const agency = await served.make(callbacks)
    const keepsNothing = agency.saveThreads === callbacks.saveThreads
    const order: RunOrder = {
      agency,
      request,
      userContext: { ...copyContext(agency.userContext), ...request.user_context },
      owner: ownerKey(run),
      servedAs: run.agency,
      save: keepsNothing ? undefined : agency.saveThreads,
      maxTurns: stored.maxTurns,
      maxCost: stored.maxCost,
    }
    const prepared = readPrepared(work) as Partial<RunPlan> | null
    const options = { streaming: true, signal: this.#abort.signal, traceContext: stored.traceContext ?? undefined }
    const plan = await preparePlan(runs, prepared === null ? order : withoutFiles(order), options)
    return { plan: { ...plan, ...prepared, traceId: stored.traceId }, order }
  }

  #clientConfig({ request }: StoredOrder): StoredOrder['request']['client_config'] {
    const { run, work } = this.#claimed
    const { secrets, seal } = this.#options
    const known = secrets.get(run.runId)
    if (known !== undefined) return known as StoredOrder['request']['client_config']
    if (work.sealed !== null && seal !== undefined)
      return seal.open(run.runId, work.sealed) as StoredOrder['request']['client_config']
    if (work.sealed !== null || !run.recoverable) throw notRecoverable()
    return request.client_config
  }

  /** Ends a run that could not be started or taken up. */
  async #fail(error: unknown): Promise<Written | undefined> {
    const { runs } = this.#options
    if (this.#stop === 'immediate') return this.#end(emptySummary({ cancelled: true }))
    const failure = runs.runner.explain(error, this.#claimed.run.recipient)
    this.log.append([failureEvent(error, failure)])
    return this.#end(emptySummary({ failure, error }))
  }

  #end(summary: RunSummary, messages?: LogChange['messages']): Promise<Written> {
    const { runId, recipient } = this.#claimed.run
    const receipt = summary.receipt ?? { agent: recipient, state: 'never_started', calls: [] }
    this.log.append([{ kind: 'ended', runId, summary }])
    return this.log.write({
      ...(messages === undefined ? {} : { messages }),
      leave: toEnd(summary, receipt as unknown as JsonObject),
    })
  }
}

/** The scope of events that are final as soon as they are stored. */
const ALWAYS = ''

const withoutFiles = (order: RunOrder): RunOrder => ({
  ...order,
  request: { ...order.request, file_ids: undefined, file_urls: undefined },
})

/** What the files of the request added to the plan, so that they are stored only once. */
function prepare({ input, notes, fileIdsMap, hostedTools, unstoredParts }: RunPlan): JsonObject | null {
  if (fileIdsMap === undefined && notes.length === 0 && hostedTools.length === 0 && unstoredParts.length === 0)
    return null
  return {
    input,
    notes,
    fileIdsMap: fileIdsMap ?? null,
    hostedTools: [...hostedTools],
    unstoredParts: [...unstoredParts],
  }
}

/** Writes the messages of a run to its thread: from the first one that differs from what is there. */
class ThreadSaver {
  readonly #log: StoredLog
  #saved: readonly StoredMessage[]

  constructor(log: StoredLog, saved: readonly StoredMessage[]) {
    this.#log = log
    this.#saved = saved
  }

  toChange(messages: readonly StoredMessage[]): NonNullable<LogChange['messages']> {
    let from = 0
    while (from < messages.length && from < this.#saved.length && isSame(messages[from], this.#saved[from])) from++
    return { from, list: messages.slice(from) }
  }

  async save(messages: readonly StoredMessage[]): Promise<void> {
    const change = this.toChange(messages)
    if (change.list.length === 0 && messages.length === this.#saved.length) return
    await this.#log.write({ messages: change })
    this.#saved = messages
  }
}

const isSame = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b)
