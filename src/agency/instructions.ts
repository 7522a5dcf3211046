import type { Agent } from './agent.ts'
import type { AgencyContext } from './context.ts'

/**
 * What the model is told: shared and own instructions with a blank line between, then this run's additional ones
 * (behind a rule when there are shared ones). Source: docs/wire.md, "Instructions".
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

/** The system note an agent finds when a conversation was handed to it. */
export const handoffReminder = (agent: Agent): string =>
  agent.handoffReminder ??
  `The conversation was handed to you. You are now ${agent.name}: go on with the user's request.`
