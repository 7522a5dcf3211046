/** The plan of a stored run: its request again, with what earlier attempts made of it. */
import { copyContext } from '../../agency/context.ts'
import type { ServedAgency } from '../../agency/served.ts'
import { AgencyError, notRecoverable } from '../../base/errors.ts'
import type { JsonObject } from '../../wire/json.ts'
import type { AgencyRequest } from '../../wire/requests.ts'
import type { RunPlan } from '../plan.ts'
import type { WriteRunLog } from '../run-log.ts'
import type { RunRecord, RunWork } from '../run-store.ts'
import { ownerKey, preparePlan, type RunOrder, type Runs } from '../start.ts'
import { readPrepared } from './journal.ts'
import type { Seal, StoredOrder } from './order.ts'

/** What of a run cannot be stored, and is only in the memory of this process. */
export interface Kept {
  /** The request's `client_config`, with its secrets. */
  clientConfig?: AgencyRequest['client_config']
  /** The user context, once a tool has put something into it that is not JSON. */
  userContext?: { [key: string]: unknown }
}

export interface StoredPlan {
  plan: RunPlan
  order: RunOrder
  /** What the files of the request became, so that they are stored only once; null without files. */
  prepared: JsonObject | null
}

/** Where the parts of a plan come from. */
export interface PlanSources {
  runs: Runs
  agencyOf(path: string): ServedAgency | undefined
  /** What of runs only this process has, by run. */
  kept: Map<string, Kept>
  seal: Seal | undefined
}

/** @throws AGENCY_CHANGED, NOT_RECOVERABLE, FACTORY_FAILED, and what `startRun` throws before the run starts */
export async function planStoredRun(
  { runs, agencyOf, kept, seal }: PlanSources,
  { run, work, signal, log }: { run: RunRecord; work: RunWork; signal: AbortSignal; log: WriteRunLog | undefined },
): Promise<StoredPlan> {
  const stored = work.plan as unknown as StoredOrder
  const served = agencyOf(run.agency)
  if (served === undefined) throw new AgencyError('AGENCY_CHANGED', 500, `There is no agency "${run.agency}" any more.`)
  const request = {
    ...stored.request,
    client_config: readClientConfig(run, work, { kept: kept.get(run.runId), seal }),
    chat_history: work.history.length > 0 ? work.history : (stored.request.chat_history ?? []),
  }
  const callbacks = { loadThreads: () => request.chat_history, saveThreads: () => {} }
  const agency = await served.make(callbacks)
  const keepsNothing = agency.saveThreads === callbacks.saveThreads
  const order: RunOrder = {
    agency,
    request,
    userContext: kept.get(run.runId)?.userContext ?? {
      ...copyContext(agency.userContext),
      ...request.user_context,
    },
    owner: ownerKey(run),
    servedAs: run.agency,
    save: keepsNothing ? undefined : agency.saveThreads,
    maxTurns: stored.maxTurns,
    maxCost: stored.maxCost,
  }
  const prepared = readPrepared(work)
  const options = { streaming: true, signal, log, traceContext: stored.traceContext ?? undefined }
  const planned = await preparePlan(runs, prepared === null ? order : withoutFiles(order), options)
  const plan = { ...planned, ...fromPrepared(prepared), traceId: stored.traceId }
  return { plan, order, prepared: prepared ?? toPrepared(plan) }
}

/** @throws NOT_RECOVERABLE when the request's secrets, or values of its context, were in the memory of another process */
function readClientConfig(
  { runId, recoverable }: RunRecord,
  { plan, sealed }: RunWork,
  { kept, seal }: { kept: Kept | undefined } & Pick<PlanSources, 'seal'>,
): AgencyRequest['client_config'] {
  if (kept?.clientConfig !== undefined) return kept.clientConfig
  if (!recoverable && kept === undefined) throw notRecoverable()
  if (sealed === null) return (plan as unknown as StoredOrder).request.client_config
  try {
    if (seal !== undefined) return seal.open(runId, sealed) as AgencyRequest['client_config']
  } catch {
    // Sealed with another key.
  }
  throw notRecoverable()
}

const withoutFiles = (order: RunOrder): RunOrder => ({
  ...order,
  request: { ...order.request, file_ids: undefined, file_urls: undefined },
})

function toPrepared({ input, notes, fileIdsMap, hostedTools, unstoredParts }: RunPlan): JsonObject | null {
  const isPlain =
    fileIdsMap === undefined && notes.length === 0 && hostedTools.length === 0 && unstoredParts.length === 0
  if (isPlain) return null
  return {
    input,
    notes,
    fileIdsMap: fileIdsMap ?? null,
    hostedTools: [...hostedTools],
    unstoredParts: [...unstoredParts],
  }
}

function fromPrepared(prepared: JsonObject | null): Partial<RunPlan> {
  if (prepared === null) return {}
  const { fileIdsMap, ...parts } = prepared as unknown as RunPlan
  return { ...parts, fileIdsMap: fileIdsMap ?? undefined }
}
