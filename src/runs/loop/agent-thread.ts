/** The state of a run and of its agent threads while the loop works on them. */
import type { Role } from '../../agency/agency.ts'
import { type AgencyContext, RunContext } from '../../agency/context.ts'
import { callHooks, type RunHooks } from '../../agency/hooks.ts'
import { orAbort } from '../../base/async.ts'
import { type Budget, weigh } from '../../base/budget.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { citationsOf } from '../../messages/search-notes.ts'
import type { FunctionTool } from '../../tools/tool.ts'
import type { InputItem, StoredMessage, Usage } from '../../wire/message.ts'
import type { RunEvent, Speaker } from '../events.ts'
import type { Ledger } from '../ledger.ts'
import type { RunPlan } from '../plan.ts'
import type { Ending, Span } from '../span.ts'
import type { Steering } from '../steering.ts'
import type { ContextWatch } from './context-watch.ts'
import type { AgentProgress, Decision, Journal } from './journal.ts'
import type { Work } from './receipt.ts'
import type { Transcript, TranscriptEntry } from './transcript.ts'
import type { Turn } from './turn-state.ts'

/** What the threads of one run share. */
export interface RunState {
  readonly id: string
  readonly plan: RunPlan
  readonly signal: AbortSignal
  readonly transcript: Transcript
  /** Threads that go on, in the order of their opening: sub-agents after those who asked them. */
  readonly open: Set<AgentThread>
  /** Set while telemetry listens. */
  readonly span: Span<'run'> | undefined
  usage: Usage
  /** True when a call does not count towards usage (`includeUsage: false`), or no call can be made. */
  uncounted: boolean
  turns: number
  /** "sender to recipient" pairs that are talking right now. */
  readonly busy: Set<string>
  /** Agent name -> its tool calls that are running right now; `alone` names the one that allows no other. */
  readonly lanes: Map<string, { running: number; alone: string | undefined }>
  /** What the run holds; parts of it are released as soon as they are no longer used. */
  readonly budget: Budget
  /** Bounds what the run may spend on model calls. Undefined without bounds. */
  readonly ledger?: Ledger | undefined
  /** Records the run so that it survives its process. Undefined for ephemeral runs. */
  readonly journal?: Journal | undefined
  /** What persons ask of a stored run. */
  readonly steering?: Steering | undefined
  /** Set by the loop when a write of the journal failed: nothing of the run may go on. */
  journalFailure?: { error: unknown } | undefined
  /** Threads that have ended and whose end is not recorded yet, by id. */
  ended?: Map<string, AgentThread> | undefined
  /** Set by the loop for runs with a journal. */
  contextWatch?: ContextWatch | undefined
  /** Set by the loop: call id -> the first thread with such a call, for idempotency keys. */
  callIds?: Map<string, string> | undefined
  /** Set by the loop: what the run did, for the receipt of a cancel. */
  work?: Work | undefined
  /** Set by the loop: the final answer of the user's thread, from its acceptance on. */
  answer?: (ThreadResult & { kind: 'answered' }) | undefined
  /** Set by the loop: when the run was aborted, by the plan's clock. */
  abortedAt?: number | undefined
  /** The largest event of a tool, in bytes. */
  readonly toolEventBytes: number
  /** True once the run shall stop at the next turn boundary of each thread, to go on elsewhere. Needs a journal. */
  leaving?(): boolean
  /** The JSON of the state that was sent last; undefined before the first tool call. */
  shownState?: string
  /** Logs a warning for the operator. */
  warn?(message: string): void
  /**
   * Charges bytes to the run, or to a part of its budget that is closed earlier.
   * @throws MEMORY_LIMIT, OVERLOADED when there is no room: the run then ends with that error
   */
  hold(bytes: number, part?: Budget): void
  /**
   * @param scope where the events belong: the id of a thread, or for what a tool emits the id that a thread of its call would
   *   have. A write of the journal that covers the scope makes its events so far final.
   */
  emit(events: readonly RunEvent[], bytes: number, scope: string): void
  /** Undefined when the reader keeps up. */
  room(): Promise<void> | undefined
  /** True once a stop after the current turn was asked for. */
  stopAfterTurn(): boolean
  /**
   * Passes the messages so far to `saveThreads`; called at each turn boundary, before its events are emitted. Rejects with the
   * signal's reason when the run was aborted.
   */
  save(): Promise<void>
  /** Masks the secrets that the server and this request know. */
  redact(text: string): string
  /** What a failure may tell a model or caller. */
  explain(error: unknown, agent: string): string
}

/** A thread to open: the user's with the recipient, or one agent's with another. */
export interface Ask {
  /** Id of the thread; see `ThreadState`. */
  id: string
  parent: { thread: string; callId: string } | null
  agent: string
  caller: string | null
  input: readonly InputItem[]
  additionalInstructions: string
  depth: number
  /** Where the thread notes its work. Default: work of its own. */
  work?: Work
  /** What the thread is a part of: the run, or the call that asked for it. */
  span: Span | undefined
}

/** How a thread ended, or why it did not. */
export type ThreadResult =
  | {
      kind: 'answered'
      /** A text, or the parsed value of an agent with an output type. */
      output: unknown
      /** Why the last model call cut the answer off, such as `max_output_tokens`; undefined for a whole one. */
      cut: string | undefined
    }
  /** A stop after the turn came first. */
  | { kind: 'stopped' }
  /** The client of the request answers these calls, with a request of its own. */
  | { kind: 'handed_back'; calls: readonly InputItem[] }
  /** It goes on from its journal: when all approvals are decided, or where the run is taken up next. */
  | { kind: 'paused' }

/** One agent thread: plain data between two turns, but for the role and context, which belong to the frozen graph. */
export interface AgentThread {
  role: Role
  who: Speaker
  /** The speaker's part of it. */
  span: Span<'agent'> | undefined
  context: AgencyContext
  readonly ask: Ask
  /** History, incoming items and handoff reminders: what stands before the thread's items in every model call. */
  readonly base: InputItem[]
  /** What the base weighs, in bytes: each model call holds it once more while it is sent. */
  readonly baseBytes: number
  /** What the thread's items weigh. */
  itemBytes: number
  /** Items of this thread, added to the transcript when it ends; those of sub-agents come before them by that. */
  readonly items: StoredMessage[]
  /** The newest message that was stored while the thread went on: its request, or a handoff reminder. */
  lastDirect: StoredMessage
  /** See `ThreadState`. */
  readonly openedAt: number
  readonly direct: number[]
  /** Tools that the agent's MCP servers offered at the last model call, by name. */
  found: ReadonlyMap<string, FunctionTool>
  /** True while the user's message was not yet part of a model call. */
  newUserMessage: boolean
  /** What each agent that spoke here has done, by name. */
  readonly progress: Map<string, AgentProgress>
  /** Answers that an output guardrail rejected since this agent took over. */
  rejected: number
  started: boolean
  /** The turn whose calls are being answered. */
  turn: Turn | undefined
  answer: (ThreadResult & { kind: 'answered' }) | undefined
  /** What the thread did, for the receipt of a cancel. */
  readonly work: Work
  /** What the journal already has of the thread. */
  readonly recorded: { items: number; entries: TranscriptEntry[] }
  /** Set after a restart. */
  readonly restored?: RestoredThread | undefined
}

/** What a restart leaves of a thread for the turn that was open. */
export interface RestoredThread {
  /** Call id -> what is known of the call. */
  readonly calls: ReadonlyMap<string, RestoredCall>
  /** Call id -> the thread that the call had opened. */
  readonly threads: ReadonlyMap<string, AgentThread>
  /** A model call was under way when the process died: it was paid. */
  lostModelCall: boolean
}

export interface RestoredCall {
  state: 'begun' | 'done' | undefined
  output: InputItem['output']
  value: unknown
  decision: Decision | undefined
}

export function readProgress({ progress, role }: AgentThread): AgentProgress {
  const known = progress.get(role.agent.name) ?? { toolCalls: 0, toolCallsBefore: 0, usedTools: false }
  progress.set(role.agent.name, known)
  return known
}

/** What runs for a call of this name: the agent's own tool, one of an MCP server, or the stand-in of a hosted one. */
export const findTool = ({ role, found }: AgentThread, name: string): FunctionTool | undefined =>
  role.tools.get(name) ?? found.get(name) ?? role.stubs.get(name)

/** What an event counts for in the reader's window, where its size is not known. */
export const BYTES_PER_EVENT = 256

/** Charges items that a thread keeps from now on. */
export function keep(run: RunState, thread: AgentThread, items: unknown): void {
  const bytes = weigh(items)
  run.hold(bytes)
  thread.itemBytes += bytes
}

/**
 * Who speaks next in a thread. As in the original, each speaker of a streamed run has an id of its own, and a plain run has one
 * id for each thread.
 */
export function nextSpeaker(run: RunState, role: Role, ask: Ask, previous?: Speaker): Speaker {
  const { streaming, newHex } = run.plan
  if (!streaming && previous?.agent === role.agent.name) return previous
  const agentRunId = streaming || previous === undefined ? `agent_run_${newHex()}` : previous.agentRunId
  return createSpeaker(role, ask, agentRunId)
}

export const createSpeaker = (role: Role, { caller, parent }: Ask, agentRunId: string): Speaker => ({
  agent: role.agent.name,
  description: role.agent.description,
  callerAgent: caller,
  agentRunId,
  parentRunId: parent?.callId,
})

export const createContext = (run: RunState, role: Role) => new RunContext(run.plan.userContext, role.agent.name)

/** The id of the thread that a call opens, and the scope of what its tool emits. */
export const callScope = ({ ask }: AgentThread, callId: string) => `${ask.id}/${callId}`

/** An item with the keys that say whose it is. */
export function toStored(
  run: RunState,
  who: Speaker,
  item: InputItem,
  agentRunId: string = who.agentRunId,
): StoredMessage {
  return {
    ...item,
    ...citationsOf(item),
    agent: who.agent,
    callerAgent: who.callerAgent,
    agent_run_id: agentRunId,
    ...(who.parentRunId === undefined ? {} : { parent_run_id: who.parentRunId }),
    run_trace_id: run.plan.traceId,
    history_protocol: 'responses',
    timestamp: Math.round(run.plan.now() * 1000),
  }
}

export const createItemEvent = (
  who: Speaker,
  name: (RunEvent & { kind: 'item' })['name'],
  type: string,
  raw: InputItem,
): RunEvent & { kind: 'item' } => ({ kind: 'item', who, name, type, raw, source: who })

/** How an error is reported to listeners. A stopped run has not failed, unless the server itself goes down. */
export function describeEnding({ signal, redact }: Pick<RunState, 'signal' | 'redact'>, error: unknown): Ending {
  if (signal.aborted && !AgencyError.isInstance(signal.reason)) return { cancelled: true }
  const cause: unknown = signal.aborted ? signal.reason : error
  const type = AgencyError.isInstance(cause) ? cause.code : cause instanceof Error ? cause.name : 'Error'
  return { failure: { type, message: redact(errorText(cause)) } }
}

type Rest<Name extends keyof RunHooks> =
  Parameters<NonNullable<RunHooks[Name]>> extends [AgencyContext, unknown, ...infer More] ? More : never

/** Calls the listeners of the run, the agency and the agent; nothing is awaited when there are none. */
export function notify<Name extends keyof RunHooks>(
  { plan, signal }: RunState,
  { role, context }: AgentThread,
  name: Name,
  ...rest: Rest<Name>
): Promise<void> | undefined {
  const listeners = [plan.hooks, plan.agency.hooks, role.agent.hooks]
  if (listeners.every((listener) => listener?.[name] === undefined)) return undefined
  return orAbort(callHooks(listeners, name, ...([context, role.agent, ...rest] as never)), signal)
}

/** A message that the loop itself adds; `origin` says why. */
export const createNote = (role: string, content: string, origin: string): InputItem => ({
  role,
  content,
  message_origin: origin,
  type: 'message',
})
