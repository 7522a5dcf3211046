/** Several servers and workers on one PostgreSQL for drills: they are killed, paused and replaced while runs are judged. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createCrashScript } from './crash-model.ts'
import { bundleCrashServer, type CrashServer, startCrashServer } from './crash-process.ts'
import { judgeRun, quantile, readEffects } from './drill-judge.ts'
import { administer, createDatabase } from './postgres.ts'
import { createRandom } from './random.ts'
import { followRun, RunFold, type RunFrame } from './run-reader.ts'
import { startUpstream, type Turn } from './upstream.ts'

/** `api` shows, `worker` works, `both` does both; readers ask those that show. */
export type Role = 'api' | 'worker' | 'both'

export interface FleetOptions {
  seed: number
  /** What models say: pieces of a text, and the milliseconds between them. */
  pace: { deltas: number; delayMs: number }
  /** Environment of every server. */
  env?: Record<string, string>
  /** What stands between the servers and the database: gives the address that they use. */
  before?: (database: string) => Promise<string>
}

export interface FleetRun {
  job: string
  path: string
  present: Promise<RunFold>
  cut: Promise<RunFold>
  fold: RunFold
}

/** How long a request is repeated while servers are away, and how long runs have for their end after the last fault. */
const PATIENCE_MS = 120_000
/** Requests that are kept of the model's: older ones are long over. */
const REQUESTS_KEPT = 2_000

export class Fleet {
  readonly random: () => number
  readonly runs: FleetRun[] = []
  /** From the moment when the model said a piece of a text until a reader had it, in milliseconds. */
  readonly lags: number[] = []
  seams = 0
  readonly #script: string
  readonly #folder: string
  readonly #env: Record<string, string>
  readonly #servers: { role: Role; server: CrashServer }[] = []
  readonly #sentAt = new Map<string, number>()
  readonly #database: Awaited<ReturnType<typeof createDatabase>>
  readonly upstream: Awaited<ReturnType<typeof startUpstream>>

  private constructor(parts: {
    options: FleetOptions
    folder: string
    script: string
    database: Awaited<ReturnType<typeof createDatabase>>
    upstream: Awaited<ReturnType<typeof startUpstream>>
    sentAt: Map<string, number>
    store: string
  }) {
    const { options, folder, script, database, upstream, sentAt, store } = parts
    this.random = createRandom(options.seed)
    this.#script = script
    this.#folder = folder
    this.#database = database
    this.upstream = upstream
    this.#sentAt = sentAt
    const limits = { attempts: 1_000_000, threadQueue: 1_000, concurrentRuns: 400 }
    this.#env = {
      STORE: store,
      EFFECTS: join(folder, 'effects'),
      OPENAI_BASE_URL: upstream.baseURL,
      LIMITS: JSON.stringify(limits),
      ...options.env,
    }
  }

  static async open(options: FleetOptions): Promise<Fleet> {
    const folder = mkdtempSync(join(tmpdir(), 'fleet-'))
    const sentAt = new Map<string, number>()
    const say = createCrashScript(options.pace)
    const upstream = await startUpstream((body, serial) => {
      delete upstream.seen[serial - REQUESTS_KEPT]
      return stamp(say(body, serial), sentAt)
    })
    const database = await createDatabase()
    const store = (await options.before?.(database.url)) ?? database.url
    const script = await bundleCrashServer(folder)
    return new Fleet({ options, folder, script, database, upstream, sentAt, store })
  }

  async start(role: Role): Promise<CrashServer> {
    const server = await startCrashServer(this.#script, { ...this.#env, WORK: String(role !== 'api') })
    this.#servers.push({ role, server })
    return server
  }

  /** Servers that live, or were paused. */
  all(...roles: Role[]): CrashServer[] {
    return this.#servers.filter(({ role }) => roles.includes(role)).map(({ server }) => server)
  }

  any(...roles: Role[]): CrashServer {
    const some = this.all(...roles)
    return some[Math.floor(this.random() * some.length)] as CrashServer
  }

  /** Ends a server, which nobody asks any more. */
  async end(server: CrashServer, signal: NodeJS.Signals): ReturnType<CrashServer['kill']> {
    const index = this.#servers.findIndex((one) => one.server === server)
    if (index >= 0) this.#servers.splice(index, 1)
    return server.kill(signal)
  }

  query = (statement: string) => administer(statement, new URL(this.#database.url).pathname.slice(1))

  /** Posts a run to any server that takes it, and reads it twice: without a cut, and over many connections. */
  async post(more: object = {}): Promise<FleetRun> {
    const job = `job-${this.runs.length}`
    const run: FleetRun = { job, path: '', ...this.#unread() }
    this.runs.push(run)
    const until = performance.now() + PATIENCE_MS
    for (;;) {
      const answer = await fetch(`${this.any('api', 'both').url}/team/runs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': job },
        body: JSON.stringify({ message: `${job}, please`, ...more }),
      }).catch(() => undefined)
      if (answer?.status === 202) {
        const { run_id } = (await answer.json()) as { run_id: string }
        return this.#follow(run, `/team/runs/${run_id}`)
      }
      if (performance.now() > until) throw new Error(`${job} was not accepted: ${answer?.status}`)
      await answer?.text()
      await sleep(100)
    }
  }

  #unread() {
    return { fold: new RunFold(), present: Promise.resolve(new RunFold()), cut: Promise.resolve(new RunFold()) }
  }

  #follow(run: FleetRun, path: string): FleetRun {
    run.path = path
    let openedAt = 0
    const url = () => `${this.any('api', 'both').url}${path}`
    const present = () => {
      openedAt = Date.now()
      return url()
    }
    const note = (frame: RunFrame) => {
      this.#noteLag(frame, openedAt)
      return false
    }
    const isCut = () => {
      const now = this.random() < 0.05
      if (now) this.seams++
      return now
    }
    run.present = followRun({ url: present, fold: run.fold, cut: note })
    run.cut = followRun({ url, fold: new RunFold(), cut: isCut })
    return run
  }

  /** Of what was said while the connection was open: what came before is a replay. */
  #noteLag({ event, data }: RunFrame, openedAt: number): void {
    if (event !== undefined || !data.includes('response.output_text.delta')) return
    const sentAt = this.#sentAt.get(JSON.parse(data).data?.data?.delta)
    if (sentAt !== undefined && sentAt > openedAt) this.lags.push(Date.now() - sentAt)
  }

  /** Ids of the calls that took effect, in order. */
  effects(): string[] {
    const file = join(this.#folder, 'effects')
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }

  /** Waits for the end of all runs, and says what is wrong with them. */
  async judge(except: ReadonlySet<FleetRun> = new Set()) {
    const found = { statuses: {} as { [status: string]: number }, attempts: 0, told: 0, violations: [] as string[] }
    const until = Date.now() + PATIENCE_MS
    for (const run of this.runs) {
      const left = sleep(Math.max(1_000, until - Date.now()), undefined, { ref: false })
      const folds = await Promise.race([Promise.all([run.present, run.cut]), left])
      if (folds === undefined) {
        found.violations.push(`${run.job} has not ended`)
        continue
      }
      if (except.has(run)) continue
      const [present, cut] = folds
      const effects = readEffects(join(this.#folder, 'effects'))
      const url = `${this.any('api', 'both').url}${run.path}`
      const { record, told, wrong, lost, doubled } = await judgeRun(run.job, url, { present, cut }, effects)
      found.statuses[record.status] = (found.statuses[record.status] ?? 0) + 1
      found.attempts += record.attempt
      found.told += told
      found.violations.push(
        ...wrong,
        ...lost.map((id) => `${id} was lost`),
        ...doubled.map((id) => `${id} was doubled`),
      )
    }
    return found
  }

  figures() {
    return {
      runs: this.runs.length,
      seams: this.seams,
      event_lag_ms: { count: this.lags.length, p50: quantile(this.lags, 0.5), p95: quantile(this.lags, 0.95) },
    }
  }

  async close(): Promise<void> {
    for (const { server } of this.#servers) server.child.kill('SIGCONT')
    await Promise.all(this.#servers.map(({ server }) => server.kill()))
    await this.upstream.close()
    await this.#database.drop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Notes when each piece of a text was sent: no two pieces are the same. */
function stamp(turn: Turn, sentAt: Map<string, number>): Turn {
  if (!('deltas' in turn) || typeof turn.deltas !== 'object') return turn
  const pieces = turn.deltas
  const stamped = [...pieces]
  stamped[Symbol.iterator] = function* () {
    for (const piece of pieces) {
      yield piece
      sentAt.set(piece, Date.now()) // it was written when the next one is asked for
    }
    return undefined
  }
  return { ...turn, deltas: stamped }
}

/** Resident memory of a process, in MiB. */
export const memoryOf = ({ pid }: ChildProcess): number => {
  const [, pages = 0] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number)
  return Math.round((pages * 4096) / 2 ** 20)
}
