/** The events of a run as a resource: those of a stream with their numbers, and those that only such a run has. */
import type { RunBranch, RunSteer } from '../wire/steering.ts'
import { createEventReader, type Frame, type StreamEvent } from './events.ts'
import type { Approval } from './run-answers.ts'

/** A call that waits for a person, as a stream tells it. */
export type RequestedApproval = Pick<
  Approval,
  'approval_id' | 'agent' | 'tool' | 'call_id' | 'arguments' | 'expires_at' | 'consent'
>

/** What only runs as resources tell. */
export type RunNotice =
  /** The run waits for those before it on its thread; 1 is next. */
  | { kind: 'queued'; position: number }
  /**
   * Another process has taken the run up again. Every event between number `void_after` and this one never happened: drop what
   * you made of it, as `stream.view` does. What is still true of it follows again, with new numbers.
   */
  | { kind: 'attempt'; attempt: number; void_after: number }
  /** Calls wait for a decision. */
  | { kind: 'requires_action'; approvals: RequestedApproval[] }
  /** A call waits no longer: somebody has decided, or nobody did in time. `reason` is that of a person who rejected it. */
  | {
      kind: 'approval_decided'
      approval_id: string
      call_id: string
      status: 'approved' | 'rejected' | 'expired'
      reason: string | null
    }
  /** What became of a message that somebody sent to an agent of the run. */
  | ({ kind: 'steer' } & RunSteer)
  /** An agent waits at a turn boundary because somebody has asked for it, or goes on. */
  | ({ kind: 'branch' } & RunBranch)
  /** The run has produced more than is stored: from here on pieces of texts are left out, items are whole. */
  | { kind: 'truncated'; detail: string }

/** One event of a run, a union by `kind`. `id` is its number in the run: 1, 2, 3, ... */
export type RunEvent = (StreamEvent | RunNotice) & { id: number }

const NOTICES = new Set(['queued', 'attempt', 'requires_action', 'approval_decided', 'steer', 'branch', 'truncated'])

/** Creates a function that turns frames into events. Use one per run. @throws ClientError of kind `bad_answer` */
export function createRunEventReader(): (frame: Frame) => RunEvent {
  const read = createEventReader()
  return (frame) => {
    const id = Number(frame.id ?? 0)
    const event = read(frame)
    if (event.kind === 'other' && NOTICES.has(event.event ?? ''))
      return { ...(event.data as object), kind: event.event, id } as RunEvent
    return Object.assign(event, { id })
  }
}
