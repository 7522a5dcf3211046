/** Kills servers at random moments while they work on stored runs, and judges what callers, readers and tools saw. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CALLS, createCrashScript } from './crash-model.ts'
import { bundleCrashServer, type CrashServer, startCrashServer } from './crash-process.ts'
import { judgeRun, quantile, readEffects } from './drill-judge.ts'
import { createDatabase } from './postgres.ts'
import { createRandom } from './random.ts'
import { followRun, RunFold } from './run-reader.ts'
import { startUpstream } from './upstream.ts'

export interface DrillOptions {
  kills: number
  seed: number
  /** Stores side by side, each with servers of its own. */
  lanes: number
  /** Servers that work on one PostgreSQL database, beside one that shows; 0: one server on a SQLite file. */
  workers: number
  /** After this time, in milliseconds, no server is killed, once each lane had its least. */
  maxMs: number
}

export interface DrillReport {
  kills: number
  runs: number
  /** Attempts of all runs together. */
  attempts: number
  statuses: { [status: string]: number }
  calls: number
  /** Calls whose model was told that they may have taken effect. */
  told: number
  lost: string[]
  /** Calls without `safeToRetry` that took effect twice. */
  doubled: string[]
  /** Calls with `safeToRetry` that took effect twice. */
  repeated: number
  seams: number
  /** What readers saw that is wrong. */
  wrong: string[]
  /**
   * To the first frame of the next attempt, in milliseconds: from the first request that the next process takes, or, with
   * `workers`, from the kill.
   */
  recovery: { p50: number; p95: number }
}

interface DrillRun {
  job: string
  url: string
  present: Promise<RunFold>
  cut: Promise<RunFold>
}

const RUNS_AT_ONCE = 4
/** Kills of each lane, however slow the machine is. */
const LEAST_KILLS = 4
/** How long a server lives at most, as a share of the time that its start took: a slow machine gets more. */
const LIFE = 0.75
/** How long everything may take to end after the last kill. */
const END_MS = 120_000

export async function runDrill(options: DrillOptions): Promise<DrillReport> {
  const folder = mkdtempSync(join(tmpdir(), 'drill-'))
  const upstream = await startUpstream(createCrashScript({ deltas: 12, delayMs: 2 }))
  const databases: Awaited<ReturnType<typeof createDatabase>>[] = []
  const lanes: Lane[] = []
  try {
    const script = await bundleCrashServer(folder)
    for (let index = 0; index < options.lanes; index++) {
      const path = join(folder, `lane-${index}`)
      if (options.workers > 0) databases.push(await createDatabase())
      const store = databases[index]?.url ?? `${path}.db`
      lanes.push(new Lane({ path, store, script, baseURL: upstream.baseURL }, index, options))
    }
    await Promise.all(lanes.map((lane) => lane.work()))
    return summarize(lanes)
  } finally {
    await upstream.close()
    for (const { drop } of databases) await drop()
    rmSync(folder, { recursive: true, force: true })
  }
}

interface LaneParts {
  path: string
  store: string
  script: string
  baseURL: string
}

class Lane {
  readonly runs: DrillRun[] = []
  readonly recoveries: number[] = []
  readonly report = { told: 0, attempts: 0, statuses: {} as { [status: string]: number }, seams: 0 }
  readonly wrong: string[] = []
  kills = 0
  readonly effects: string
  readonly #script: string
  readonly #index: number
  readonly #env: Record<string, string>
  readonly #options: DrillOptions
  readonly #random: () => number
  #server: CrashServer | undefined
  #startedAt = 0

  constructor({ path, store, script, baseURL }: LaneParts, index: number, options: DrillOptions) {
    this.#script = script
    this.effects = `${path}.effects`
    this.#index = index
    this.#options = options
    this.#random = createRandom(options.seed + index)
    const limits = JSON.stringify({ attempts: 1_000_000 })
    this.#env = { STORE: store, SESSION_LOCK: 'true', EFFECTS: this.effects, OPENAI_BASE_URL: baseURL, LIMITS: limits }
  }

  async work(): Promise<void> {
    const { kills, lanes, maxMs, workers } = this.#options
    const until = performance.now() + maxMs
    const share = Math.floor(kills / lanes) + (this.#index < kills % lanes ? 1 : 0)
    const isOver = () => this.kills >= share || (performance.now() >= until && this.kills >= LEAST_KILLS)
    if (workers > 0) return this.#workShared(workers, isOver)
    try {
      while (!isOver()) {
        const startMs = await this.#start()
        const feeding = this.#feed()
        await sleep(this.#random() * LIFE * startMs)
        const server = this.#server
        this.#server = undefined
        await server?.kill()
        await feeding
        this.kills++
      }
      await this.#start()
      await this.#judgeAll()
    } finally {
      await this.#server?.kill()
    }
  }

  /** Kills one of several workers, starts another, and again; the server that readers ask stays. */
  async #workShared(count: number, isOver: () => boolean): Promise<void> {
    const workers: CrashServer[] = []
    try {
      const startMs = await this.#start({ WORK: 'false' })
      while (workers.length < count) workers.push(await startCrashServer(this.#script, this.#env))
      while (!isOver()) {
        await this.#feed()
        await sleep(this.#random() * LIFE * startMs)
        this.#startedAt = performance.now()
        await workers.splice(Math.floor(this.#random() * count), 1)[0]?.kill()
        this.kills++
        workers.push(await startCrashServer(this.#script, this.#env))
      }
      await this.#judgeAll()
    } finally {
      for (const server of [...workers, this.#server]) await server?.kill()
    }
  }

  /** Gives how long it took, in milliseconds. */
  async #start(env: Record<string, string> = {}): Promise<number> {
    const began = performance.now()
    this.#server = await startCrashServer(this.#script, { ...this.#env, ...env })
    this.#startedAt = performance.now()
    return this.#startedAt - began
  }

  /** Posts new runs up to what shall be at work. A run that the server did not accept does not count. */
  async #feed(): Promise<void> {
    const server = this.#server
    const live = await Promise.all(this.runs.slice(-RUNS_AT_ONCE).map(isOpen))
    for (let missing = RUNS_AT_ONCE - live.filter(Boolean).length; missing > 0; missing--) {
      const job = `job-${this.#index}${this.runs.length}`
      const key = `key-${job}`
      const answer = await postRun(`${server?.url}/team/runs`, job, key).catch(() => undefined)
      if (answer === undefined) return
      this.#follow(job, `/team/runs/${answer.run_id}`)
    }
  }

  #follow(job: string, path: string): void {
    const url = () => (this.#server === undefined ? undefined : `${this.#server.url}${path}`)
    const present = new RunFold()
    const cut = new RunFold()
    const onFrame = ({ event }: { event: string | undefined }) => {
      if (event === 'attempt') this.recoveries.push(performance.now() - this.#startedAt)
      return false
    }
    const isCut = () => {
      const now = this.#random() < 0.05
      if (now) this.report.seams++
      return now
    }
    this.runs.push({
      job,
      url: path,
      present: followRun({ url, fold: present, cut: onFrame }),
      cut: followRun({ url, fold: cut, cut: isCut }),
    })
  }

  async #judgeAll(): Promise<void> {
    for (const run of this.runs) await this.#judge(run).catch((error) => this.wrong.push(`${run.job}: ${error}`))
  }

  async #judge({ job, url: path, present, cut }: DrillRun): Promise<void> {
    const url = `${this.#server?.url}${path}`
    const folds = await Promise.race([Promise.all([present, cut]), sleep(END_MS, undefined, { ref: false })])
    if (folds === undefined) throw new Error('The run has not ended.')
    const verdict = await judgeRun(job, url, { present: folds[0], cut: folds[1] }, readEffects(this.effects))
    const { record, told, wrong, lost, doubled, repeated } = verdict
    this.report.attempts += record.attempt
    this.report.statuses[record.status] = (this.report.statuses[record.status] ?? 0) + 1
    this.report.told += told
    this.wrong.push(...wrong)
    this.lost.push(...lost)
    this.doubled.push(...doubled)
    this.repeated += repeated
  }

  readonly lost: string[] = []
  readonly doubled: string[] = []
  repeated = 0
}

const isOpen = async ({ present }: DrillRun) => (await Promise.race([present, undefined])) === undefined

async function postRun(url: string, job: string, key: string): Promise<{ run_id: string }> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': key },
    body: JSON.stringify({ message: `${job}, please` }),
  })
  if (answer.status !== 202) throw new Error(`POST /runs: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { run_id: string }
}

function summarize(lanes: readonly Lane[]): DrillReport {
  const sum = (pick: (lane: Lane) => number) => lanes.reduce((total, lane) => total + pick(lane), 0)
  const recoveries = lanes.flatMap(({ recoveries }) => recoveries)
  const statuses: { [status: string]: number } = {}
  for (const { report } of lanes)
    for (const [status, count] of Object.entries(report.statuses)) statuses[status] = (statuses[status] ?? 0) + count
  return {
    kills: sum(({ kills }) => kills),
    runs: sum(({ runs }) => runs.length),
    attempts: sum(({ report }) => report.attempts),
    statuses,
    calls: sum(({ runs }) => runs.length * CALLS.length),
    told: sum(({ report }) => report.told),
    lost: lanes.flatMap(({ lost }) => lost),
    doubled: lanes.flatMap(({ doubled }) => doubled),
    repeated: sum(({ repeated }) => repeated),
    seams: sum(({ report }) => report.seams),
    wrong: lanes.flatMap(({ wrong }) => wrong),
    recovery: { p50: quantile(recoveries, 0.5), p95: quantile(recoveries, 0.95) },
  }
}
