/** Changes of a run that are stored with one write. */
import type { CallRecord, ConversationRecord, RunChange } from '../run-store.ts'

/** What a write of the log takes beside the claim, the time and the events. */
export type LogChange = Omit<RunChange, 'claim' | 'now' | 'events' | 'trace'>

/** One change that has the effect of two, one after the other. What is recorded of the work of a run that ends is left out. */
export function joinChanges(first: LogChange | undefined, second: LogChange | undefined): LogChange {
  const joined = first === undefined || second === undefined ? (first ?? second ?? {}) : joinBoth(first, second)
  const { leave, messages, steers } = joined
  if (leave?.kind !== 'end') return joined
  return { leave, ...(messages && { messages }), ...(steers && { steers }) }
}

const joinBoth = (first: LogChange, second: LogChange): LogChange => ({
  ...first,
  ...second,
  turn: first.turn === true || second.turn === true,
  conversations: newest(
    ({ conversation }: ConversationRecord) => conversation,
    first.conversations,
    second.conversations,
  ),
  items: [...(first.items ?? []), ...(second.items ?? [])],
  calls: newest(({ conversation, callId }: CallRecord) => `${conversation}/${callId}`, first.calls, second.calls),
  approvals: [...(first.approvals ?? []), ...(second.approvals ?? [])],
  steers: [...(first.steers ?? []), ...(second.steers ?? [])],
})

/** Of rows with the same key, the last one counts. */
const newest = <Row>(keyOf: (row: Row) => string, first: readonly Row[] = [], second: readonly Row[] = []): Row[] => [
  ...new Map([...first, ...second].map((row) => [keyOf(row), row])).values(),
]
