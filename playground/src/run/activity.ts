/** Computes who did what in the runs of a conversation. */
import { agentInFront, type CallEntry, FRONT, failureOf, type ModelCall, type RunView } from './run.ts'

/** `waiting`: the agent waits for agents or tools it called. `failed`: its work in the last run ended in an error. */
export type AgentState = 'idle' | 'working' | 'waiting' | 'failed'

export interface AgentActivity {
  state: AgentState
  /** Number of its model's answers. */
  answers: number
  inputTokens: number
  outputTokens: number
  /** Cost so far in US dollars; undefined while unknown. */
  costUsd: number | undefined
  /** True when the cost includes an incomplete answer, whose price the server estimated. */
  estimated: boolean
}

export interface EdgeActivity {
  /** Number of questions to a sub-agent, and of handoffs. */
  messages: number
  /** Number of questions that ended in an error. */
  failed: number
  active: boolean
  /** Tokens the asked agent used to answer, without the agents it asked itself. */
  tokens: number
  /** The same in US dollars; undefined while unknown. */
  costUsd: number | undefined
}

export interface ToolActivity {
  calls: number
  /** Number of failed calls. */
  failed: number
  active: boolean
  /** Total time of the finished calls, in milliseconds. */
  ms: number
}

export interface Activity {
  agents: ReadonlyMap<string, AgentActivity>
  /** `edgeKey(from, to)` -> activity of the edge. */
  edges: ReadonlyMap<string, EdgeActivity>
  /** `edgeKey(agent, tool)` -> activity of the tool. */
  tools: ReadonlyMap<string, ToolActivity>
}

export const edgeKey = (from: string, to: string) => JSON.stringify([from, to])

/** The cost of a model's answer in US dollars; undefined while unknown. */
export type CostOf = (call: ModelCall) => number | undefined

/** Computes who did what in these runs; states are those of the last run. */
export function readActivity(runs: readonly RunView[], costOf: CostOf): Activity {
  const agents = new Map<string, AgentActivity>()
  const edges = new Map<string, EdgeActivity>()
  const tools = new Map<string, ToolActivity>()
  for (const run of runs) {
    const asked = new Map<string, CallEntry>() // thread of a sub-agent -> the call that opened it
    for (const entry of [...run.threads.values()].flat()) {
      if (entry.kind === 'handoff' && entry.to !== undefined)
        addTo(edges, edgeKey(entry.from, entry.to), { messages: 1 })
      if (entry.kind !== 'call') continue
      const callee = run.speakers.get(entry.id)
      const active = run.phase === 'running' && entry.state === 'open' && entry.startedAt !== undefined
      if (callee !== undefined) {
        asked.set(entry.id, entry)
        addTo(edges, edgeKey(entry.agent, callee), { messages: 1, failed: entry.failure === undefined ? 0 : 1, active })
      }
      const ms = entry.state === 'complete' ? (entry.endedAt ?? 0) - (entry.startedAt ?? entry.endedAt ?? 0) : 0
      const key = edgeKey(entry.agent, entry.name)
      const tool = tools.get(key) ?? { calls: 0, failed: 0, active: false, ms: 0 }
      const failed = tool.failed + (entry.failure === undefined ? 0 : 1)
      tools.set(key, { calls: tool.calls + 1, failed, active: tool.active || active, ms: tool.ms + ms })
    }
    const costs = costsOf(run, costOf)
    for (const [index, { agent, thread, inputTokens = 0, outputTokens = 0 }] of run.modelCalls.entries()) {
      const before = agents.get(agent) ?? idle()
      const costUsd = costs[index]
      const estimated = run.usage?.estimated === true && run.modelCalls[index]?.billed === undefined
      agents.set(agent, {
        ...before,
        answers: before.answers + 1,
        inputTokens: before.inputTokens + inputTokens,
        outputTokens: before.outputTokens + outputTokens,
        costUsd: sum(before.costUsd, costUsd),
        estimated: before.estimated || estimated,
      })
      const caller = asked.get(thread)
      if (caller !== undefined)
        addTo(edges, edgeKey(caller.agent, agent), { tokens: inputTokens + outputTokens, costUsd })
    }
  }
  const last = runs.at(-1)
  const states = last === undefined ? [] : [...failedIn(last), ...(last.phase === 'running' ? statesOf(last) : [])]
  for (const [agent, state] of states) agents.set(agent, { ...(agents.get(agent) ?? idle()), state })
  return { agents, edges, tools }
}

const idle = (): AgentActivity => ({
  state: 'idle',
  answers: 0,
  inputTokens: 0,
  outputTokens: 0,
  costUsd: 0,
  estimated: false,
})

/** Adds two costs; the sum is unknown when either is. */
const sum = (a: number | undefined, b: number | undefined) => (a === undefined || b === undefined ? undefined : a + b)

/** Smaller differences, in US dollars, are rounding errors. */
const SAME_COST = 1e-9

/**
 * The cost of each answer of a run. The server's total at the end of the run decides: its difference to the known costs is
 * divided equally among the incomplete answers.
 */
function costsOf({ modelCalls, phase, usage }: RunView, costOf: CostOf): (number | undefined)[] {
  if (usage?.total_cost === 0) return modelCalls.map(() => 0)
  const costs = modelCalls.map((call) => (phase === 'running' && call.endedAt === undefined ? 0 : costOf(call)))
  if (usage === undefined) return costs
  const total = costs.reduce<number | undefined>(sum, 0)
  if (total !== undefined && Math.abs(total - usage.total_cost) < SAME_COST) return costs
  if (modelCalls.length === 1) return [usage.total_cost]
  const broken = modelCalls.filter((call) => call.billed === undefined).length
  const billed = modelCalls.reduce<number | undefined>(
    (all, call, index) => (call.billed === undefined ? all : sum(all, costs[index])),
    0,
  )
  if (broken === 0 || billed === undefined || billed > usage.total_cost + SAME_COST)
    return modelCalls.map(() => undefined)
  const rest = Math.max(0, usage.total_cost - billed) / broken
  return modelCalls.map((call, index) => (call.billed === undefined ? rest : costs[index]))
}

function addTo(edges: Map<string, EdgeActivity>, key: string, more: Partial<EdgeActivity>): void {
  const before = edges.get(key) ?? { messages: 0, failed: 0, active: false, tokens: 0, costUsd: 0 }
  const { messages, failed, active, tokens } = before
  edges.set(key, {
    messages: messages + (more.messages ?? 0),
    failed: failed + (more.failed ?? 0),
    active: active || (more.active ?? false),
    tokens: tokens + (more.tokens ?? 0),
    costUsd: 'costUsd' in more ? sum(before.costUsd, more.costUsd) : before.costUsd,
  })
}

/** The agents whose question failed, and the one in front of a failed run. */
function failedIn(run: RunView): [agent: string, state: AgentState][] {
  const front = failureOf(run) === undefined ? undefined : agentInFront(run)
  const asked = [...run.threads.values()].flat().flatMap((entry) => {
    const failed = entry.kind === 'call' && entry.failure !== undefined
    return failed ? [run.speakers.get(entry.id)] : []
  })
  return [...asked, front].filter((agent) => agent !== undefined).map((agent) => [agent, 'failed'])
}

/** The state of an agent: it works when any of its threads does, and waits when all open threads wait for calls. */
function statesOf(run: RunView): Map<string, AgentState> {
  const states = new Map<string, AgentState>()
  const done = new Set(
    [...run.threads.values()]
      .flat()
      .flatMap((entry) => (entry.kind === 'call' && entry.state !== 'open' ? [entry.id] : [])),
  )
  for (const [thread, agent] of run.speakers) {
    if (thread !== FRONT && done.has(thread)) continue
    const waits = (run.threads.get(thread) ?? []).some(
      (entry) => entry.kind === 'call' && entry.state === 'open' && entry.startedAt !== undefined,
    )
    if (states.get(agent) !== 'working') states.set(agent, waits ? 'waiting' : 'working')
  }
  return states
}
