/** The branches of a run: conversations that have not ended, and how a request names one. */
import { agentAmbiguous, agentNotInRun } from '../../base/errors.ts'
import type { ThreadState } from '../loop/journal.ts'
import { MAIN } from '../loop/loop.ts'
import type { Branch, BranchWork, FindBranch } from '../steering.ts'

/** How a request names a branch. */
export interface BranchAddress {
  /** Null: the whole run. */
  agent: string | null
  /** The call for which the agent works, or `main`; needed where the agent works for several. */
  callId: string | null
}

/** Agents that work in a run, those who asked before those who were asked. */
export function liveBranches({ recipient }: { recipient: string }, work: BranchWork): Branch[] {
  const done = new Set(
    work.calls.flatMap(({ conversation, callId, state }) => (state === 'done' ? [`${conversation}/${callId}`] : [])),
  )
  const live = new Map<string, Branch>()
  for (const { conversation, parent, state } of work.conversations) {
    const { answer, agent } = state as unknown as Partial<ThreadState>
    if (agent === undefined || answer !== null || done.has(conversation)) continue
    if (parent !== null && !live.has(parent.conversation)) continue
    live.set(conversation, { conversation, agent, callId: parent?.callId ?? null })
  }
  const hasBegun = work.conversations.some(({ conversation }) => conversation === MAIN)
  return hasBegun ? [...live.values()] : [{ conversation: MAIN, agent: recipient, callId: null }]
}

/** @throws AGENT_NOT_IN_RUN, AGENT_AMBIGUOUS */
export const createFindBranch =
  ({ agent, callId }: BranchAddress): FindBranch =>
  (run, work) => {
    if (agent === null) return null
    const live = liveBranches(run, work)
    const named = live.filter(
      (branch) => branch.agent === agent && (callId === null || (branch.callId ?? MAIN) === callId),
    )
    const [branch] = named
    if (branch === undefined)
      throw agentNotInRun(
        agent,
        live.map((known) => (callId === null ? known.agent : `${known.agent} (${known.callId ?? MAIN})`)),
        callId,
      )
    if (named.length === 1) return branch
    throw agentAmbiguous(
      agent,
      named.map((known) => known.callId ?? MAIN),
    )
  }
