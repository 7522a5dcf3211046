import { runsElsewhere } from '../run/failure.ts'
import { endRun } from '../run/run.ts'
import type { Conversation, Turn } from './conversation.ts'

/**
 * One conversation out of two copies that went on in two tabs. Every turn that either copy added is kept; a turn that either
 * removed is gone, unless the other copy changed it. Pure.
 * @param base what `ours` was when the copies were last equal
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

/** A stored conversation as this tab shows it: a run that is still going runs in another tab, or was lost with it. */
export const endForeignRuns = (stored: Conversation): Conversation => ({
  ...stored,
  turns: stored.turns.map((turn) =>
    turn.run.phase === 'ended' ? turn : { ...turn, run: endRun(turn.run, undefined, runsElsewhere) },
  ),
})

/** True when nothing but the objects around the turns differs. */
export const isSame = (one: Conversation, other: Conversation): boolean =>
  one.title === other.title &&
  one.recipient === other.recipient &&
  one.updatedAt === other.updatedAt &&
  one.turns.length === other.turns.length &&
  one.turns.every((turn, index) => turn === other.turns[index])

const byId = (turns: readonly Turn[]) => new Map(turns.map((turn) => [turn.id, turn]))
