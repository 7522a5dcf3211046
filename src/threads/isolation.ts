import type { StoredMessage } from '../wire/message.ts'

/**
 * The messages one conversation may see, in stored order: the user's thread is everything without a `callerAgent`,
 * whatever the agent; a pair of agents sees what the two said to each other in either direction, and nothing else.
 */
export function threadOf(messages: readonly StoredMessage[], agent: string, caller: string | null): StoredMessage[] {
  if (caller === null) return messages.filter((message) => (message.callerAgent ?? null) === null)
  return messages.filter(
    (message) =>
      (message.agent === agent && message.callerAgent === caller) ||
      (message.agent === caller && message.callerAgent === agent),
  )
}
