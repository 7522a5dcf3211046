/** What persons ask of a run while it goes on: messages that its agents take at turn boundaries, and pauses of branches. */
import { tripped } from '../../agency/guardrails.ts'
import { orAbort } from '../../base/async.ts'
import type { WaitingSteer } from '../steering.ts'
import { type AgentThread, keep, type RunState, toStored } from './agent-thread.ts'
import type { SteerOutcome } from './journal.ts'
import { recordThread } from './record.ts'

/** Waits at a turn boundary while the branch is paused. @returns true when it has waited */
export async function waitWhilePaused(run: RunState, { ask, who }: AgentThread): Promise<boolean> {
  const pause = run.steering?.hold({ id: ask.id, agent: who.agent, callId: ask.parent?.callId ?? null })
  if (pause === undefined) return false
  await orAbort(pause, run.signal)
  return true
}

/** Adds the messages that wait for the thread, before its next model call. Each is recorded together with its message. */
export async function takeSteers(run: RunState, thread: AgentThread): Promise<void> {
  if (run.steering === undefined || thread.turn !== undefined || thread.answer !== undefined) return
  for (const steer of await run.steering.waitingFor(thread.ask.id)) await takeSteer(run, thread, steer)
}

async function takeSteer(run: RunState, thread: AgentThread, { steerId, text }: WaitingSteer): Promise<void> {
  const { role, who, context, ask } = thread
  const { inputGuardrails } = role.agent
  const settle = (outcome: Pick<SteerOutcome, 'status' | 'reason'>) =>
    recordThread(run, thread, { steers: [{ steerId, thread: ask.id, agent: who.agent, text, ...outcome }] })
  // The guardrails of a request hold for what comes later, too; the run goes on without a message that they refuse.
  const guidance =
    inputGuardrails.length === 0
      ? undefined
      : await orAbort(tripped(inputGuardrails, [text], context, role.agent), run.signal)
  if (guidance !== undefined) {
    await settle({ status: 'not_taken', reason: 'guardrail' })
    return
  }
  const item = toStored(run, who, { role: 'user', content: text, message_origin: 'steer', type: 'message' })
  keep(run, thread, [item])
  thread.items.push(item)
  if (ask.depth === 0) thread.newUserMessage = true
  await run.save()
  await settle({ status: 'taken' })
}

/** True when messages wait and the thread may have one more turn: its answer is not the last word then. */
export async function isSteered(run: RunState, { ask }: AgentThread): Promise<boolean> {
  const { maxTurns } = run.plan
  if (run.steering === undefined || run.stopAfterTurn() || (maxTurns !== null && run.turns >= maxTurns)) return false
  return (await run.steering.waitingFor(ask.id)).length > 0
}
