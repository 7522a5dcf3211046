/** The body of POST /runs as a request to the service. */
import type { RunRequest } from '../../wire/runs.ts'
import type { StartStoredRun } from './service.ts'

export function toStart(body: RunRequest, now: number): Omit<StartStoredRun, 'agency' | 'owner'> {
  const { thread_id: threadId, if_not_exists, multitask_strategy, max_turns, max_cost, ...others } = body
  const { metadata, webhook, start_at: startAt, after_seconds: afterSeconds, ...request } = others
  return {
    request,
    thread:
      threadId == null
        ? null
        : { threadId, ifNotExists: if_not_exists ?? 'create', strategy: multitask_strategy ?? 'enqueue' },
    startAt:
      startAt != null ? Date.parse(startAt) : afterSeconds == null ? null : now + Math.round(1000 * afterSeconds),
    webhook,
    maxTurns: max_turns,
    maxCost: max_cost,
    metadata: metadata ?? {},
  }
}
