import type { Role } from '../../agency/agency.ts'
import { type AgencyContext, RunContext } from '../../agency/context.ts'
import { callHooks, type RunHooks } from '../../agency/hooks.ts'
import { orAbort } from '../../base/async.ts'
import { type Budget, weigh } from '../../base/budget.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { citationsOf } from '../../messages/search-notes.ts'
import type { FunctionTool, ToolContext } from '../../tools/tool.ts'
import type { InputItem, StoredMessage, Usage } from '../../wire/message.ts'
import type { RunEvent, Speaker } from '../events.ts'
import type { RunPlan } from '../plan.ts'
import type { Ending, Span } from '../span.ts'
import type { MessageStore } from './transcript.ts'

/** What the turns of one request share. */
export interface RunState {
  readonly plan: RunPlan
  readonly signal: AbortSignal
  readonly store: MessageStore
  /** Conversations that go on, in the order of their begin: sub-agents after those who asked them. */
  readonly open: Set<Conversation>
  /** Set while somebody listens. */
  readonly span: Span<'run'> | undefined
  usage: Usage
  /** Without a counted call there is nothing to tell: only agents that are not counted were asked, or nobody could be. */
  uncounted: boolean
  turns: number
  /** "sender to recipient" pairs that are talking right now. */
  readonly busy: Set<string>
  /** Agent name -> its tool calls that are running right now; `alone` names the one that allows no other. */
  readonly lanes: Map<string, { running: number; alone: string | undefined }>
  /** What the run holds; parts of it are given back as soon as they are done with. */
  readonly budget: Budget
  /**
   * Charges bytes to the run, or to a part of its budget that is closed earlier.
   * @throws MEMORY_LIMIT, OVERLOADED when there is no room: the run then ends with that error
   */
  hold(bytes: number, part?: Budget): void
  emit(events: readonly RunEvent[], bytes: number): void
  /** Undefined when the reader keeps up. */
  room(): Promise<void> | undefined
  /** True once a stop after the current turn was asked for. */
  stopAfterTurn(): boolean
  /**
   * Gives the conversation so far to `saveThreads`; called at each border of turns, before anybody sees it. Rejects with the
   * signal's reason when the run was aborted.
   */
  save(): Promise<void>
  /** Masks the secrets that the server and this request know. */
  redact(text: string): string
  /** What a failure may tell a model or caller. */
  explain(error: unknown, agent: string): string
}

/** One conversation to hold: the user's with the recipient, or one agent's with another. */
export interface Ask {
  agent: string
  caller: string | null
  parentRunId: string | undefined
  input: readonly InputItem[]
  additionalInstructions: string
  depth: number
  /** What the conversation is a part of: the run, or the call that asked for it. */
  span: Span | undefined
}

/** How a conversation ended. */
export interface Answer {
  /** A text, or the parsed value of an agent with an output type. */
  output: unknown
  /** Why the last model call cut the answer off, such as `max_output_tokens`; undefined for a whole one. */
  cut: string | undefined
}

/** A conversation between two turns: plain data but for the role and context, which belong to the frozen graph. */
export interface Conversation {
  role: Role
  who: Speaker
  /** The speaker's part of it. */
  span: Span<'agent'> | undefined
  context: AgencyContext
  readonly ask: Ask
  /** History, incoming items and handoff reminders: what stands before the own items in every model call. */
  readonly base: InputItem[]
  /** What the base weighs, in bytes: each model call holds it once more while it is sent. */
  readonly baseBytes: number
  /** What the own items weigh. */
  ownBytes: number
  /** Items of this conversation, stored when it ends; nested ones are stored before them by that. */
  readonly own: StoredMessage[]
  lastDirect: StoredMessage
  /** Tools that the MCP servers of the agent offered at the last model call, by name. */
  found: ReadonlyMap<string, FunctionTool>
  /** The user's message was not yet part of a model call. */
  newUserMessage: boolean
  /** What each agent that spoke here has done, by name. */
  readonly progress: Map<string, AgentProgress>
  /** Answers that an output guardrail turned back since this agent took over. */
  rejected: number
}

/** Tool calls of one agent in one conversation, the provider's own tools among them. */
export interface AgentProgress {
  toolCalls: number
  /** The count at the model call before. */
  toolCallsBefore: number
  /** A function was called, or the conversation handed over. */
  usedTools: boolean
}

export function progressOf({ progress, role }: Conversation): AgentProgress {
  const known = progress.get(role.agent.name) ?? { toolCalls: 0, toolCallsBefore: 0, usedTools: false }
  progress.set(role.agent.name, known)
  return known
}

/** What runs for a call of this name: the agent's own tool, one of an MCP server, or the stand-in of a hosted one. */
export const toolNamed = ({ role, found }: Conversation, name: string): FunctionTool | undefined =>
  role.tools.get(name) ?? found.get(name) ?? role.stubs.get(name)

/** What an event counts for in the reader's window, where its size is not known. */
export const BYTES_PER_EVENT = 256

/** Charges items that a conversation keeps from now on. */
export function keep(run: RunState, conversation: Conversation, items: unknown): void {
  const bytes = weigh(items)
  run.hold(bytes)
  conversation.ownBytes += bytes
}

export const speaker = (role: Role, ask: Ask, agentRunId: string): Speaker => ({
  agent: role.agent.name,
  description: role.agent.description,
  callerAgent: ask.caller,
  agentRunId,
  parentRunId: ask.parentRunId,
})

export const contextOf = (run: RunState, role: Role) => new RunContext(run.plan.userContext, role.agent.name)

/** The context as a tool sees it; without a call id for questions that no call has asked. */
export const toolContextOf = (run: RunState, { context }: Conversation, toolCallId = ''): ToolContext =>
  Object.assign(Object.create(context), { toolCallId, signal: run.signal })

/** An item with the keys that say whose it is. */
export function stored(
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
    timestamp: Date.now() * 1000,
  }
}

export const itemEvent = (
  who: Speaker,
  name: (RunEvent & { kind: 'item' })['name'],
  type: string,
  raw: InputItem,
): RunEvent & { kind: 'item' } => ({ kind: 'item', who, name, type, raw, source: who })

/** How listeners are told of an error. Whoever was told to stop has not failed, unless the server itself goes down. */
export function endingOf({ signal, redact }: Pick<RunState, 'signal' | 'redact'>, error: unknown): Ending {
  if (signal.aborted && !AgencyError.isInstance(signal.reason)) return { cancelled: true }
  const cause: unknown = signal.aborted ? signal.reason : error
  const type = AgencyError.isInstance(cause) ? cause.code : cause instanceof Error ? cause.name : 'Error'
  return { failure: { type, message: redact(errorText(cause)) } }
}

type Rest<Name extends keyof RunHooks> =
  Parameters<NonNullable<RunHooks[Name]>> extends [AgencyContext, unknown, ...infer More] ? More : never

/** Tells the run's, the agency's and the agent's listeners; nothing is awaited when there are none. */
export function notify<Name extends keyof RunHooks>(
  { plan, signal }: RunState,
  { role, context }: Conversation,
  name: Name,
  ...rest: Rest<Name>
): Promise<void> | undefined {
  const listeners = [plan.hooks, plan.agency.hooks, role.agent.hooks]
  if (listeners.every((listener) => listener?.[name] === undefined)) return undefined
  return orAbort(callHooks(listeners, name, ...([context, role.agent, ...rest] as never)), signal)
}
