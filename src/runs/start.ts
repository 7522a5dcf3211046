/** Starts the run of a request, whichever way the request came: over HTTP, in process, or from a worker. */
import type { AgencyGraph, SaveThreads } from '../agency/agency.ts'
import { copyContext } from '../agency/context.ts'
import type { FolderDesk } from '../agency/folder-desk.ts'
import type { RunHooks } from '../agency/hooks.ts'
import type { ServedAgency } from '../agency/served.ts'
import { type Budget, weigh } from '../base/budget.ts'
import type { Limits } from '../base/limits.ts'
import type { FileDesk } from '../files/attachments.ts'
import type { Models } from '../models/models.ts'
import type { PriceList } from '../models/pricing/prices.ts'
import { loadConversation } from '../threads/load.ts'
import type { LoginDesk } from '../tools/mcp/oauth/desk.ts'
import { type AgencyRequest, secretsOf } from '../wire/requests.ts'
import { attachFiles, namesFiles } from './attach-files.ts'
import { createMemoryAccount, Ledger } from './ledger.ts'
import { planRun, type RunPlan } from './plan.ts'
import { logEnd, logSteps, type WriteRunLog } from './run-log.ts'
import type { Run, Runner } from './runner.ts'
import type { Telemetry, TraceContext } from './span.ts'

/** Everything that runs share. Made once per server, or per agency that runs in process. */
export interface Runs extends PriceList {
  readonly runner: Runner
  readonly models: Models
  readonly files: FileDesk
  /** Stores the folders of agencies before their first run. */
  readonly folders: FolderDesk
  /** The logins of owners at MCP servers. */
  readonly logins: LoginDesk
  readonly limits: Pick<Limits, 'callbackMs' | 'maxTurns'>
  /** US dollars that one run may cost; null for no bound. */
  readonly maxCost: number | null
  /** Set while somebody listens. */
  readonly telemetry: Telemetry | undefined
}

/** The owner of a run in the runner, which knows one text. */
export const ownerKey = ({ agency, owner }: { agency: string; owner: string }): string =>
  JSON.stringify([agency, owner])

/** Whose the key is; undefined for an owner that no `ownerKey` names. */
export function readOwnerKey(key: string): { agency: string; owner: string } | undefined {
  const [agency, owner] = key.startsWith('[') ? (JSON.parse(key) as [string, string]) : []
  return agency === undefined || owner === undefined ? undefined : { agency, owner }
}

/** What a request brings beside its fields. */
export interface StartOptions {
  streaming: boolean
  /** Aborted when the caller is gone: files are no longer prepared, and the run is cancelled at once. */
  signal?: AbortSignal | undefined
  /** The caller's own trace, for telemetry. */
  traceContext?: TraceContext | undefined
  /** Writes to the log of the request. */
  log?: WriteRunLog | undefined
  /** The budget of the request, which the run then shares. Default: a budget of its own */
  budget?: Budget | undefined
}

/** A request, addressed to an agency object. */
export interface RunOrder {
  agency: AgencyGraph
  request: Omit<AgencyRequest, 'user_context'>
  /** The object that tools see, not copied. */
  userContext: { [key: string]: unknown }
  /** Whose run it is: only the same owner can cancel it. */
  owner: string
  /** How telemetry and the log name the agency. Default: its own name. */
  servedAs?: string | undefined
  /** Saves the conversation at each turn boundary. Undefined: the caller keeps it. */
  save: SaveThreads | undefined
  /** Listeners of this run alone. Default: those that write to `log`. */
  hooks?: RunHooks | undefined
  /** Most model turns; null for no limit. */
  maxTurns: number | null
  /** US dollars for all model calls of the run; null for no bound. */
  maxCost: number | null
}

/**
 * Starts the run of a request to a served agency. All protocols that run an agency call this function.
 * @throws SHUTTING_DOWN, OVERLOADED, FACTORY_FAILED, and what `startRun` throws
 */
export async function startServedRun(
  runs: Runs,
  served: ServedAgency,
  request: AgencyRequest,
  { owner = served.path, ...options }: StartOptions & { owner?: string | undefined },
): Promise<Run> {
  runs.runner.admit()
  const callbacks = { loadThreads: () => request.chat_history, saveThreads: () => {} }
  const agency = await served.make(callbacks)
  const keepsNothing = agency.saveThreads === callbacks.saveThreads // the caller keeps the conversation
  const order: RunOrder = {
    agency,
    request,
    userContext: { ...copyContext(agency.userContext), ...request.user_context },
    owner,
    servedAs: served.path,
    save: keepsNothing ? undefined : agency.saveThreads,
    maxTurns: runs.limits.maxTurns,
    maxCost: runs.maxCost,
  }
  return startRun(runs, order, options)
}

/**
 * Starts a run: folders, history, plan, files, run.
 * @throws FOLDER_FAILED, THREADS_FAILED, UNKNOWN_AGENT, MISSING_API_KEY, MODEL_NOT_SUPPORTED, GATEWAY_REFUSED, FILE_FAILED,
 *   SHUTTING_DOWN, OVERLOADED; the signal's reason when it aborts while files are prepared
 */
export async function startRun(runs: Runs, order: RunOrder, options: StartOptions): Promise<Run> {
  const { owner, save } = order
  const { signal, log, budget } = options
  const plan = await preparePlan(runs, order, options)
  const run = runs.runner.start(plan, { owner, save, budget, ledger: ledgerOf(runs, order) })
  const cancel = () => run.stop('immediate')
  signal?.addEventListener('abort', cancel, { once: true })
  if (signal?.aborted) cancel() // it aborted while the run was prepared
  if (signal !== undefined || log !== undefined)
    void run.done.then((summary) => {
      signal?.removeEventListener('abort', cancel)
      if (log !== undefined) logEnd(log, summary)
    })
  return run
}

/** What bounds the costs of a run that nobody stores. */
function ledgerOf({ price, priceOf }: Runs, { maxCost, request }: RunOrder): Ledger | undefined {
  if (maxCost === null) return undefined
  const bounds = [{ of: 'run' as const, scope: 'run', limitUsd: maxCost }]
  return new Ledger({ price, priceOf, account: createMemoryAccount(), bounds, clientConfig: request.client_config })
}

/** The plan of a request, with its folders and files stored. @throws what `startRun` throws before the run starts */
export async function preparePlan(runs: Runs, order: RunOrder, options: StartOptions): Promise<RunPlan> {
  if (order.agency.folders.length > 0) await runs.folders.prepare(order.agency)
  return withFiles(runs, await planOf(runs, order, options), order.request, options)
}

async function planOf(
  { models, limits, price, telemetry, logins }: Runs,
  { agency, request, userContext, owner, servedAs, hooks, maxTurns }: RunOrder,
  { streaming, traceContext, log }: StartOptions,
): Promise<RunPlan> {
  const { chat_history: sent, client_config: clientConfig } = request
  return planRun(agency, await models.of(clientConfig), {
    message: request.message,
    history: await loadConversation(agency.loadThreads, { sent, callbackMs: limits.callbackMs }),
    recipient: request.recipient_agent,
    additionalInstructions: request.additional_instructions,
    client: request.client,
    userContext,
    secrets: secretsOf(clientConfig),
    logins: logins.of(owner),
    configBytes: weigh(clientConfig),
    hooks: hooks ?? (log && logSteps(log)),
    price,
    namesChat: request.generate_chat_name === true,
    streaming,
    maxTurns,
    telemetry,
    servedAs,
    traceContext,
  })
}

async function withFiles(
  { files }: Runs,
  plan: RunPlan,
  { file_ids: fileIds, file_urls: fileUrls }: RunOrder['request'],
  { signal = new AbortController().signal, log }: StartOptions,
): Promise<RunPlan> {
  const named = { fileIds, fileUrls }
  if (!namesFiles(named)) return plan
  try {
    return await attachFiles(plan, named, files, signal)
  } catch (error) {
    log?.('ERROR', 'The files of the request could not be attached', 'files')
    throw error
  }
}
