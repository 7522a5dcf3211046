/** Makes what keeps runs, from the option `runs` and the environment. */
import type { ServedAgency } from '../agency/served.ts'
import type { Limits } from '../base/limits.ts'
import type { ServerLog } from '../base/log.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { invalidOption } from '../base/start-errors.ts'
import type { RunStore } from '../runs/run-store.ts'
import { Scheduler } from '../runs/scheduler.ts'
import type { Runs } from '../runs/start.ts'
import type { RunLogs } from '../runs/stored/attempt-log.ts'
import type { CostBudgets } from '../runs/stored/costs.ts'
import { createSeal, readSealKey, type Seal } from '../runs/stored/order.ts'
import type { StartStoredRun } from '../runs/stored/service.ts'
import { LocalStoredRuns } from '../runs/stored/stored-runs.ts'
import type { Identify } from '../services.ts'
import { memory } from '../stores/memory.ts'
import { noStore } from '../stores/none.ts'
import type { RequestRules } from '../wire/requests.ts'
import type { RunRules } from '../wire/runs.ts'
import { checkCosts } from './cost-bounds.ts'
import { readSchedules, type ScheduleOptions } from './schedules.ts'
import { readWebhooks, type WebhooksOptions } from './webhooks.ts'

/** How runs are kept that outlive their request: `POST /{agency}/runs`, threads and approvals. */
export interface StoredRunsOptions {
  /** Where runs and threads are kept. @default memory(): lost with the process */
  store?: RunStore | undefined
  /**
   * Whose runs and threads a request is about, such as the user of a session: 1 to 256 characters. What belongs to another
   * owner does not exist for the request. Undefined, an empty text or an error refuse it with 401.
   * @default one owner for all who may use the server
   */
  identify?: Identify | undefined
  /**
   * Whose browser it is that comes back to `/oauth/callback` after its user gave consent at an MCP server: it must be the owner
   * whose run has asked. Browsers send cookies, but no bearer token. False: everybody who has the address may give consent, so
   * that a user who is tricked into opening it gives the asking owner access to an account.
   * @default identify
   */
  identifyBrowser?: Identify | false | undefined
  /** False: accept and show runs only, and leave the work to other processes on the same store. @default true */
  work?: boolean | undefined
  /**
   * US dollars that all model calls of one run may cost together, those of sub-agents included; a request may ask for less with
   * `max_cost`. It also bounds runs of the other endpoints. Each call reserves its worst case first (docs/usage.md).
   * @default no bound
   */
  maxCost?: number | null | undefined
  /** What the stored runs of a thread, and of an owner, may cost together. @default no bound */
  budgets?: CostBudgets | undefined
  /** Runs that start at the times of cron expressions. @default none */
  schedules?: readonly ScheduleOptions[] | undefined
  /** Endpoints that get webhooks when a run ends or waits for a person. @default the webhooks of requests */
  webhooks?: WebhooksOptions | undefined
}

const OPTIONS = optionNames<StoredRunsOptions>({
  store: true,
  identify: true,
  identifyBrowser: true,
  work: true,
  maxCost: true,
  budgets: true,
  schedules: true,
  webhooks: true,
})

/**
 * The store of runs, and the key for what is sealed in it.
 * @param alone false for one of several workers: without a store that all can use, no run is kept
 * @throws INVALID_OPTION
 */
export function openStore({ store }: StoredRunsOptions = {}, alone: boolean) {
  if (store !== undefined && typeof store?.admit !== 'function')
    throw invalidOption('runs.store has to be a store such as sqlite("./agency.db") or memory().')
  return { store: store ?? (alone ? memory() : noStore()), seal: readSeal() }
}

export interface StoredRunsParts extends ReturnType<typeof openStore> {
  runs: Runs
  agencies: readonly ServedAgency[]
  limits: Limits
  log: ServerLog
  logs: RunLogs
  requestRules: RequestRules
  /** Keep the trace of each run. */
  traces: boolean
}

/** @throws INVALID_OPTION, PACKAGE_MISSING */
export async function createStoredRuns(options: StoredRunsOptions = {}, parts: StoredRunsParts) {
  const { runs, agencies, limits, log, logs, requestRules, store, seal, traces } = parts
  refuseUnknown('runs', options, OPTIONS)
  const { identify, identifyBrowser = identify, work = true, budgets = {} } = options
  if (identify !== undefined && typeof identify !== 'function')
    throw invalidOption('runs.identify has to be a function of the request that returns the owner.')
  if (identifyBrowser !== undefined && identifyBrowser !== false && typeof identifyBrowser !== 'function')
    throw invalidOption('runs.identifyBrowser has to be a function of the request that returns the owner, or false.')
  if (!work && store.shared !== true)
    throw invalidOption(
      'runs.work: false needs a store that other processes can use at the same time; memory() and sqlite() serve one process.',
    )
  checkCosts(options)
  const { requests: webhooks, ...senders } = readWebhooks(options.webhooks)
  const { startLaterMs, maxTurns } = limits
  const rules: RunRules = { ...requestRules, maxTurns, maxCost: runs.maxCost, startLaterMs, webhooks }
  const identifies = identify !== undefined
  const schedules = await readSchedules(options.schedules ?? [], { agencies, rules, identifies })
  const byPath = new Map(agencies.map((served) => [served.path, served]))
  const now = Date.now
  const stored = new LocalStoredRuns({
    runs,
    store,
    work,
    limits,
    log,
    ...logs,
    now,
    seal,
    budgets,
    traces: traces ? { onError: onceFor(log) } : undefined,
    agencyOf: (path) => byPath.get(path),
    webhooks: {
      ...senders,
      random: Math.random,
      onAttempt: (outcome) => runs.telemetry?.note?.({ kind: 'webhook', outcome }),
    },
  })
  const start = (request: StartStoredRun) => stored.start(request)
  const scheduler = new Scheduler({ schedules, store: stored.store, start, log, now })
  return {
    runs: stored,
    traces,
    identify,
    identifyBrowser,
    rules,
    /** Takes up what earlier processes left, and starts what is due. @throws STORE_IN_USE, STORE_UNAVAILABLE */
    async open() {
      if (options.store !== undefined) await stored.open()
      if (schedules.length > 0) await scheduler.look()
    },
    /** Starts nothing more. */
    leave() {
      scheduler.stop()
      stored.leave()
    },
    close: () => stored.close(),
  }
}

/** A trace leaves out what could not be recorded; the first failure is logged. */
function onceFor(log: ServerLog): (error: unknown) => void {
  let isFirst = true
  return (error) => {
    if (isFirst) log.error('The trace of a run is not complete; runs go on.', error)
    isFirst = false
  }
}

/** @throws INVALID_OPTION */
function readSeal(): Seal | undefined {
  const text = process.env.AGENCY_STORE_KEY
  if (text === undefined || text === '') return undefined
  const key = readSealKey(text)
  if (key === undefined)
    throw invalidOption(
      'AGENCY_STORE_KEY has to be 32 bytes, as Base64 or as 64 hexadecimal digits: openssl rand -base64 32',
    )
  return createSeal(key)
}
