/** Lanes and spans of a run's timeline. */
import { FRONT, type RunView } from './run.ts'

/** One span of work. Times are milliseconds since the start of the run; `endMs` is the current time for unfinished work. */
export interface Span {
  kind: 'model' | 'call'
  label: string
  failed?: boolean
  startMs: number
  endMs: number
}

/** The work of one agent in one thread. */
export interface Lane {
  thread: string
  agent: string
  spans: readonly Span[]
}

/** Converts a run to lanes of spans, in the order of their start. Empty when nothing was timed. */
export function readTimeline(run: RunView, now: number): { lanes: readonly Lane[]; totalMs: number } {
  const zero = run.startedAt
  if (zero === undefined) return { lanes: [], totalMs: 0 }
  const end = run.endedAt ?? now
  const lanes = new Map<string, Span[]>()
  const add = (thread: string, agent: string, span: Omit<Span, 'startMs' | 'endMs'>, from?: number, to?: number) => {
    if (from === undefined) return
    const key = JSON.stringify([thread, agent])
    const spans = lanes.get(key) ?? []
    spans.push({ ...span, startMs: from - zero, endMs: (to ?? end) - zero })
    lanes.set(key, spans)
  }
  for (const call of run.modelCalls)
    add(call.thread, call.agent, { kind: 'model', label: 'model' }, call.startedAt, call.endedAt)
  for (const [thread, entries] of run.threads)
    for (const entry of entries)
      if (entry.kind === 'call')
        add(
          thread,
          entry.agent,
          { kind: 'call', label: entry.name, ...(entry.failure === undefined ? {} : { failed: true }) },
          entry.startedAt,
          entry.endedAt,
        )
  const sorted = [...lanes]
    .map(([key, spans]) => {
      const [thread, agent] = JSON.parse(key) as [string, string]
      return { thread, agent, spans: spans.sort((a, b) => a.startMs - b.startMs) }
    })
    .sort((a, b) => first(a) - first(b) || (a.thread === FRONT ? -1 : 1))
  return { lanes: sorted, totalMs: Math.max(end - zero, 1) }
}

const first = ({ spans }: Lane) => spans[0]?.startMs ?? 0
