/** How a stored run ends: its status, and what its callers get. */
import { AgencyError } from '../../base/errors.ts'
import type { JsonObject } from '../../wire/json.ts'
import type { RunSummary } from '../events.ts'
import type { Leaving } from '../run-store.ts'

/** Errors that leave a run incomplete and not failed, with the reason that callers get. */
const INCOMPLETE: { readonly [code: string]: string } = { TURN_LIMIT: 'max_turns', COST_LIMIT: 'max_cost' }

export function toEnd(summary: RunSummary, receipt: JsonObject | null): Leaving & { kind: 'end' } {
  const end = { kind: 'end' as const, outcome: toOutcome(summary) }
  if (summary.cancelled) return { ...end, status: 'cancelled', receipt }
  if (summary.failure === undefined) return { ...end, status: 'completed' }
  // A summary from the store has the code alone.
  const code = summary.errorCode ?? (AgencyError.isInstance(summary.error) ? summary.error.code : 'INTERNAL')
  const incompleteReason = INCOMPLETE[code]
  if (incompleteReason !== undefined) return { ...end, status: 'incomplete', incompleteReason }
  return { ...end, status: 'failed', error: { code, message: summary.failure } }
}

/** The fields of a get_response answer; `response` is null where there is none. */
export function toOutcome({
  finalOutput,
  newMessages,
  usage,
  fileIdsMap,
  chatName,
  cut,
  clientCalls,
}: RunSummary): JsonObject {
  return {
    response: finalOutput ?? null,
    new_messages: newMessages,
    usage: usage ?? null,
    ...(cut === undefined ? {} : { incomplete_details: { reason: cut } }),
    ...(clientCalls === undefined ? {} : { client_calls: [...clientCalls] }),
    ...(fileIdsMap === undefined ? {} : { file_ids_map: fileIdsMap }),
    ...(chatName === undefined ? {} : { chat_name: chatName }),
  }
}

/** The summary of a run that ended without a worker. */
export const emptySummary = (changes: Partial<RunSummary> = {}): RunSummary => ({
  newMessages: [],
  finalOutput: undefined,
  cut: undefined,
  cancelled: false,
  usage: undefined,
  fileIdsMap: undefined,
  chatName: undefined,
  failure: undefined,
  error: undefined,
  ...changes,
})
