/** Starts runs at the times of schedules: each due time has one run, whatever the number of processes and restarts. */
import { AgencyError } from '../base/errors.ts'
import type { ServerLog } from '../base/log.ts'
import type { RunStore } from './run-store.ts'
import type { StartStoredRun, StoredRuns } from './stored/service.ts'

/** A schedule, ready to start runs. */
export interface Schedule {
  name: string
  /** The first due time after a time; null when there is none. */
  next(after: number): number | null
  /** The newest due time up to a time; null when there is none. */
  latest(until: number): number | null
  /** The run that it starts. */
  request: Omit<StartStoredRun, 'schedule' | 'idempotency'>
}

export interface SchedulerOptions {
  schedules: readonly Schedule[]
  store: RunStore
  start: StoredRuns['start']
  log: ServerLog
  now: () => number
}

/** The longest wait between two looks at the clock, which may be set, or stand still while a machine sleeps. */
const LOOK_MS = 60_000
/** How long a start that failed for a passing reason is put off. */
const RETRY_MS = 1_000
/** How long the key of a due time is kept. Processes try it at the same moment; later ones read how far the schedule has come. */
const KEY_MS = 24 * 3_600_000
/** Reasons that pass. */
const PASSING = new Set(['STORE_UNAVAILABLE', 'OVERLOADED', 'THREAD_QUEUE_FULL'])

export class Scheduler {
  readonly #options: SchedulerOptions
  /** When this process began: due times before it are no business of a new schedule. */
  readonly #since: number
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: SchedulerOptions) {
    this.#options = options
    this.#since = options.now()
  }

  /** Starts what was missed, at most one run a schedule, and waits for the next due time. Never rejects. */
  async look(): Promise<void> {
    clearTimeout(this.#timer)
    const waits = await Promise.all(this.#options.schedules.map((schedule) => this.#startDue(schedule)))
    if (this.#stopped) return
    this.#timer = setTimeout(() => void this.look(), Math.min(LOOK_MS, ...waits)).unref()
  }

  /** @returns milliseconds to the next look */
  async #startDue(schedule: Schedule): Promise<number> {
    const { store, now, log } = this.#options
    const { name, request } = schedule
    const { agency, owner } = request
    const advance = async (doneUntil?: number) =>
      store.write({
        kind: 'schedule',
        agency,
        owner,
        name,
        since: this.#since,
        ...(doneUntil === undefined ? {} : { doneUntil }),
      })
    const due = schedule.latest(now())
    try {
      const { doneUntil } = await advance()
      if (due !== null && due > doneUntil && !this.#stopped) await this.#start(schedule, due)
    } catch (error) {
      if (AgencyError.isInstance(error) && error.code === 'SHUTTING_DOWN') return LOOK_MS
      const passes = AgencyError.isInstance(error) && PASSING.has(error.code)
      log.error(`The schedule "${name}" could not start its run.${passes ? ' It is tried again.' : ''}`, error)
      if (passes) return RETRY_MS
      await advance(due ?? undefined).catch(() => {}) // then the next look reports it again
    }
    const next = schedule.next(now())
    return next === null ? LOOK_MS : Math.max(1, next - now())
  }

  async #start({ name, request }: Schedule, dueAt: number): Promise<void> {
    const due = new Date(dueAt).toISOString()
    await this.#options.start({
      ...request,
      metadata: { ...request.metadata, schedule: name, due_at: due },
      schedule: { name, dueAt },
      // A blank, so that no caller's key is the same.
      idempotency: { key: `schedule ${name} ${due}`, hash: '', expiresAt: this.#options.now() + KEY_MS },
    })
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
  }
}
