/** The drill of a server: bounded runs over HTTP, and what they show of its promises. */
import { randomUUID } from 'node:crypto'
import { ClientError, type Frame, type Run, type RunCancelAnswer } from '../client/index.ts'
import type { DrilledServer } from './drill-server.ts'

export interface DrillOptions {
  /** The path of the agency. */
  base: string
  message: string
  runs: number
  /** Runs at the same time. */
  atOnce: number
  /** Leave the runs on the server. */
  keep: boolean
}

/** What the server owes, whatever happens to its processes. */
export const PROMISES = {
  ends: 'every accepted run ends',
  order: 'events come in order, without a gap, over any number of connections',
  replay: 'a reader that was cut has what the replay says',
  once: 'the same Idempotency-Key starts one run',
  cancel: 'a cancelled run ends as cancelled, once',
  later: 'a run starts at its time, not before',
  thread: 'runs of a thread work one after the other',
} as const
type PromiseName = keyof typeof PROMISES

export interface DrillReport {
  statuses: { [status: string]: number }
  /** Attempts beyond the first, of all runs. */
  takeOvers: number
  checked: { [Name in PromiseName]: number }
  broken: { [Name in PromiseName]: string[] }
  /** Milliseconds. */
  times: { firstEvent: number[]; run: number[]; cancel: number[] }
}

const ROLES = ['watch', 'cut', 'repeat', 'cancel', 'later', 'thread'] as const
/** A reader that is cut reads this many frames of each connection. */
const FRAMES_PER_CONNECTION = 3
const LATER_SECONDS = 1

export async function runDrill(server: DrilledServer, options: DrillOptions): Promise<DrillReport> {
  const drill = new Drill(server, options)
  let next = 0
  const work = async () => {
    while (next < options.runs && !server.isOver) await drill.run(next++)
  }
  await Promise.all(Array.from({ length: options.atOnce }, work))
  await drill.end()
  return drill.report
}

class Drill {
  readonly report: DrillReport = {
    statuses: {},
    takeOvers: 0,
    checked: { ends: 0, order: 0, replay: 0, once: 0, cancel: 0, later: 0, thread: 0 },
    broken: { ends: [], order: [], replay: [], once: [], cancel: [], later: [], thread: [] },
    times: { firstEvent: [], run: [], cancel: [] },
  }
  readonly #server: DrilledServer
  readonly #options: DrillOptions
  readonly #threadId = `drill-${randomUUID()}`
  readonly #runs: Run[] = []
  readonly #onThread: Run[] = []

  constructor(server: DrilledServer, options: DrillOptions) {
    this.#server = server
    this.#options = options
  }

  async run(index: number): Promise<void> {
    const role = ROLES[index % ROLES.length] as (typeof ROLES)[number]
    const started = await this.#start(role)
    try {
      const cancelled = role === 'cancel' ? await this.#cancel(started) : undefined
      if (role !== 'cancel') await this.#follow(started, role === 'cut' ? FRAMES_PER_CONNECTION : undefined)
      const run = await this.#ended(started.run_id)
      this.#runs.push(run)
      this.#count(run)
      if (cancelled !== undefined) this.#check('cancel', run.status === cancelled.status, run.run_id)
      if (role === 'later') this.#checkStart(run)
      if (role === 'thread') this.#onThread.push(run)
    } catch (error) {
      if (!(error instanceof ClientError)) throw error
      this.#check('ends', false, `${started.run_id}: ${error.message}`)
    }
  }

  async #start(role: (typeof ROLES)[number]): Promise<Run> {
    const { base, message } = this.#options
    const body = {
      message,
      metadata: { drill: role },
      ...(role === 'later' ? { after_seconds: LATER_SECONDS } : {}),
      ...(role === 'thread' ? { thread_id: this.#threadId } : {}),
    }
    const headers = { 'idempotency-key': randomUUID() } // a lost answer is requested again
    const post = async () => (await this.#server.json({ path: `${base}/runs`, body, headers })) as Run
    if (role !== 'repeat') return post()
    const [one, other] = await Promise.all([post(), post()])
    this.#check('once', one.run_id === other.run_id, `${one.run_id} and ${other.run_id}`)
    return one
  }

  async #cancel({ run_id }: Run): Promise<{ status: string }> {
    const began = performance.now()
    const path = `${this.#options.base}/runs/${run_id}/cancel`
    try {
      const answer = (await this.#server.json({ path, body: { wait_ms: 30_000 } })) as RunCancelAnswer
      if (answer.settled) this.report.times.cancel.push(performance.now() - began)
      return { status: 'cancelled' }
    } catch (error) {
      if (!(error instanceof ClientError && error.code === 'RUN_ENDED')) throw error
      return { status: String(error.fields.status) } // it had ended before
    }
  }

  async #follow({ run_id }: Run, cutAfter: number | undefined): Promise<void> {
    const path = `${this.#options.base}/runs/${run_id}`
    const { frames, firstMs } = await this.#server.readEvents(path, cutAfter)
    const isWhole = frames.at(-1)?.event === 'end'
    this.#check('order', isWhole && isInOrder(frames), `${run_id}: ${describe(frames)}`)
    this.report.times.firstEvent.push(firstMs)
    if (cutAfter === undefined) return
    const replay = await this.#server.readEvents(path)
    const same = JSON.stringify(frames) === JSON.stringify(replay.frames)
    this.#check('replay', same, `${run_id}: ${frames.length} frames instead of ${replay.frames.length}`)
  }

  /** The run once it has ended. @throws ClientError when it is unknown, or has not ended in time */
  async #ended(runId: string): Promise<Run> {
    for (;;) {
      const run = (await this.#server.json({ path: `${this.#options.base}/runs/${runId}?wait=5` })) as Run
      if (run.ended_at !== null) return run
      if (run.status === 'requires_action') return run // a person would have to decide
      if (this.#server.isOver) throw new ClientError('incomplete', `still ${run.status} at the end of the drill.`)
    }
  }

  #count({ run_id, status, attempt, created_at, ended_at }: Run): void {
    this.#check('ends', true, run_id)
    this.report.statuses[status] = (this.report.statuses[status] ?? 0) + 1
    this.report.takeOvers += Math.max(0, attempt - 1)
    if (status === 'completed') this.report.times.run.push(Date.parse(ended_at ?? created_at) - Date.parse(created_at))
  }

  #checkStart({ run_id, start_at, started_at }: Run): void {
    const early = started_at !== null && start_at !== null && Date.parse(started_at) < Date.parse(start_at)
    this.#check('later', !early, `${run_id}: started at ${started_at} instead of ${start_at}`)
  }

  /** Looks at what all runs show together, asks for them once more, and removes them. */
  async end(): Promise<void> {
    const { base, keep } = this.#options
    const byAdmission = this.#onThread.toSorted(
      (a, b) => Date.parse(a.started_at ?? '') - Date.parse(b.started_at ?? ''),
    )
    for (const [index, run] of byAdmission.entries()) {
      const before = byAdmission[index - 1]
      const overlaps = before !== undefined && Date.parse(run.started_at ?? '') < Date.parse(before.ended_at ?? '')
      this.#check('thread', !overlaps, `${before?.run_id} and ${run.run_id}`)
    }
    if (keep) return
    for (const { run_id } of this.#runs) await this.#remove(`${base}/runs/${run_id}`)
    if (this.#onThread.length > 0) await this.#remove(`${base}/threads/${this.#threadId}`)
  }

  /** The server removes the rest itself, when its retention time is over. */
  async #remove(path: string): Promise<void> {
    await this.#server.open({ path, method: 'DELETE' }).catch(() => {})
  }

  #check(name: PromiseName, holds: boolean, what: string): void {
    this.report.checked[name]++
    if (!holds) this.report.broken[name].push(what)
  }
}

const isInOrder = (frames: readonly Frame[]) => frames.every(({ id }, index) => Number(id) === index + 1)

const describe = (frames: readonly Frame[]) =>
  `${frames.length} frames, the last one ${frames.at(-1)?.id ?? '-'} (${frames.at(-1)?.event ?? 'message'})`
