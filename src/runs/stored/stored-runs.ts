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
} from '../../base/errors.ts'
import type { ServerLog } from '../../base/log.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { latestTraceId } from '../../messages/items.ts'
import { type AgencyRequest, RequestInvalid } from '../../wire/requests.ts'
import { valueError } from '../../wire/validation.ts'
import { namesFiles } from '../attach-files.ts'
import { checkEditedArguments } from '../loop/approvals.ts'
import type { Admitted, NewRun, Owned, Reads, Ready, RunId, RunRecord, RunStore } from '../run-store.ts'
import { ownerKey } from '../start.ts'
import type { WebhookRecord } from '../webhooks/records.ts'
import { type SenderOptions, WebhookSender } from '../webhooks/sender.ts'
import type { AttemptOptions } from './attempt.ts'
import { boundStore } from './bounded-store.ts'
import { createFindBranch } from './branches.ts'
import { createEncoder, type NumberedEvent, startedEvent } from './events.ts'
import { RunFollower } from './follower.ts'
import { type StoredOrder, splitOrder } from './order.ts'
import { RunReaders } from './readers.ts'
import type {
  CancelStoredRun,
  ContinueStoredRun,
  DecideApproval,
  PauseStoredRun,
  RetryStoredRun,
  StartStoredRun,
  SteerStoredRun,
  StoredRuns,
} from './service.ts'
import type { Kept } from './stored-plan.ts'
import { describeStop } from './unworked.ts'
import { RunWorker } from './worker.ts'

export interface StoredRunsOptions
  extends Omit<AttemptOptions, 'worker' | 'kept' | 'leaving' | 'closing' | 'onApproval'> {
  /** False: accept and show runs, and leave the work to other processes. */
  work: boolean
  log: ServerLog
  webhooks: Pick<SenderOptions, 'endpoints' | 'trustedOrigins' | 'random' | 'onAttempt'>
}

/** How often what is past its time is removed, in milliseconds. */
const SWEEP_MS = 60_000
/** The shortest time between two sweeps. */
const MIN_SWEEP_MS = 5

export class LocalStoredRuns implements StoredRuns {
  readonly store: RunStore
  readonly readers: RunReaders
  readonly #name = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
  readonly #options: StoredRunsOptions
  readonly #worker: RunWorker
  readonly #kept = new Map<string, Kept>()
  readonly #webhooks: WebhookSender
  /** Aborts when the process no longer waits for a store that is away. */
  readonly #closing = new AbortController()
  readonly #follower: RunFollower
  #leaving = false
  #sweepTimer: NodeJS.Timeout | undefined
  /** When the next sweep is due. */
  #sweepAt = Number.POSITIVE_INFINITY

  constructor(options: StoredRunsOptions) {
    this.store = boundStore(options.store, options.limits, () => options.work && this.#worker.lookSoon())
    this.#options = options
    this.readers = new RunReaders({
      cancel: (id) => this.#cancelUnread(id),
      stopping: () => this.#leaving,
      shared: this.store.readers,
    })
    this.#worker = new RunWorker({
      ...options,
      store: this.store,
      worker: this.#name,
      kept: this.#kept,
      leaving: () => this.#leaving,
      onApproval: (expiresAt) => this.#sweepBy(expiresAt),
      closing: this.#closing.signal,
      onReady: (ready) => this.#begin(ready),
    })
    this.#follower = new RunFollower(this.store, this.#worker)
    this.#webhooks = new WebhookSender({ ...options, ...options.webhooks, store: this.store })
  }

  /**
   * Takes up what earlier processes left, and begins to look after the store.
   * @throws STORE_IN_USE, STORE_UNAVAILABLE, PACKAGE_MISSING
   */
  async open(): Promise<void> {
    const { log } = this.#options
    this.store.onTrouble?.((message, error) => log.error(message, error))
    await this.store.read({ kind: 'jobs', limit: 1 })
    await this.#sweep()
    if (this.store.shared !== true) await this.#expectReaders()
    this.store.readers?.open({
      returnMs: this.#options.limits.readerReturnMs,
      onUnread: (id) => this.#cancelUnread(id),
    })
    if (this.#options.work) await this.#worker.open()
  }

  #cancelUnread(id: RunId): void {
    void this.cancel({ ...id, mode: 'immediate', waitMs: 0 }).catch(() => {}) // it may have ended
  }

  /** The store of one machine serves one process: who read before has lost the connection with the process before. */
  async #expectReaders(): Promise<void> {
    const { readerReturnMs } = this.#options.limits
    let after: string | null = null
    do {
      const page: Reads['unread']['answer'] = await this.store.read({ kind: 'unread', limit: 200, after })
      for (const { unreadMs, ...id } of page.data) this.readers.expect(id, unreadMs, Math.max(unreadMs, readerReturnMs))
      after = page.next
    } while (after !== null)
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
        unreadMs: request.unreadMs ?? null,
        pin: pinned ? this.#name : null,
        idempotency: idempotency ?? null,
        events: [createEncoder()(startedEvent(runId), undefined)],
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
    this.#worker.attemptOf(id.runId)?.stop(mode)
    const run = await this.#follower.wait(id, waitMs, this.#follower.stopped, (record) => record.endedAt !== null)
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

  async steer({ agent, callId, text, idempotency, ...id }: SteerStoredRun) {
    const { now, limits } = this.#options
    const { run, ...accepted } = await this.store.write({
      kind: 'steer',
      ...id,
      steerId: randomUUID(),
      findBranch: createFindBranch({ agent, callId }),
      text,
      now: now(),
      limits,
      idempotency: idempotency ?? null,
    })
    await this.#worker.attemptOf(id.runId)?.learn(run)
    return accepted
  }

  async pause({ agent, callId, ms, idempotency, ...id }: PauseStoredRun): Promise<Admitted> {
    const now = this.#options.now()
    const findBranch = createFindBranch({ agent, callId })
    const change = { ...id, findBranch, until: now + ms, now, idempotency: idempotency ?? null }
    const admitted = await this.store.write({ kind: 'pause', ...change })
    void this.#worker.attemptOf(id.runId)?.learn(admitted.run)
    return admitted
  }

  async continue({ agent, callId, idempotency, ...id }: ContinueStoredRun): Promise<Admitted> {
    const findBranch = createFindBranch({ agent, callId })
    const change = { ...id, findBranch, now: this.#options.now(), idempotency: idempotency ?? null }
    const admitted = await this.store.write({ kind: 'continue', ...change })
    void this.#worker.attemptOf(id.runId)?.learn(admitted.run)
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
    const details = await checkEditedArguments(served.preview, approval, args, {
      signal: this.#follower.stopped,
      logins: this.#options.runs.logins.of(ownerKey(id)),
    })
    if (details.length > 0) throw new RequestInvalid(details)
  }

  /** Starts what a write has made due. */
  #begin({ ready, hasWebhooks }: Ready): void {
    if (hasWebhooks) this.#webhooks.look()
    if (this.#options.work) this.#worker.wake(ready)
  }

  wait(id: RunId, ms: number, signal: AbortSignal): Promise<RunRecord> {
    return this.#follower.wait(id, ms, signal)
  }

  follow(id: RunId, after: number, signal: AbortSignal): AsyncIterable<readonly NumberedEvent[]> {
    return this.#follower.follow(id, after, signal)
  }

  replay(id: RunId, upTo: number): AsyncIterable<readonly NumberedEvent[]> {
    return this.#follower.replay(id, upTo)
  }

  /** A run that was admitted with `interrupt` or `rollback` stops the one that lives in its thread. */
  async #stopInterrupted({ agency, owner, thread }: StartStoredRun): Promise<void> {
    if (thread?.strategy !== 'interrupt' && thread?.strategy !== 'rollback') return
    const { activeRunId: runId } = await this.store.read({ kind: 'thread', agency, owner, threadId: thread.threadId })
    const attempt = runId === null ? undefined : this.#worker.attemptOf(runId)
    if (runId === null || attempt === undefined) return
    const { wish } = await this.store.read({ kind: 'run', agency, owner, runId })
    if (wish !== null) attempt.stop(wish)
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
    this.#worker.leave()
    clearTimeout(this.#sweepTimer)
  }

  /**
   * Waits for the last writes, then ends the streams of readers: those of runs that have ended have the end, the others come back
   * with their last id.
   */
  async close(): Promise<void> {
    this.leave()
    this.#closing.abort()
    await this.#worker.close()
    await this.#follower.stop()
    await this.#webhooks.close()
    await this.store.close()
  }
}

/** A blank text without files is nothing to answer. */
const saysNothing = ({ message, file_ids: fileIds, file_urls: fileUrls }: AgencyRequest) =>
  typeof message === 'string' && message.trim() === '' && !namesFiles({ fileIds, fileUrls })
