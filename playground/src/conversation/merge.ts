/** Merges two copies of one conversation. */
import { runsElsewhere } from '../run/failure.ts'
import { endRun } from '../run/run.ts'
import type { Conversation, Turn } from './conversation.ts'

/**
 * Merges two copies of a conversation that were changed in two tabs. Turns that either copy added are kept; a turn that one copy
 * removed is removed, unless the other copy changed it. Pure.
 * @param base the copy from when both were last equal
 */
export function mergeConversations(
  ours: Conversation,
  theirs: Conversation,
  base: Conversation | undefined,
): Conversation {
  const before = byId(base?.turns ?? [])
  const own = byId(ours.turns)
  const other = byId(theirs.turns)
  const isChanged = (turn: Turn) => before.get(turn.id) !== turn
  const kept = theirs.turns
    .filter(({ id }) => own.has(id) || !before.has(id))
    .map((turn) => {
      const mine = own.get(turn.id)
      return mine !== undefined && (isChanged(mine) || mine.run.phase === 'running') ? mine : turn
    })
  const added = ours.turns.filter((turn) => !other.has(turn.id) && isChanged(turn))
  const newer = ours.updatedAt >= theirs.updatedAt ? ours : theirs
  return { ...newer, turns: [...kept, ...added] }
}

/** A stored conversation as this tab shows it. An unfinished run belongs to another tab, or was lost when that tab closed. */
export const endForeignRuns = (stored: Conversation): Conversation => ({
  ...stored,
  turns: stored.turns.map((turn) =>
    turn.run.phase === 'ended' ? turn : { ...turn, run: endRun(turn.run, undefined, runsElsewhere) },
  ),
})

/** True when the conversations have equal fields and the same turn objects. */
export const isSame = (one: Conversation, other: Conversation): boolean =>
  one.title === other.title &&
  one.recipient === other.recipient &&
  one.updatedAt === other.updatedAt &&
  one.turns.length === other.turns.length &&
  one.turns.every((turn, index) => turn === other.turns[index])

const byId = (turns: readonly Turn[]) => new Map(turns.map((turn) => [turn.id, turn]))
