/** What persons ask of a run that is worked on here: read from the store, announced in events, given to the loop. */
import type { SteerOutcome } from '../loop/journal.ts'
import type { RunId, RunSnapshot, RunStore } from '../run-store.ts'
import type { BranchPause, SteerChange, SteerEvent, Steering, SteerRecord, WaitingSteer } from '../steering.ts'
import type { StoredLog } from './log.ts'

export interface RunSteeringOptions extends RunId {
  store: RunStore
  log: Pick<StoredLog, 'append' | 'write'>
  now: () => number
  /** True once the run shall stop, or leave this process: no branch is held then. */
  goingOn(): boolean
}

export class RunSteering implements Steering {
  readonly #options: RunSteeringOptions
  /** Messages that were accepted, as far as this attempt knows. */
  #known = 0
  #reading: Promise<void> = Promise.resolve()
  readonly #seen = new Set<string>()
  #waiting: SteerRecord[] = []
  #pauses: readonly BranchPause[] = []
  /** Of the newest state that is known: they may arrive in another order. */
  #version = 0
  #changed = Promise.withResolvers<void>()

  constructor(options: RunSteeringOptions) {
    this.#options = options
  }

  /** Learns what a state of the run says. Resolves when new messages have been read. */
  learn({ steers, pauses, version }: Pick<RunSnapshot, 'steers' | 'pauses' | 'version'>): Promise<void> {
    if (version > this.#version) {
      this.#version = version
      this.#pauses = pauses
      this.wake()
    }
    if (steers > this.#known) {
      this.#known = steers
      this.#reading = this.#reading.then(() => this.#read())
    }
    return this.#reading
  }

  /** Lets branches that are held look again whether they may go on. */
  wake(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }

  async #read(): Promise<void> {
    const { store, log, agency, owner, runId } = this.#options
    try {
      const rows = await store.read({ kind: 'steers', agency, owner, runId, status: 'waiting' })
      const fresh = rows.filter(({ steerId }) => !this.#seen.has(steerId))
      for (const { steerId } of fresh) this.#seen.add(steerId)
      this.#waiting.push(...fresh)
      const silent = fresh.filter(({ announced }) => !announced)
      if (silent.length === 0) return
      log.append(silent.map(({ text, ...steer }) => toEvent({ ...steer, status: 'accepted', text })))
      const steers = silent.map(({ steerId, agent }): SteerChange => ({ steerId, agent, status: 'waiting' }))
      void log.write({ steers }).catch(() => {}) // the next change of the run throws it
    } catch {
      this.#known = 0 // the store is away: the next state is looked at again
    }
  }

  async waitingFor(thread: string): Promise<readonly WaitingSteer[]> {
    await this.#reading
    return this.knownFor(thread)
  }

  knownFor(thread: string): readonly WaitingSteer[] {
    return this.#waiting.filter(({ conversation }) => conversation === thread)
  }

  /** Announces what became of messages, and gives what is written of them together with these events. */
  settle(outcomes: readonly SteerOutcome[]): SteerChange[] {
    const settled = new Map(outcomes.map((outcome) => [outcome.steerId, outcome]))
    const rows = this.#waiting.filter(({ steerId }) => settled.has(steerId))
    this.#waiting = this.#waiting.filter(({ steerId }) => !settled.has(steerId))
    return rows.map(({ steerId, callId, conversation }) => {
      const { status, agent, reason, text } = settled.get(steerId) as SteerOutcome
      const event = { steerId, conversation, callId, agent, status }
      this.#options.log.append([toEvent({ ...event, ...(status === 'taken' ? { text } : { reason: reason ?? null }) })])
      return { steerId, status, agent, reason: reason ?? null }
    })
  }

  /** The run ends: nothing that waits can be taken any more. */
  async settleAll(): Promise<SteerChange[]> {
    await this.#reading
    return this.settle(
      this.#waiting.map(({ steerId, text, conversation, agent }) => ({
        steerId,
        text,
        thread: conversation,
        agent,
        status: 'not_taken',
        reason: 'run_ended',
      })),
    )
  }

  hold(branch: Parameters<Steering['hold']>[0]): Promise<void> | undefined {
    return this.#pauseOf(branch.id) === undefined ? undefined : this.#hold(branch)
  }

  async #hold({ id, agent, callId }: Parameters<Steering['hold']>[0]): Promise<void> {
    const { log, now } = this.#options
    let pause = this.#pauseOf(id)
    let announced: number | undefined
    let end: 'asked' | 'expired' = 'asked'
    for (; pause !== undefined; pause = this.#pauseOf(id)) {
      const { expiresAt } = pause
      if (announced !== expiresAt)
        log.append([{ kind: 'branch', state: 'paused', conversation: id, agent, callId, expiresAt }])
      announced = expiresAt
      end = (await this.#change(expiresAt - now())) === 'changed' ? 'asked' : 'expired'
    }
    if (!this.#options.goingOn()) return // it stops, or waits on where the run is taken up
    log.append([{ kind: 'branch', state: 'continued', conversation: id, agent, callId, reason: end }])
  }

  /** The longest pause of a thread; undefined for none. */
  #pauseOf(thread: string): BranchPause | undefined {
    if (!this.#options.goingOn()) return undefined
    const now = this.#options.now()
    return this.#pauses
      .filter(({ conversation, expiresAt }) => expiresAt > now && (conversation ?? thread) === thread)
      .sort((a, b) => b.expiresAt - a.expiresAt)[0]
  }

  #change(ms: number): Promise<'changed' | 'expired'> {
    const { promise, resolve } = Promise.withResolvers<'expired'>()
    const timer = setTimeout(resolve, ms, 'expired')
    const changed = this.#changed.promise.then(() => 'changed' as const)
    return Promise.race([changed, promise]).finally(() => clearTimeout(timer))
  }
}

const toEvent = ({ conversation, steerId, callId, agent, ...rest }: Omit<SteerEvent, 'kind'>): SteerEvent => ({
  kind: 'steer',
  steerId,
  conversation,
  callId,
  agent,
  status: rest.status,
  ...(rest.text === undefined ? {} : { text: rest.text }),
  ...(rest.reason === undefined ? {} : { reason: rest.reason }),
})
