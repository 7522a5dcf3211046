/** Drills of several processes on one PostgreSQL: what is done to them, and what has to hold. */
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CrashServer } from './crash-process.ts'
import { quantile } from './drill-judge.ts'
import { Fleet, type FleetOptions, type FleetRun, memoryOf } from './fleet.ts'

export interface FleetDrillOptions {
  seed: number
  runs: number
  /** Of `pause`: how often a worker is paused. */
  times: number
  /** Of `away`: how long the database is away. */
  seconds: number
  /** Of `load`: how long runs are started. */
  minutes: number
  /** Address of a Redis that carries events; empty for none. */
  redis: string
}

export interface DrillCard {
  [figure: string]: unknown
  /** What should not have happened; the drill is red unless it is empty. */
  violations: string[]
}

const QUICK = { deltas: 12, delayMs: 5 }
/** Targets of `load`, in milliseconds. */
const EVENT_P95_MS = 100
const CANCEL_P95_MS = 250
/** How much the memory of a process that lives for the whole drill may grow between its second quarter and its last. */
const GROWTH = 1.3
/** Beyond the lease of a worker, in milliseconds. */
const PAUSE_MS = 13_000

const envOf = ({ redis }: FleetDrillOptions): Record<string, string> => ({ REDIS: redis })

/** Starts and ends a fleet around a drill. */
async function withFleet(options: FleetOptions, drill: (fleet: Fleet) => Promise<DrillCard>): Promise<DrillCard> {
  const fleet = await Fleet.open(options)
  try {
    return await drill(fleet)
  } finally {
    await fleet.close()
  }
}

/** Three processes are replaced one after the other, again and again, until all runs were posted: as a deploy does it. */
const rolling = (options: FleetDrillOptions) =>
  withFleet({ seed: options.seed, pace: QUICK, env: envOf(options) }, async (fleet) => {
    for (let count = 0; count < 3; count++) await fleet.start('both')
    const exits: unknown[] = []
    let posted = false
    const posting = postAll(fleet, options.runs, 4).finally(() => {
      posted = true
    })
    do {
      for (const server of fleet.all('both').slice(0, 3)) {
        await fleet.start('both')
        exits.push((await fleet.end(server, 'SIGTERM'))[1])
      }
    } while (!posted)
    await posting
    const found = await fleet.judge()
    if (found.told > 0) found.violations.push(`${found.told} calls were cut off by a restart`)
    // It closes first, and then ends itself with the signal.
    for (const signal of exits) if (signal !== 'SIGTERM') found.violations.push(`a process ended with ${signal}`)
    return { restarts: exits.length, ...fleet.figures(), ...found }
  })

/** One of two workers sleeps beyond its lease, and wakes when another has its runs. */
const pause = (options: FleetDrillOptions) =>
  withFleet({ seed: options.seed, pace: QUICK, env: envOf(options) }, async (fleet) => {
    await fleet.start('api')
    for (let count = 0; count < 2; count++) await fleet.start('worker')
    for (let count = 0; count < options.times; count++) {
      await postAll(fleet, 4, 4)
      const worker = fleet.any('worker')
      worker.child.kill('SIGSTOP')
      await sleep(PAUSE_MS)
      worker.child.kill('SIGCONT')
    }
    const found = await fleet.judge()
    const late = await fleet.query(
      `SELECT count(*)::int AS n FROM (SELECT attempt, max(attempt) OVER (PARTITION BY run ORDER BY last) AS newest
        FROM agency_swarm.events) AS e WHERE attempt < newest`,
    )
    if (late.rows[0].n > 0) found.violations.push(`${late.rows[0].n} writes came after a later attempt began`)
    return { pauses: options.times, ...fleet.figures(), ...found }
  })

/** Posts at once on one thread, to three processes, which are killed meanwhile. */
const thread = (options: FleetDrillOptions) =>
  withFleet({ seed: options.seed, pace: QUICK, env: { SESSION_LOCK: 'true', ...envOf(options) } }, async (fleet) => {
    for (let count = 0; count < 3; count++) await fleet.start('both')
    const posting = Promise.all(Array.from({ length: options.runs }, () => fleet.post({ thread_id: 'one' })))
    let kills = 0
    const isOver = async () => (await Promise.race([Promise.all(fleet.runs.map(({ present }) => present)), 0])) !== 0
    do {
      await sleep(500 + fleet.random() * 2_000)
      const server = fleet.any('both')
      await fleet.start('both')
      await fleet.end(server, 'SIGKILL')
      kills++
    } while (kills < options.runs / 4 && !(await isOver()))
    await posting
    const found = await fleet.judge()
    found.violations.push(...(await judgeOrder(fleet)))
    return { kills, ...fleet.figures(), ...found }
  })

/** Runs work in the order of admission, one after the other, and their messages do not mix. */
async function judgeOrder(fleet: Fleet): Promise<string[]> {
  const { rows } = await fleet.query(`SELECT run_id FROM agency_swarm.runs WHERE thread_id = 'one' ORDER BY number`)
  const jobOf = new Map(fleet.runs.map(({ job, path }) => [path.split('/').at(-1), job]))
  const admitted = rows.map(({ run_id }) => jobOf.get(run_id))
  const once = (list: readonly (string | undefined)[]) => list.filter((job, index) => job !== list[index - 1])
  const worked = once(fleet.effects().map((id) => id.split(':')[0]))
  const messages = await fleet.query(
    'SELECT run_id FROM agency_swarm.messages WHERE run_id IS NOT NULL ORDER BY number',
  )
  const told = once(messages.rows.map(({ run_id }) => jobOf.get(run_id)))
  return [
    ...(worked.join() === admitted.join() ? [] : [`tools ran in the order ${worked}, admitted were ${admitted}`]),
    ...(told.join() === admitted.join() ? [] : [`messages came in the order ${told}, admitted were ${admitted}`]),
  ]
}

/** The database is away while runs work; requests are refused meanwhile, and everything goes on after it. */
async function away(options: FleetDrillOptions): Promise<DrillCard> {
  const gate = new Gate()
  const before = (database: string) => gate.open(database)
  const pace = { deltas: 40, delayMs: 50 }
  return withFleet({ seed: options.seed, pace, env: envOf(options), before }, async (fleet) => {
    const api = await fleet.start('api')
    for (let count = 0; count < 2; count++) await fleet.start('worker')
    await postAll(fleet, options.runs, options.runs)
    await sleep(500)
    gate.shut()
    const began = performance.now()
    const refused = await fetch(`${api.url}/team/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ message: 'job-refused, please' }),
    })
    const health = await fetch(`${api.url}/healthz`)
    await sleep(Math.max(0, 1_000 * options.seconds - (performance.now() - began)))
    gate.let()
    await postAll(fleet, 3, 3)
    const found = await fleet.judge()
    if (refused.status !== 503) found.violations.push(`without its database the API server answered ${refused.status}`)
    if (health.status !== 200) found.violations.push(`/healthz answered ${health.status}`)
    return { away_s: options.seconds, ...fleet.figures(), ...found }
  }).finally(() => gate.close())
}

/** Stands before the database, and lets nobody through while it is shut. */
class Gate {
  readonly #sockets = new Set<net.Socket>()
  #isShut = false
  #server: net.Server | undefined

  /** @returns the address through the gate */
  async open(database: string): Promise<string> {
    const url = new URL(database)
    const { hostname, port } = url
    this.#server = net.createServer((client) => {
      if (this.#isShut) return void client.destroy()
      const server = net.connect(Number(port || 5432), hostname)
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          this.#sockets.delete(socket)
          other.destroy()
        })
        socket.pipe(other)
      }
    })
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    url.host = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return url.href
  }

  shut(): void {
    this.#isShut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  let(): void {
    this.#isShut = false
  }

  close(): void {
    this.shut()
    this.#server?.close()
  }
}

/** Many runs at once for a time, on three API servers and two workers that are killed; readers are cut, and runs cancelled. */
const load = (options: FleetDrillOptions) =>
  withFleet(
    {
      seed: options.seed,
      pace: { deltas: 40, delayMs: 50 },
      env: { SESSION_LOCK: 'true', PAUSE_MS: '200', ...envOf(options) },
    },
    async (fleet) => {
      // These two are never killed: their memory is watched.
      const lasting = [await fleet.start('api'), await fleet.start('worker')]
      for (const role of ['api', 'api', 'worker'] as const) await fleet.start(role)
      const until = performance.now() + 60_000 * options.minutes
      const isOver = () => performance.now() >= until
      const faults = makeFaults(fleet, lasting, isOver)
      const cancelled = new Set<FleetRun>()
      const cancels: number[] = []
      const lane = async (index: number) => {
        while (!isOver()) {
          const run = await fleet.post()
          const ms = index % 20 === 0 ? await cancelInText(fleet, run, cancelled) : undefined
          if (ms !== undefined) cancels.push(ms)
          await run.present
        }
      }
      await Promise.all(Array.from({ length: options.runs }, (_, index) => lane(index)))
      const { kills, memory } = await faults
      const found = await fleet.judge(cancelled)
      const card = {
        kills,
        cancels: cancels.length,
        cancel_ms: { p50: quantile(cancels, 0.5), p95: quantile(cancels, 0.95) },
      }
      found.violations.push(...judgeLoad(fleet, cancels, memory))
      return { ...card, ...fleet.figures(), memory_mib: memory.map(quarters), ...found }
    },
  )

/** Kills a process every few seconds, and watches the memory of those that are never killed. */
async function makeFaults(fleet: Fleet, lasting: readonly CrashServer[], isOver: () => boolean) {
  const memory: number[][] = lasting.map(() => [])
  let kills = 0
  while (!isOver()) {
    await sleep(2_000 + fleet.random() * 4_000)
    for (const [index, { child }] of lasting.entries()) memory[index]?.push(memoryOf(child))
    const server = fleet.any('api', 'worker')
    if (lasting.includes(server)) continue
    const role = fleet.all('api').includes(server) ? 'api' : 'worker'
    await fleet.end(server, 'SIGKILL')
    await fleet.start(role)
    kills++
  }
  return { kills, memory }
}

/** Cancels a run over an API server while its last text is said. @returns the milliseconds until its model was hung up on */
async function cancelInText(fleet: Fleet, run: FleetRun, asked: Set<FleetRun>): Promise<number | undefined> {
  const isSaying = () => fleet.upstream.seen.findLast(({ body }) => isFinal(body, run.job))
  const over = run.present.then(() => 'over' as const)
  while (isSaying() === undefined) if ((await Promise.race([over, sleep(10)])) === 'over') return undefined
  await sleep(200)
  const aborted = isSaying()?.aborted.then(() => performance.now())
  asked.add(run) // whether or not the answer comes
  const began = performance.now()
  const answer = await fetch(`${fleet.any('api').url}${run.path}/cancel`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ wait_ms: 10_000 }),
  }).catch(() => undefined)
  const status = answer === undefined ? undefined : ((await answer.json()) as { status: string }).status
  // The server was killed, or the run had ended before: there is nothing to measure.
  if (answer?.status !== 200 || status !== 'cancelled') return undefined
  const at = await Promise.race([aborted, sleep(5_000)])
  return at === undefined ? undefined : Math.round(at - began)
}

/** A request for the last text of a job's first agent. */
function isFinal(body: object, job: string): boolean {
  const text = JSON.stringify(body)
  return (
    text.includes(`${job},`) && text.includes('You are CEO.') && (text.match(/function_call_output/g)?.length ?? 0) >= 5
  )
}

/** The median of each quarter. */
const quarters = (values: readonly number[]) =>
  [0, 1, 2, 3].map((n) => quantile(values.slice((n * values.length) / 4, ((n + 1) * values.length) / 4), 0.5))

function judgeLoad(fleet: Fleet, cancels: readonly number[], memory: readonly number[][]): string[] {
  const lag = quantile(fleet.lags, 0.95)
  const cancel = quantile(cancels, 0.95)
  const grown = memory.map(quarters).filter(([, second = 0, , last = 0]) => last > GROWTH * second)
  return [
    ...(lag > EVENT_P95_MS ? [`events took ${lag} ms (p95), the target is ${EVENT_P95_MS}`] : []),
    ...(cancel > CANCEL_P95_MS ? [`cancels took ${cancel} ms (p95), the target is ${CANCEL_P95_MS}`] : []),
    ...grown.map((values) => `memory grew: ${values.join(', ')} MiB by quarters`),
  ]
}

/** Posts runs, so many at a time. */
async function postAll(fleet: Fleet, count: number, atOnce: number): Promise<void> {
  let left = count
  const lane = async () => {
    while (left-- > 0) {
      const run = await fleet.post()
      if (count > atOnce) await run.present
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

export const FLEET_DRILLS = { rolling, pause, thread, away, load } satisfies {
  [scenario: string]: (options: FleetDrillOptions) => Promise<DrillCard>
}
