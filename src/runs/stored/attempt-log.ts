/** What is logged of a stored run: lines for the operator, and for the caller who asked for a log of the request. */
import { isObject } from '../../wire/json.ts'
import type { RunSummary } from '../events.ts'
import { logEnd, type WriteRunLog } from '../run-log.ts'
import type { ClaimedRun, Written } from '../run-store.ts'
import type { StoredOrder } from './order.ts'

/** Where lines go. */
export interface RunLogs {
  /** Writes a line for the operator; undefined where requests are not logged. */
  report: ((message: string, fields: object) => void) | undefined
  /** The log of a request, by its id; undefined where none are kept. */
  requestLog: ((logId: string) => WriteRunLog | undefined) | undefined
}

export interface AttemptLog {
  /** Undefined: the request asked for no log. */
  readonly write: WriteRunLog | undefined
  /**
   * Writes how an attempt ended.
   * @param written what the store answered; undefined when this process has lost the run
   * @param summary set when the run has ended
   */
  left(written: Written | undefined, summary: RunSummary | undefined): void
}

/** Writes that an attempt starts. */
export function logAttempt({ report, requestLog }: RunLogs, { claim, run, work }: ClaimedRun): AttemptLog {
  const { logId } = work.plan as unknown as StoredOrder
  const write = logId == null ? undefined : requestLog?.(logId)
  const fields = { runId: run.runId, agency: run.agency, agent: run.recipient, attempt: claim.attempt }
  const began = performance.now()
  report?.('run started', fields)
  write?.('INFO', `The run starts (attempt ${claim.attempt})`, 'run')
  return {
    write,
    left(written, summary) {
      const status = written?.state.status ?? 'lost'
      const durationMs = Math.round(performance.now() - began)
      const ended = written === undefined ? undefined : summary
      report?.(ended === undefined ? 'run left' : 'run ended', { ...fields, status, durationMs, ...toSpent(ended) })
      if (write === undefined) return
      if (ended !== undefined) logEnd(write, ended)
      else if (status === 'requires_action') write('INFO', 'The run waits for approvals', 'run')
      else write('WARNING', 'The run left its process, and is taken up again', 'run')
    },
  }
}

const toSpent = (summary: RunSummary | undefined) =>
  isObject(summary?.usage) ? { tokens: summary.usage.total_tokens, costUsd: summary.usage.total_cost } : {}
