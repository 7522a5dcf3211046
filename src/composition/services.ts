/** Makes everything behind the routes of a server, from its options and the environment. */
import { homedir } from 'node:os'
import type { AgencyGraph } from '../agency/agency.ts'
import { readAgency, type ServedAgency } from '../agency/served.ts'
import type { Budget } from '../base/budget.ts'
import { causeOf, errorText } from '../base/errors.ts'
import type { Limits } from '../base/limits.ts'
import type { ServerLog } from '../base/log.ts'
import { shuttingDown } from '../base/request-errors.ts'
import { duplicateName, nothingToServe } from '../base/start-errors.ts'
import { createAguiDialect } from '../dialects/agui/dialect.ts'
import type { McpDoor, McpParts } from '../dialects/mcp/door.ts'
import { createNativeDialect } from '../dialects/native/dialect.ts'
import { keysIn } from '../models/providers.ts'
import { createStoredVault } from '../runs/stored/vault.ts'
import { readCancelQuestion } from '../server/cancel-run.ts'
import type { ShellOptions } from '../server/plugin.ts'
import { RequestLines } from '../server/request-lines.ts'
import { RequestLog } from '../server/request-log.ts'
import type { Services } from '../services.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { asFunctionTool } from '../tools/base-tool.ts'
import { createMemoryVault } from '../tools/mcp/oauth/vault.ts'
import { createPlaceMask, createRedactor, type Redact } from '../wire/redact.ts'
import type { RequestRules } from '../wire/requests.ts'
import type { Peers } from '../workers/peers.ts'
import type { WorkerChannel } from '../workers/worker.ts'
import { checkPrices } from './cost-bounds.ts'
import { createServerLog } from './log.ts'
import {
  type BuildOptions,
  checkOptions,
  checkShared,
  readA2a,
  readAgui,
  readAguiDoor,
  readAiSdk,
  readAllLimits,
  readClientConfig,
  readMcp,
  readMetrics,
  readOpenAi,
  readToken,
  readTraces,
} from './options.ts'
import { createLogins, createRuns } from './runs.ts'
import { createStoredRuns, openStore } from './stored-runs.ts'
import { createTickets, identifyByTicket, TICKET_SECRET } from './tickets.ts'

/** Beside its options: what a caller of `createServices` handles or knows itself. */
export interface ServedBy {
  /** Names of options that the caller handles. */
  options?: readonly string[]
  /** This process as one of several workers of a machine. */
  worker?: WorkerChannel | undefined
}

/**
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, MISSING_TOKEN, MODEL_NOT_SUPPORTED,
 *   PROVIDER_NOT_INSTALLED, FACTORY_FAILED, MODEL_NOT_PRICED
 */
export async function createServices(options: BuildOptions, { options: more = [], worker }: ServedBy = {}) {
  checkOptions(options, more)
  if (worker !== undefined) checkShared(options)
  await loadModules()
  const limits = readAllLimits(options)
  const token = readToken(options)
  const mask = createRedactor(() => [token, process.env[TICKET_SECRET], ...keysIn(process.env)])
  const log = await createServerLog(options.logger, mask, worker && { worker: worker.number })
  const lines = options.logger ? new RequestLines(log, mask) : undefined
  const metrics = await readMetrics(options.metrics)
  const services = await bundle(options, { limits, token, mask, log, lines, metrics, peers: worker })
  if (worker !== undefined) answerPeers(worker, services, metrics)
  answerOtherMachines(services)
  const { runner, models, files, folders, requestLog, stored, mcp } = services
  await stored.open()
  metrics?.watchHeld(() => runner.budget.heldBytes)
  metrics?.watchStore(() => stored.runs.store.read({ kind: 'stats' }))
  const shell: ShellOptions = {
    services,
    token,
    tokenVariable: options.appTokenEnv ?? 'APP_TOKEN',
    corsOrigins: options.corsOrigins,
    protectDocs: options.protectDocs ?? false,
    serverUrl: options.serverUrl,
    playground: options.playground ?? false,
    keepsChats: options.runs?.store !== undefined,
    rateLimit: options.rateLimit,
    metrics,
    metricsOpen: options.metricsOpen ?? false,
    lines,
  }
  /** Refuses new work, waits for running work, then ends the rest. */
  const drain = async () => {
    const began = performance.now()
    mcp?.stop()
    stored.leave()
    folders.stop(shuttingDown())
    await Promise.all([runner.drain(limits.drainMs), files.stop(shuttingDown())])
    await stored.close()
    await mcp?.drain(limits.drainMs - (performance.now() - began))
    mcp?.close()
    await requestLog?.flush()
  }
  const close = async () => {
    if (options.metrics === true) metrics?.close()
    await Promise.all([models.close(), ...services.agencies.map(({ preview }) => preview.close())])
  }
  return { shell, drain, close }
}

interface Foundations {
  limits: Limits
  token: string | undefined
  /** Masks the token and the keys of the environment. */
  mask: Redact
  log: ServerLog
  /** Set where requests are logged. */
  lines: RequestLines | undefined
  metrics: Metrics | undefined
  peers: Peers | undefined
}

/** The services, with what only their owner opens and closes. */
type OwnServices = Services & { readonly stored: Awaited<ReturnType<typeof createStoredRuns>> }

async function bundle(
  options: BuildOptions,
  { limits, token, mask, log, lines, metrics, peers }: Foundations,
): Promise<OwnServices> {
  const { exposeErrors = false, onEvent, trustedModelOrigins, gatewayHostedTools, telemetry } = options
  const withoutPlaces = createPlaceMask([process.cwd(), homedir()])
  const redact = (text: string) => withoutPlaces(mask(text))
  const served = await readServed(options, limits.callbackMs)
  const operator = { exposeErrors, onEvent, trustedModelOrigins, gatewayHostedTools }
  // The log of the console leaves out notes.
  const note = lines === undefined ? (text: string) => console.error(mask(text)) : log.info
  const runs = createRuns({ limits, redact, log, note, logFailures: true, ...operator })
  for (const { preview } of served.agencies)
    for (const { name, model } of preview.agents) await runs.models.check(model, name, options.keyPerRequest === true)
  if (options.keyPerRequest !== true) await storeFolders(runs, served.agencies, (error) => mask(errorText(error)))
  const requestRules = { historyItems: limits.historyItems, clientConfig: readClientConfig(options) }
  const { allowedLocalFileDirs, trustedFileOrigins, prices } = options
  const listeners = [...[telemetry ?? []].flat(), ...(metrics === undefined ? [] : [metrics])]
  const alone = peers === undefined
  const kept = openStore(options.runs, alone)
  const keepsLogins = kept.seal !== undefined && (alone || options.runs?.store !== undefined)
  const asksConsent = served.agencies.some(({ preview }) => usesLogins(preview))
  if (asksConsent && !keepsLogins)
    log.warn(
      'Tokens of MCP servers are kept in the memory of this process only, and are lost when it stops. To keep them in the store, set runs.store and AGENCY_STORE_KEY (openssl rand -base64 32).',
    )
  const vault = keepsLogins && kept.seal ? createStoredVault(kept.store, kept.seal, Date.now) : createMemoryVault()
  const shared = runs.with({
    logins: createLogins(limits, vault),
    prices,
    telemetry: listeners,
    maxCost: options.runs?.maxCost,
    allowedLocalFileDirs,
    trustedFileOrigins,
  })
  await checkPrices(options.runs, served.agencies, shared)
  const { agencies } = served
  const requestLog = createRequestLog(options, { limits, budget: runs.runner.budget, redact, log })
  const logs = { report: lines && log.info, requestLog: requestLog && ((id: string) => requestLog.writer(id)) }
  const traces = readTraces(options)
  const stored = await createStoredRuns(options.runs, {
    runs: shared,
    agencies,
    limits,
    log,
    logs,
    requestRules,
    traces,
    ...kept,
  })
  const tickets = createTickets(token)
  const { budget } = runs.runner
  const mcpParts = {
    ...served,
    runs: stored.runs,
    rules: requestRules,
    budget,
    log,
    redact,
    toolEventBytes: limits.toolEventBytes,
  }
  return {
    ...shared,
    ...served,
    stored: { ...stored, identify: identifyByTicket(tickets, stored.identify) },
    tickets,
    peers,
    asksConsent,
    mcp: await openMcp(options, mcpParts),
    limits,
    requestRules,
    dialects: createDialects(options, requestRules),
    doors: {
      openai: readOpenAi(options.openai),
      aiSdk: readAiSdk(options.aiSdk),
      agui: readAguiDoor(options.agui),
      a2a: readA2a(options.a2a, served.agencies),
    },
    heartbeatMs: options.heartbeatMs ?? 15_000,
    requestLog,
    redact,
    noteRun: lines && ((request, note) => lines.noteRun(request, note)),
    log,
    stopping: () => runs.runner.draining,
  }
}

/** True where an agent uses an MCP server with `oauth`. */
const usesLogins = (agency: AgencyGraph) =>
  agency.agentNames
    .map((name) => agency.role(name))
    .some(({ mcpSources, hosted }) => [...mcpSources, ...hosted].some(({ login }) => login !== undefined))

/**
 * Stores the folders of agencies before the server starts. The operator may read the whole cause of a failure. A server without
 * a key of its own stores them at the first run.
 */
async function storeFolders(
  { folders, models }: ReturnType<typeof createRuns>,
  agencies: readonly ServedAgency[],
  explain: (error: unknown) => string,
): Promise<void> {
  try {
    await Promise.all(agencies.map(({ preview }) => folders.prepare(preview, explain)))
  } catch (error) {
    folders.stop(error as Error)
    await models.close()
    throw error
  }
}

function createDialects(
  { enableAgui, streamScalars: scalars = 'json' }: BuildOptions,
  rules: RequestRules,
): Services['dialects'] {
  const events = readAgui(enableAgui)
  return {
    native: createNativeDialect({ scalars, rules }),
    agui: events && createAguiDialect({ rules, events }),
  }
}

/** Its modules are loaded only where it is served. @throws INVALID_OPTION, PACKAGE_MISSING */
async function openMcp({ mcp }: BuildOptions, parts: McpParts): Promise<McpDoor | undefined> {
  const options = readMcp(mcp)
  return options && (await import('../dialects/mcp/door.ts')).createMcpDoor(options, parts)
}

function createRequestLog(
  { enableLogging, logsDir: folder = 'activity-logs' }: BuildOptions,
  { limits, budget, redact, log }: { limits: Limits; budget: Budget; redact: Redact; log: ServerLog },
): RequestLog | undefined {
  if (!enableLogging) return undefined
  const onError = (error: unknown) => log.error(errorText(error), causeOf(error))
  return new RequestLog({ folder, fileBytes: limits.logBytes, files: limits.logFiles, budget, redact, onError })
}

/** @throws NOTHING_TO_SERVE, DUPLICATE_NAME, and what `readAgency` throws */
async function readServed(options: BuildOptions, callbackMs: number) {
  const tools = (options.tools ?? []).map(asFunctionTool)
  const entries = Object.entries(options.agencies ?? {})
  const doors = [...(options.openai ? ['v1'] : []), ...(options.a2a ? ['.well-known'] : [])]
  const agencies = await Promise.all(entries.map(([name, value]) => readAgency(name, value, callbackMs, doors)))
  if (agencies.length + tools.length === 0) throw nothingToServe()
  refuseTwins(
    'agencies are',
    agencies.map((served) => served.path),
  )
  refuseTwins(
    'tools are',
    tools.map((tool) => tool.name),
  )
  return { agencies, tools }
}

function refuseTwins(kind: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index)
  if (twin !== undefined) throw duplicateName(`Two ${kind} served under the name "${twin}". Rename one of them.`)
}

/** Answers the processes of other machines that use the same store. */
function answerOtherMachines({ stored, runner }: Services): void {
  stored.runs.store.processes?.onAsked((question) => {
    const cancel = readCancelQuestion(question)
    if (cancel === undefined || !runner.knows(cancel.runId, cancel.owner)) return undefined
    return runner
      .cancel(cancel.runId, cancel.owner, cancel.mode, cancel.waitMs)
      .then((summary) => ({ newMessages: summary?.newMessages ?? null }))
  })
}

/** Answers the questions of other workers of this machine. */
function answerPeers(worker: WorkerChannel, { runner, requestLog }: Services, metrics: Metrics | undefined): void {
  worker.answer('cancel', async ({ runId, owner, mode, waitMs }) => {
    if (!runner.knows(runId, owner)) return { found: false }
    return { found: true, newMessages: (await runner.cancel(runId, owner, mode, waitMs))?.newMessages }
  })
  worker.answer('flushLog', async ({ id }) => {
    await requestLog?.flush(id)
    return null
  })
  worker.answer('metrics', async () => {
    await metrics?.refresh()
    return { worker: worker.number, text: metrics?.text() ?? '' }
  })
}

/**
 * Loads the modules that requests need before the first request comes: Node never loads a module again whose first load
 * failed, as it does while no file descriptor is free.
 */
const loadModules = () =>
  Promise.all([
    import('openai'),
    import('undici'),
    import('file-type'),
    import('../files/download.ts'),
    import('../models/demo/demo.ts'),
    import('../net/guard.ts'),
  ])
