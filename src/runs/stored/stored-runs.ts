/** Stored runs of one process: accepts them, works on them, follows and stops them. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import {
  AgencyError,
  eventsExpired,
  notFound,
  notRepeatable,
  runActive,
  runEnded,
  secretsNeedWorker,
  shuttingDown,
} from '../../base/errors.ts'
import type { ServerLog } from '../../base/log.ts'
import { latestTraceId } from '../../messages/items.ts'
import { type AgencyRequest, RequestInvalid } from '../../wire/requests.ts'
import { valueError } from '../../wire/validation.ts'
import { namesFiles } from '../attach-files.ts'
import { checkEditedArguments } from '../loop/approvals.ts'
import type {
  Admitted,
  ClaimedRun,
  ClaimRequest,
  Job,
  NewRun,
  Owned,
  Ready,
  RunId,
  RunRecord,
  RunStore,
  Written,
} from '../run-store.ts'
import type { WebhookRecord } from '../webhooks/records.ts'
import { type SenderOptions, WebhookSender } from '../webhooks/sender.ts'
import { type Attempt, type AttemptOptions, startAttempt } from './attempt.ts'
import { boundStore } from './bounded-store.ts'
import { createDecoder, createEncoder, type NumberedEvent } from './events.ts'
import type { StoredLog } from './log.ts'
import { type StoredOrder, splitOrder } from './order.ts'
import type { CancelStoredRun, DecideApproval, RetryStoredRun, StartStoredRun, StoredRuns } from './service.ts'
import type { Kept } from './stored-plan.ts'
import { describeStop } from './unworked.ts'

export interface StoredRunsOptions
  extends Omit<AttemptOptions, 'worker' | 'kept' | 'leaving' | 'closing' | 'onApproval'> {
  /** False: accept and show runs, and leave the work to other processes. */
  work: boolean
  log: ServerLog
  webhooks: Pick<SenderOptions, 'endpoints' | 'trustedOrigins' | 'random' | 'onAttempt'>
}

/** How often jobs are looked for that nobody announced, in milliseconds: runs of a store that was away, and of the dead. */
const LOOK_MS = 1_000
/** How often what is past its time is removed, in milliseconds. */
const SWEEP_MS = 60_000
/** The shortest time between two sweeps. */
const MIN_SWEEP_MS = 5

export class LocalStoredRuns implements StoredRuns {
  readonly store: RunStore
  readonly worker = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  readonly #options: StoredRunsOptions
  readonly #attempts = new Map<string, Attempt>()
  /** Claims that were asked for, to the end of their attempts. */
  readonly #claims = new Set<Promise<void>>()
  readonly #starting = new Set<string>()
  /** Runs that became claimable while they were being claimed, or were still on their way out of an attempt. */
  readonly #missed = new Set<string>()
  readonly #kept = new Map<string, Kept>()
  readonly #attemptOptions: AttemptOptions
  readonly #webhooks: WebhookSender
  readonly #stopped = new AbortController()
  #leaving = false
  /** Runs wait that there was no room for, or that the store could not give. */
  #backlog = false
  #lookTimer: NodeJS.Timeout | undefined
  #sweepTimer: NodeJS.Timeout | undefined
  /** When the next sweep is due. */
  #sweepAt = Number.POSITIVE_INFINITY

  constructor(options: StoredRunsOptions) {
    this.store = boundStore(options.store, options.limits, () => this.#lookSoon())
    this.#options = options
    this.#attemptOptions = {
      ...options,
      store: this.store,
      worker: this.worker,
      kept: this.#kept,
      leaving: () => this.#leaving,
      onApproval: (expiresAt) => this.#sweepBy(expiresAt),
      closing: this.#stopped.signal,
    }
    this.#webhooks = new WebhookSender({ ...options, ...options.webhooks, store: this.store })
  }

  /**
   * Takes up what earlier processes left, and begins to look after the store.
   * @throws STORE_IN_USE, STORE_UNAVAILABLE
   */
  async open(): Promise<void> {
    await this.store.read({ kind: 'jobs', limit: 1 })
    await this.#sweep()
    if (this.#options.work) await this.#look()
  }

  async start(request: StartStoredRun): Promise<Admitted> {
    const { runs, agencyOf } = this.#options
    if (this.#leaving) throw shuttingDown()
    const served = agencyOf(request.agency)
    if (served === undefined) throw notFound('run')
    const { request: body, thread } = request
    if (thread != null && served.keepsThreads)
      throw new RequestInvalid([
        valueError(['body', 'thread_id'], 'this agency keeps its own conversations', thread.threadId),
      ])
    if (saysNothing(body))
      throw new RequestInvalid([valueError(['body', 'message'], 'message cannot be empty', body.message)])
    const recipient = body.recipient_agent ?? (served.preview.entryPoints[0] as { name: string }).name
    const models = await runs.models.of(body.client_config)
    models.model(served.preview.role(recipient).agent.model, recipient)
    const runId = randomUUID()
    const webhooks = await this.#webhooks.targets(runId, request.webhook)
    const conversationId = latestTraceId(body.chat_history) ?? `trace_${randomUUID().replaceAll('-', '')}`
    const parent = request.traceContext
    const acceptance = runs.telemetry?.accept?.({ runId, agency: request.agency, conversationId, parent })
    const traceContext = acceptance?.traceContext ?? parent
    try {
      const admitted = await this.#admit({ ...request, traceContext }, { runId, recipient, webhooks, conversationId })
      acceptance?.end()
      if (request.startAt != null) this.#sweepBy(request.startAt)
      this.#begin(admitted)
      await this.#stopInterrupted(request).catch(() => {}) // its next write says so, too
      return admitted
    } catch (error) {
      const { name, message } = error as Error
      acceptance?.end({ type: AgencyError.isInstance(error) ? error.code : name, message })
      throw error
    }
  }

  async #admit(
    request: StartStoredRun,
    ids: Pick<NewRun, 'runId' | 'recipient' | 'webhooks'> & { conversationId: string },
  ): Promise<Admitted> {
    const { runs, now, limits, work, seal } = this.#options
    const { conversationId: traceId, ...known } = ids
    const { runId } = known
    const { plan, secrets } = splitOrder(request, {
      server: { maxTurns: runs.limits.maxTurns, maxCost: runs.maxCost },
      traceId,
    })
    const pinned = secrets !== undefined && seal === undefined
    if (pinned && !work) throw secretsNeedWorker()
    if (pinned) this.#kept.set(runId, { clientConfig: secrets })
    const { agency, owner, metadata, alias, thread, startAt, schedule, idempotency } = request
    try {
      const admitted = await this.store.admit({
        ...known,
        agency,
        owner,
        now: now(),
        plan,
        sealed: secrets !== undefined && seal !== undefined ? seal.close(runId, secrets) : null,
        metadata,
        alias: alias ?? null,
        thread: thread ?? null,
        startAt: startAt ?? null,
        schedule: schedule ?? null,
        recoverable: !pinned,
        pin: pinned ? this.worker : null,
        idempotency: idempotency ?? null,
        events: [createEncoder()({ kind: 'started', runId, notes: [] }, undefined)],
        describeStop,
        limits,
      })
      if (admitted.run.runId !== runId) this.#kept.delete(runId)
      return admitted
    } catch (error) {
      this.#kept.delete(runId)
      throw error
    }
  }

  async cancel({ waitMs, mode, idempotency, ...id }: CancelStoredRun) {
    const { now } = this.#options
    const cancelled = await this.store.write({
      kind: 'cancel',
      ...id,
      mode,
      now: now(),
      idempotency: idempotency ?? null,
      describeStop,
    })
    this.#begin(cancelled)
    this.#attempts.get(id.runId)?.stop(mode)
    const run = await this.wait(id, waitMs, this.#stopped.signal, (record) => record.endedAt !== null)
    if (run.endedAt !== null && run.status !== 'cancelled') throw runEnded(run.status)
    return { run, settled: run.endedAt !== null, replayed: cancelled.replayed }
  }

  async decide({ decision, idempotency, approvalId, ...id }: DecideApproval): Promise<Admitted> {
    const { now } = this.#options
    if (decision.kind === 'approve' && decision.arguments !== undefined)
      await this.#checkArguments(id, approvalId, decision.arguments)
    const admitted = await this.store.write({
      kind: 'decide',
      ...id,
      approvalId,
      decision,
      now: now(),
      idempotency: idempotency ?? null,
    })
    this.#begin(admitted)
    return admitted
  }

  async retry({ agency, owner, runId, ...rest }: RetryStoredRun): Promise<Admitted> {
    const id = { agency, owner, runId }
    const run = await this.store.read({ kind: 'run', ...id })
    if (run.endedAt === null) throw runActive('repeated', runId)
    const { plan } = await this.store.read({ kind: 'work', ...id })
    if (plan.request === undefined) throw eventsExpired()
    const { request, maxTurns, maxCost, hadSecrets } = plan as unknown as StoredOrder
    if (hadSecrets) throw notRepeatable()
    const { threadId, metadata } = run
    const thread = threadId === null ? null : { threadId, ifNotExists: 'create' as const, strategy: 'enqueue' as const }
    return this.start({ agency, owner, request, thread, maxTurns, maxCost, metadata, ...rest })
  }

  async redrive(request: Owned & { webhookId: string }): Promise<WebhookRecord> {
    const webhook = await this.store.write({ kind: 'redriveWebhook', ...request, now: this.#options.now() })
    this.#webhooks.look()
    return webhook
  }

  /** @throws INVALID_REQUEST for arguments that the tool does not take, MCP_FAILED */
  async #checkArguments(id: RunId, approvalId: string, args: { [name: string]: unknown }): Promise<void> {
    const served = this.#options.agencyOf(id.agency)
    const approval = await this.store.read({ kind: 'approval', ...id, approvalId })
    const decidable = approval.status === 'pending' && approval.expiresAt > this.#options.now()
    if (served === undefined || !decidable) return // the store refuses the decision
    const details = await checkEditedArguments(served.preview, approval, args, this.#stopped.signal)
    if (details.length > 0) throw new RequestInvalid(details)
  }

  /** Starts what a write has made due. */
  #begin({ ready, hasWebhooks }: Ready): void {
    if (hasWebhooks) this.#webhooks.look()
    if (!this.#options.work) return
    for (const runId of ready) this.#claim({ runId })
  }

  async wait(
    id: RunId,
    ms: number,
    signal: AbortSignal,
    isOver = ({ status, endedAt }: RunRecord) => endedAt !== null || status === 'requires_action',
  ): Promise<RunRecord> {
    const record = await this.store.read({ kind: 'run', ...id })
    if (ms === 0 || isOver(record)) return record
    const timeout = AbortSignal.any([signal, this.#stopped.signal, AbortSignal.timeout(ms)])
    for await (const { state } of this.store.watch({ ...id, after: Number.POSITIVE_INFINITY, signal: timeout }))
      if (isOver({ ...record, ...state, endedAt: isLive(state.status) ? null : 0 })) break
    return this.store.read({ kind: 'run', ...id })
  }

  async *follow(id: RunId, after: number, signal: AbortSignal): AsyncGenerator<readonly NumberedEvent[]> {
    const until = AbortSignal.any([signal, this.#stopped.signal])
    const decode = createDecoder()
    let last = after
    while (!until.aborted) {
      const log = this.#logOf(id)
      const recent = log?.after(last)
      if (log === undefined || recent === undefined) {
        // Not in the memory of this process: from the store, until the run ends or an attempt begins here.
        const { events, state } = await this.store.read({ kind: 'events', ...id, after: last, limit: 500 })
        const decoded = await decode(events)
        last = decoded.at(-1)?.number ?? last
        if (decoded.length > 0) yield decoded
        if (!isLive(state.status) && last >= state.lastEventId) return
        if (decoded.length === 0) await this.#nextNews(id, last, until)
      } else if (recent.length > 0) {
        const newest = recent.at(-1) as NumberedEvent
        last = newest.number
        yield recent
        if (newest.event.kind === 'closed') return
      } else await log.next(until)
    }
  }

  /** The log of a run of that owner which is worked on here. */
  #logOf({ agency, owner, runId }: RunId): StoredLog | undefined {
    const attempt = this.#attempts.get(runId)
    return attempt?.agency === agency && attempt.owner === owner ? attempt.log : undefined
  }

  async *replay({ agency, owner, runId }: RunId, upTo: number): AsyncGenerator<readonly NumberedEvent[]> {
    const decode = createDecoder()
    for (let last = 0; last < upTo; ) {
      const limit = Math.min(500, upTo - last)
      const { events } = await this.store.read({ kind: 'events', agency, owner, runId, after: last, limit })
      if (events.length === 0) return
      last = events.at(-1)?.number ?? last
      yield await decode(events)
    }
  }

  /** Resolves when the store has more of a run than the events up to `after`, or the run is worked on here. */
  async #nextNews(id: RunId, after: number, signal: AbortSignal): Promise<void> {
    const enough = new AbortController()
    const news = this.store.watch({ ...id, after, signal: AbortSignal.any([signal, enough.signal]) })
    let first = true
    for await (const { events, state } of news) {
      if (events.length > 0 || !isLive(state.status) || (!first && this.#attempts.has(id.runId))) break
      first = false
    }
    enough.abort()
  }

  /** Takes a run and works on it until it ends, pauses or leaves. */
  #claim(request: Omit<ClaimRequest, 'worker' | 'now'>): void {
    const { runId } = request
    if (this.#leaving) return
    if (this.#attempts.has(runId) || this.#starting.has(runId)) {
      this.#missed.add(runId)
      return
    }
    if (!this.#hasRoom()) {
      this.#waitForRoom()
      return
    }
    this.#starting.add(runId)
    const claim = this.#work(request).finally(() => {
      this.#claims.delete(claim)
      this.#starting.delete(runId)
      if (this.#missed.delete(runId)) this.#claim({ runId })
      if (this.#backlog && this.#hasRoom()) void this.#look()
    })
    this.#claims.add(claim)
  }

  /** Never rejects. */
  async #work({ runId, ...request }: Omit<ClaimRequest, 'worker' | 'now'>): Promise<void> {
    try {
      const claimed = await this.store.claim({ runId, ...request, worker: this.worker, now: this.#options.now() })
      if (claimed === undefined) return
      this.#noteClaim(claimed)
      const attempt = startAttempt(this.#attemptOptions, claimed)
      this.#attempts.set(runId, attempt)
      this.#starting.delete(runId)
      const written = await attempt.done
      this.#attempts.delete(runId)
      this.#afterLeaving(runId, written)
    } catch (error) {
      this.#options.log.error('A stored run could not be taken up; it is tried again.', error, undefined, { runId })
      this.#lookSoon()
    }
  }

  #noteClaim({ run: { agency }, claim, takenOver, lostMs }: ClaimedRun): void {
    const cause = lostMs !== null ? 'crash' : takenOver ? 'hand_over' : claim.fence > 1 ? 'resume' : 'start'
    this.#options.runs.telemetry?.note?.({ kind: 'claimed', agency, cause, lostMs })
  }

  #afterLeaving(runId: string, written: Written | undefined): void {
    // Lost, or given back because this process is busy: it is taken up when others had their turn.
    if (written === undefined || written.state.status === 'in_progress') {
      this.#lookSoon()
      return
    }
    if (!isLive(written.state.status)) this.#kept.delete(runId)
    this.#begin(written)
  }

  #hasRoom(): boolean {
    const { runs, limits } = this.#options
    return runs.runner.size + this.#starting.size < limits.concurrentRuns
  }

  /** Runs wait that there is no room for: requests of other endpoints take it, too, and say nothing when they end. */
  #waitForRoom(): void {
    this.#backlog = true
    this.#lookSoon()
  }

  /** A run that was admitted with `interrupt` or `rollback` stops the one that lives in its thread. */
  async #stopInterrupted({ agency, owner, thread }: StartStoredRun): Promise<void> {
    if (thread?.strategy !== 'interrupt' && thread?.strategy !== 'rollback') return
    const { activeRunId: runId } = await this.store.read({ kind: 'thread', agency, owner, threadId: thread.threadId })
    const attempt = runId === null ? undefined : this.#attempts.get(runId)
    if (runId === null || attempt === undefined) return
    const { wish } = await this.store.read({ kind: 'run', agency, owner, runId })
    if (wish !== null) attempt.stop(wish)
  }

  /**
   * Claims what nobody works on: queued runs, and runs whose worker is gone. The store of one machine serves one process, so
   * every other worker is gone.
   */
  async #look(): Promise<void> {
    this.#backlog = false
    try {
      let after: string | null = null
      do {
        const page: { data: Job[]; next: string | null } = await this.store.read({ kind: 'jobs', limit: 200, after })
        for (const job of page.data) await this.#take(job)
        after = page.next
      } while (after !== null && !this.#backlog)
    } catch (error) {
      this.#options.log.error('Stored runs could not be looked up; it is tried again.', error)
      this.#lookSoon()
    }
  }

  /** @throws STORE_UNAVAILABLE */
  async #take({ runId, attempt, status, fence, worker, pin }: Job): Promise<void> {
    if (this.#attempts.has(runId) || this.#starting.has(runId)) return
    const lost = pin !== null && pin !== this.worker ? { ignorePin: true } : {}
    if (status === 'queued') return this.#claim({ runId, ...lost })
    if (worker !== this.worker) return this.#claim({ runId, deadFence: fence, ...lost })
    // This process had it and let go while the store was away: that is no crash.
    const claim = { runId, attempt, fence }
    await this.store.write({ kind: 'run', claim, now: this.#options.now(), leave: { kind: 'release' } })
    this.#claim({ runId })
  }

  #lookSoon(): void {
    if (this.#leaving || !this.#options.work) return
    this.#lookTimer ??= setTimeout(() => {
      this.#lookTimer = undefined
      void this.#look()
    }, LOOK_MS).unref()
  }

  async #sweep(): Promise<void> {
    const { now, limits } = this.#options
    this.#sweepAt = Number.POSITIVE_INFINITY
    this.#sweepBy(now() + SWEEP_MS)
    try {
      let more = true
      while (more && !this.#leaving) {
        const answer = await this.store.write({
          kind: 'sweep',
          now: now(),
          eventsMs: limits.runEventsMs,
          runsMs: limits.runsKeptMs,
        })
        this.#begin(answer)
        more = answer.more
        if (!more && answer.nextAt !== null) this.#sweepBy(answer.nextAt)
        if (!more && answer.nextWebhookAt !== null) this.#webhooks.lookBy(answer.nextWebhookAt)
      }
    } catch (error) {
      this.#options.log.error('The store could not be swept; it is tried again.', error)
    }
  }

  /** Sweeps at that time at the latest. */
  #sweepBy(time: number): void {
    if (this.#leaving || time >= this.#sweepAt) return
    clearTimeout(this.#sweepTimer)
    this.#sweepAt = time
    const wait = Math.max(MIN_SWEEP_MS, Math.min(time - this.#options.now(), SWEEP_MS))
    this.#sweepTimer = setTimeout(() => void this.#sweep(), wait).unref()
  }

  /**
   * Lets the runs of this process leave it: they stop at their next turn boundary, and others take them up. The runner ends
   * those that have not left after `limits.drainMs`; they are taken up at their last turn boundary.
   */
  leave(): void {
    this.#leaving = true
    clearTimeout(this.#lookTimer)
    clearTimeout(this.#sweepTimer)
  }

  /** Ends the streams of readers, without their end: they come back with their last id. Waits for the last writes. */
  async close(): Promise<void> {
    this.leave()
    this.#stopped.abort()
    await Promise.all(this.#claims)
    await this.#webhooks.close()
    await this.store.close()
  }
}

/** A blank text without files is nothing to answer. */
const saysNothing = ({ message, file_ids: fileIds, file_urls: fileUrls }: AgencyRequest) =>
  typeof message === 'string' && message.trim() === '' && !namesFiles({ fileIds, fileUrls })

const isLive = (status: string) => status === 'queued' || status === 'in_progress' || status === 'requires_action'
