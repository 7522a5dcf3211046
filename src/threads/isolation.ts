/** Which messages of a stored list belong to which conversation. */
import type { StoredMessage } from '../wire/message.ts'

/**
 * Selects the messages of one conversation, in stored order. The user's thread is every message without a `callerAgent`, of
 * any agent. The thread of a pair of agents is what they sent each other, in both directions.
 */
export function threadOf(messages: readonly StoredMessage[], agent: string, caller: string | null): StoredMessage[] {
  if (caller === null) return messages.filter((message) => (message.callerAgent ?? null) === null)
  return messages.filter(
    (message) =>
      (message.agent === agent && message.callerAgent === caller) ||
      (message.agent === caller && message.callerAgent === agent),
  )
}
