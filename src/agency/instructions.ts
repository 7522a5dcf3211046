/** Composes the instructions of a model call. */
import type { Agent } from './agent.ts'
import type { AgencyContext } from './context.ts'

/**
 * The instructions of a model call: shared instructions, a blank line, the agent's own, then the additional instructions of
 * the run (after a horizontal rule when there are shared ones). Undefined when all are empty. Source: docs/wire.md,
 * "Instructions".
 */
export async function composeInstructions(
  shared: string,
  agent: Agent,
  additional: string,
  context: AgencyContext,
): Promise<string | undefined> {
  const own =
    typeof agent.instructions === 'function'
      ? String(await agent.instructions(context, agent))
      : (agent.instructions ?? '')
  const base = [shared, own].filter((text) => text !== '').join('\n\n')
  if (additional === '') return base === '' ? undefined : base
  return base === '' ? additional : `${base}${shared === '' ? '\n\n' : '\n\n---\n\n'}${additional}`
}

/** The system message an agent gets when a conversation is handed to it. */
export const handoffReminder = (agent: Agent): string =>
  agent.handoffReminder ??
  `The conversation was handed to you. You are now ${agent.name}: go on with the user's request.`
