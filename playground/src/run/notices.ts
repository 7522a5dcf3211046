/** What only stored runs tell, in the view of a run. */
import type { RunNotice, StreamEvent } from 'agency-swarm-js/client'
import { followEvent, type RunView } from './run.ts'

/** An event of a run that is streamed or stored. */
export type AnyEvent = StreamEvent | RunNotice

/**
 * Returns the view after one more event of a run of any kind. An `attempt` changes nothing here: who follows the run folds the
 * events anew that are still true.
 */
export function followAnyEvent(run: RunView, event: AnyEvent, at?: number): RunView {
  switch (event.kind) {
    case 'queued':
      return { ...run, queuePosition: event.position }
    case 'requires_action':
      return { ...run, approvals: [...run.approvals, ...event.approvals] }
    case 'approval_decided':
      return { ...run, approvals: run.approvals.filter(({ approval_id }) => approval_id !== event.approval_id) }
    case 'attempt':
    case 'truncated':
    case 'steer':
    case 'branch':
      return run
    case 'agent': {
      const { queuePosition: _, ...rest } = run
      return followEvent(rest, event, at)
    }
    default:
      return followEvent(run, event, at)
  }
}
