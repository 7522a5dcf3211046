/** What the loop records of a run that survives its process: plain JSON, appended at turn boundaries and tool calls. */
import type { ConsentRequest } from '../../tools/mcp/oauth/login.ts'
import type { InputItem, StoredMessage, Usage } from '../../wire/message.ts'
import type { NotTakenReason } from '../steering.ts'

/**
 * Records the progress of a run. Absent for ephemeral runs, which record nothing.
 *
 * Written are: a thread when it is opened (with the call that asked for it); each answer of a model with its items, the turn
 * boundary and `begun` for each tool call, before any of them runs; each answer of a tool.
 *
 * What the run emitted in a thread before a write that names it in `covers` is committed with that write or before it. The
 * loop goes on when the promise resolves; when it rejects, the attempt ends with that error.
 */
export interface Journal {
  write(change: JournalChange): Promise<void>
}

/** One atomic change. Repeating it is safe: everything in it is a whole value or has a place of its own. */
export interface JournalChange {
  progress: RunProgress
  /** Replace the states of these threads. */
  threads: readonly ThreadState[]
  /** Appended to the items of a thread, each at its place; never rewritten. */
  items: readonly ThreadItem[]
  /** Appended to the run's transcript. */
  transcript: readonly TranscriptRecord[]
  calls: readonly CallState[]
  /** Calls that wait for a person from now on. */
  approvals: readonly ApprovalRequest[]
  /** What became of messages to agents. Default: nothing. */
  steers?: readonly SteerOutcome[]
  /** Scopes (see `RunState.emit`) whose events so far are final: after a restart they are not emitted again. */
  covers: readonly string[]
  /** True for a model's answer: earlier crashes of the run no longer count. */
  turn: boolean
  /**
   * True when nothing that follows has an effect outside the run: the loop goes on at once. The change is stored with the next
   * write, or with the events that come next, whichever is first.
   */
  deferrable: boolean
}

/** What became of a message to an agent of the run: it is among the items of the same change, or will never be. */
export interface SteerOutcome {
  steerId: string
  text: string
  thread: string
  agent: string
  status: 'taken' | 'not_taken'
  reason?: NotTakenReason
}

/** Counts of the whole run, and what its tools changed in the user context. */
export interface RunProgress {
  turns: number
  usage: Usage
  uncounted: boolean
  context: ContextChange
  /** False once a tool put something into the user context that is not JSON: only this process can go on with the run. */
  recoverable: boolean
}

/** Top-level keys of the user context that differ from the start of the run. */
export interface ContextChange {
  set: { [key: string]: unknown }
  removed: string[]
}

/** One agent thread between turns, or inside a turn whose calls are being answered. */
export interface ThreadState {
  /** `main` for the user's thread; otherwise the id of the asking thread, `/` and the id of the call. */
  id: string
  /** The call that asked for it; null for the user's thread. */
  parent: { thread: string; callId: string } | null
  /** Whom the thread was opened with; a handoff changes `agent` only. */
  recipient: string
  caller: string | null
  /** Who speaks now. */
  agent: string
  agentRunId: string
  depth: number
  additionalInstructions: string
  /** The number of the first transcript entry that was not there when the thread was opened. */
  openedAt: number
  /** Transcript entries that stand in every model call after what was there before: the request and handoff reminders. */
  direct: number[]
  /** True once a turn was finished: hooks and guardrails of the start are over. */
  started: boolean
  newUserMessage: boolean
  rejected: number
  progress: { [agent: string]: AgentProgress }
  /** The turn whose calls are being answered; null between turns. */
  turn: TurnState | null
  /** The final answer, once it was accepted. */
  answer: { output: unknown; cut: string | null } | null
}

/** Tool calls of one agent in one thread, the provider's own tools among them. */
export interface AgentProgress {
  toolCalls: number
  /** The count at the model call before. */
  toolCallsBefore: number
  /** A function was called, or the thread was handed over. */
  usedTools: boolean
}

/** A turn whose calls are being answered. */
export interface TurnState {
  /** The place of the answer's first item in its thread. */
  from: number
  calls: TurnCallState[]
}

export interface TurnCallState {
  callId: string
  /** What the model reads instead of an output; null for a call that may run. */
  problem: string | null
  /** The answer was cut in the middle of it. */
  half: boolean
  /** The idempotency key of the call. */
  key: string
  needsApproval: boolean
}

export interface ThreadItem {
  thread: string
  /** Its place in the thread, from 0. */
  n: number
  item: StoredMessage
}

/** An entry of the transcript: messages, or `thread` for the items of a thread that ended there. */
export type TranscriptRecord = { n: number; messages: readonly StoredMessage[] } | { n: number; thread: string }

export interface CallState {
  thread: string
  callId: string
  state: 'begun' | 'done'
  /** Of `done`: what the model reads. */
  output?: InputItem['output']
  /** Of `done`: what the stream's readers get. */
  value?: unknown
}

/** A call that waits for a person. */
export interface ApprovalRequest {
  thread: string
  callId: string
  agent: string
  tool: string
  /** Valid arguments as the tool gets them, before conversions of its schema. */
  arguments: unknown
  /** The call id of the send_message that the agent works for; null in the user's thread. */
  parentRunId: string | null
  /** What a person gives instead of an approval, with the time until which that is possible. */
  consent?: ConsentRequest | undefined
}

/** What was decided about a call. */
export type Decision =
  | { kind: 'pending' }
  /** `arguments` replace those of the call. */
  | { kind: 'approve'; arguments?: unknown }
  | { kind: 'reject'; reason?: string | undefined }
  /** Nobody decided in time. */
  | { kind: 'expired' }

export interface ApprovalState {
  thread: string
  callId: string
  decision: Decision
}

/** Everything that was recorded of a run. */
export interface RunSnapshot {
  progress: RunProgress
  /** In the order in which they were opened. */
  threads: ThreadState[]
  /** By thread, in order. */
  items: { [thread: string]: StoredMessage[] }
  transcript: TranscriptRecord[]
  calls: CallState[]
  approvals: ApprovalState[]
}

/** A snapshot with a change applied. The changes of a run, folded in order, give what `resumeLoop` goes on from. */
export function applyChange(snapshot: RunSnapshot | undefined, change: JournalChange): RunSnapshot {
  const before: RunSnapshot = snapshot ?? {
    progress: change.progress,
    threads: [],
    items: {},
    transcript: [],
    calls: [],
    approvals: [],
  }
  const items = { ...before.items }
  for (const { thread, n, item } of change.items) {
    const list = [...(items[thread] ?? [])]
    list[n] = item
    items[thread] = list
  }
  const pending = change.approvals.map(({ thread, callId }) => ({
    thread,
    callId,
    decision: { kind: 'pending' as const },
  }))
  return {
    progress: change.progress,
    threads: replaceBy(({ id }) => id, before.threads, change.threads),
    items,
    transcript: replaceBy(({ n }) => n, before.transcript, change.transcript).sort((a, b) => a.n - b.n),
    calls: replaceBy(({ thread, callId }) => `${thread}/${callId}`, before.calls, change.calls),
    approvals: replaceBy(({ thread, callId }) => `${thread}/${callId}`, before.approvals, pending),
  }
}

/** A list with the rows of another in place of those with the same key, or at its end. */
function replaceBy<Row>(keyOf: (row: Row) => unknown, list: readonly Row[], rows: readonly Row[]): Row[] {
  return [...new Map([...list, ...rows].map((row) => [keyOf(row), row])).values()]
}

/** One emitted event as its log knows it. */
export interface LoggedFrame {
  number: number
  /** The scope it was emitted in. */
  scope: string
}

/**
 * Which frames of an attempt that was lost are void: all after `voidAfter`. Those in `again` are final all the same and are
 * sent again, with new numbers, right after the `attempt` event.
 *
 * @param frames in the order of their numbers
 * @param covered scope -> number of the newest frame that a write covered
 */
export function findVoidFrames(
  frames: readonly LoggedFrame[],
  covered: ReadonlyMap<string, number>,
): { voidAfter: number; again: number[] } {
  const isFinal = ({ number, scope }: LoggedFrame) => number <= (covered.get(scope) ?? 0)
  const first = frames.find((frame) => !isFinal(frame))
  if (first === undefined) return { voidAfter: frames.at(-1)?.number ?? 0, again: [] }
  const again = frames.filter((frame) => frame.number > first.number && isFinal(frame)).map(({ number }) => number)
  return { voidAfter: first.number - 1, again }
}
