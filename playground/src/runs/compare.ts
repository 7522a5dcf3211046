/** What a model call was sent that the call before was not. */
import type { ModelSpan } from 'agency-swarm-js/client'

type Sent = ModelSpan['sent']

export interface Difference {
  /** Items that both calls begin with. */
  kept: number
  removed: readonly unknown[]
  added: readonly unknown[]
  /** Other parts that differ, as they were and as they are. */
  parts: readonly { title: string; before: unknown; after: unknown }[]
}

const PARTS: readonly [keyof Sent, title: string][] = [
  ['instructions', 'Instructions'],
  ['tools', 'Tools'],
  ['hosted_tools', 'Hosted tools'],
  ['settings', 'Settings'],
  ['output_schema', 'Output schema'],
]

/** Values that are the same are one object of the trace, so they need no deep comparison. */
export function compareCalls(before: Sent, after: Sent): Difference {
  const differs = after.input.findIndex((item, index) => item !== before.input[index])
  const kept = differs < 0 ? after.input.length : differs
  const parts = PARTS.filter(([name]) => !isSame(before[name], after[name]))
  return {
    kept,
    removed: before.input.slice(kept),
    added: after.input.slice(kept),
    parts: parts.map(([name, title]) => ({ title, before: before[name], after: after[name] })),
  }
}

const isSame = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b) ? a.length === b.length && a.every((part, index) => part === b[index]) : a === b
