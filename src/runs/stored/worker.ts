/** The runs that one process works on: which it takes, and what becomes of them when they leave. */

import type { ServerLog } from '../../base/log.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import type { ClaimedRun, ClaimRequest, Job, QueueWorker, Ready, RunId, Written } from '../run-store.ts'
import { type Attempt, type AttemptOptions, startAttempt } from './attempt.ts'
import type { StoredLog } from './log.ts'
import { whileAway } from './while-away.ts'
import { followWishes } from './wishes.ts'

export type WorkerOptions = AttemptOptions & {
  log: ServerLog
  /** Called with what the end of an attempt has made due. */
  onReady(ready: Ready): void
}

type Wanted = Omit<ClaimRequest, 'worker' | 'now'>

/** How often jobs are looked for that nobody announced, in milliseconds: runs of a store that was away, and of the dead. */
const LOOK_MS = 1_000

/**
 * In a store of its own, a process claims what it finds. In a shared one it works on what the queue gives it: the queue knows
 * which processes live.
 */
export class RunWorker implements QueueWorker {
  readonly name: string
  readonly runMs: number
  readonly #options: WorkerOptions
  readonly #attempts = new Map<string, Attempt>()
  /** By run, what was begun with a claim, to the end of its attempt. */
  readonly #working = new Map<string, Promise<unknown>>()
  /** By run, the claim and the start of its attempt, while they are on their way. */
  readonly #starting = new Map<string, Promise<unknown>>()
  /** Runs that became claimable while they were being claimed, or were still on their way out of an attempt. */
  readonly #missed = new Set<string>()
  #leaving = false
  /** Runs wait that there was no room for, or that the store could not give. */
  #backlog = false
  #lookTimer: NodeJS.Timeout | undefined

  constructor(options: WorkerOptions) {
    this.name = options.worker
    this.runMs = options.limits.runMs
    this.#options = options
  }

  /** Takes up what earlier processes left. @throws STORE_UNAVAILABLE from a shared store */
  async open(): Promise<void> {
    const { queue } = this.#options.store
    if (queue === undefined) await this.#look()
    else await queue.serve(this)
  }

  attemptOf(runId: string): Attempt | undefined {
    return this.#attempts.get(runId)
  }

  /** Waits for the start of an attempt that is on its way; never rejects. */
  async claimed(runId: string): Promise<void> {
    await this.#starting.get(runId)?.catch(() => {})
  }

  /** The log of a run of that owner which is worked on here. */
  logOf({ agency, owner, runId }: RunId): StoredLog | undefined {
    const attempt = this.#attempts.get(runId)
    return attempt?.agency === agency && attempt.owner === owner ? attempt.log : undefined
  }

  /** Says that these runs are claimable. */
  wake(ready: readonly string[]): void {
    const { queue } = this.#options.store
    if (queue === undefined) for (const runId of ready) this.#take({ runId })
    else if (ready.length > 0) queue.wake()
  }

  room(): number {
    const { runs, limits } = this.#options
    const resting = this.#options.store.queue !== undefined && this.#lookTimer !== undefined
    return resting ? 0 : limits.concurrentRuns - runs.runner.size - this.#starting.size
  }

  /** Takes the run of a job that the queue gave to this process. */
  async work(job: Job): Promise<void> {
    const { runId } = job
    const before = this.#working.get(runId)
    await before // on its way out, or the queue took its worker for dead
    if (this.#leaving) throw shuttingDown()
    const wanted = before === undefined ? this.#toClaim(job) : { runId }
    if (wanted === undefined) return this.#release(job)
    const work = this.#claim(wanted)
    this.#working.set(runId, work)
    await work.finally(() => this.#working.delete(runId))
  }

  /** Takes a run and works on it until it ends, pauses or leaves. */
  #take(wanted: Wanted): void {
    const { runId } = wanted
    if (this.#leaving) return
    if (this.#working.has(runId)) {
      this.#missed.add(runId)
      return
    }
    if (this.room() <= 0) {
      this.#backlog = true // requests of other endpoints take room, too, and say nothing when they end
      this.lookSoon()
      return
    }
    const work = this.#claim(wanted)
      .catch((error) => {
        this.#options.log.error('A stored run could not be taken up; it is tried again.', error, undefined, { runId })
        this.lookSoon()
      })
      .finally(() => {
        this.#working.delete(runId)
        if (this.#missed.delete(runId)) this.#take({ runId })
        if (this.#backlog && this.room() > 0) void this.#look()
      })
    this.#working.set(runId, work)
  }

  /** @throws STORE_UNAVAILABLE when it is not known whether the run has left this process */
  async #claim(wanted: Wanted): Promise<void> {
    const { runId } = wanted
    const starting = this.#start(wanted)
    this.#starting.set(runId, starting)
    const started = await starting.finally(() => this.#starting.delete(runId))
    if (started === undefined) return
    const written = await started.attempt.done
    started.stopFollowing?.()
    this.#attempts.delete(runId)
    if (written === undefined && this.#options.store.queue !== undefined) return this.#letGo(started.claim)
    this.#afterLeaving(runId, written)
  }

  /** Claims a run and starts its attempt. @throws what `#claim` throws */
  async #start(wanted: Wanted) {
    const { store, now } = this.#options
    const claimed = await store.claim({ ...wanted, worker: this.name, now: now() })
    if (claimed === undefined) return undefined
    this.#noteClaim(claimed)
    const attempt = startAttempt(this.#options, claimed)
    this.#attempts.set(attempt.runId, attempt)
    return {
      attempt,
      claim: claimed.claim,
      stopFollowing: store.shared === true ? followWishes(store, attempt) : undefined,
    }
  }

  #noteClaim({ run: { agency }, claim, takenOver, lostMs }: ClaimedRun): void {
    const cause = lostMs !== null ? 'crash' : takenOver ? 'hand_over' : claim.fence > 1 ? 'resume' : 'start'
    this.#options.runs.telemetry?.note?.({ kind: 'claimed', agency, cause, lostMs })
  }

  #afterLeaving(runId: string, written: Written | undefined): void {
    // Lost, or given back because this process is busy: it is taken up when others had their turn.
    if (written === undefined || written.state.status === 'in_progress') {
      this.lookSoon()
      return
    }
    if (!isLive(written.state.status)) this.#options.kept.delete(runId)
    this.#options.onReady(written)
  }

  /** Gives up a run that this process could not write; others find it when the store is back. */
  async #letGo(claim: { runId: string; attempt: number; fence: number }): Promise<void> {
    const { store, now, limits, closing } = this.#options
    const release = () => store.write({ kind: 'run', claim, now: now(), leave: { kind: 'release' } })
    await whileAway(release, { storeMs: limits.storeMs, closing }).catch((error) => {
      if (error.code !== 'FENCED') throw error // somebody else has it
    })
  }

  async #release({ runId, attempt, fence }: Job): Promise<void> {
    await this.#letGo({ runId, attempt, fence })
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
        const page: { data: Job[]; next: string | null } = await this.#options.store.read({
          kind: 'jobs',
          limit: 200,
          after,
        })
        for (const job of page.data) await this.#takeJob(job)
        after = page.next
      } while (after !== null && !this.#backlog)
    } catch (error) {
      this.#options.log.error('Stored runs could not be looked up; it is tried again.', error)
      this.lookSoon()
    }
  }

  /** @throws STORE_UNAVAILABLE */
  async #takeJob(job: Job): Promise<void> {
    if (this.#working.has(job.runId)) return
    const wanted = this.#toClaim(job)
    if (wanted === undefined) await this.#release(job)
    this.#take(wanted ?? { runId: job.runId })
  }

  /** How a run is claimed; undefined for one that this process let go while the store was away, which does not count as a crash. */
  #toClaim({ runId, status, fence, worker, pin }: Job): Wanted | undefined {
    const lost = pin !== null && pin !== this.name ? { ignorePin: true } : {}
    if (status === 'queued' || worker === null) return { runId, ...lost }
    return worker === this.name ? undefined : { runId, deadFence: fence, ...lost }
  }

  /** Looks again in a moment. */
  lookSoon(): void {
    if (this.#leaving) return
    this.#lookTimer ??= setTimeout(() => {
      this.#lookTimer = undefined
      const { queue } = this.#options.store
      if (queue === undefined) void this.#look()
      else queue.wake()
    }, LOOK_MS).unref()
  }

  /** Takes no more runs; those that it has leave at their next turn boundary. */
  leave(): void {
    this.#leaving = true
    clearTimeout(this.#lookTimer)
    this.#options.store.queue?.stop()
    for (const attempt of this.#attempts.values()) attempt.wake()
  }

  /** Waits for the end of all attempts. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#working.values())
  }
}

const isLive = (status: string) => status === 'queued' || status === 'in_progress' || status === 'requires_action'
