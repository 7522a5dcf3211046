/** What a call of a turn is: a tool's, a message to another agent, or a handoff. */
import type { Role } from '../../agency/agency.ts'
import type { Agent } from '../../agency/agent.ts'
import type { HandoffClass } from '../../agency/flows.ts'
import type { FunctionTool } from '../../tools/tool.ts'
import { type AgentThread, findTool, type RunState } from './agent-thread.ts'
import type { FunctionCall, Turn, TurnCall } from './turn-state.ts'

/** True when the agent has a tool, a recipient or a handoff of this name, or the client a tool. */
export const isKnown = (run: RunState, thread: AgentThread, name: string): boolean =>
  isOwn(thread, name) || clientToolsOf(run, thread).some((tool) => tool.name === name)

const isOwn = (thread: AgentThread, name: string) =>
  findTool(thread, name) !== undefined || thread.role.sends.has(name) || thread.role.handoffs.has(name)

/** The tools that the client of the request runs: for the agent that talks to the user. */
const clientToolsOf = ({ plan }: RunState, { ask }: AgentThread): RunState['plan']['client']['tools'] =>
  ask.depth === 0 ? plan.client.tools : []

/** The calls of a turn that go back to the client. One with a problem does not: the model reads the problem. */
export function clientCallsOf(run: RunState, thread: AgentThread, { calls }: Turn): TurnCall[] {
  const tools = clientToolsOf(run, thread)
  if (tools.length === 0) return []
  return calls.filter(
    ({ name, problem, half, hosted }) =>
      problem === undefined && !half && !hosted && !isOwn(thread, name) && tools.some((tool) => tool.name === name),
  )
}

/** What runs in this process for a call; undefined for send_message, for handoffs, and for calls that must not run. */
export const toolOf = (thread: AgentThread, { name, problem, hosted }: FunctionCall): FunctionTool | undefined =>
  problem === undefined && !hosted && !thread.role.sends.has(name) ? findTool(thread, name) : undefined

/** The call that hands the thread over: the first of the turn. */
export function handoffOf(
  { role }: AgentThread,
  { calls }: Turn,
): { call: TurnCall; handoff: { target: Agent; via: HandoffClass } } | undefined {
  for (const call of calls) {
    const handoff = isTransfer(role, call) ? role.handoffs.get(call.name) : undefined
    if (handoff !== undefined) return { call, handoff }
  }
  return undefined
}

/** True for a whole call that would hand the thread over. */
export const isTransfer = (role: Role, { name, half, hosted }: FunctionCall): boolean =>
  !half && !hosted && role.handoffs.has(name)

/**
 * The key under which a call may be repeated without a second effect: `<run id>:<call id>`. Models that number their calls use
 * an id in several threads; then the later ones get the thread's id too.
 */
export function createKey(run: RunState, { ask }: AgentThread, callId: string): string {
  run.callIds ??= new Map()
  const owner = run.callIds.get(callId) ?? ask.id
  run.callIds.set(callId, owner)
  return owner === ask.id ? `${run.id}:${callId}` : `${run.id}:${ask.id}/${callId}`
}
