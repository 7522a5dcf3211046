/** Spans of a trace in the order of their rows, with their names, places in time and sums. */
import type { ModelSpan, Trace, TraceSpan } from 'agency-swarm-js/client'

/** One row of the tree. */
export interface SpanRow {
  span: TraceSpan
  level: number
  /** The row above that holds it; undefined for a root. */
  parent: SpanRow | undefined
  /** The model call of the same agent before it. */
  before: ModelSpan | undefined
  /** Its begin and end in the whole time, from 0 to 1. */
  from: number
  to: number
}

/** @param now the end of spans that go on, in epoch milliseconds */
export function listRows({ spans }: Trace, now: number): SpanRow[] {
  const all = flatten(spans)
  const first = Math.min(...all.map(beginOf))
  const last = Math.max(...all.map((span) => endOf(span, now)), first + 1)
  const place = (time: number) => (time - first) / (last - first)
  const rows: SpanRow[] = []
  const add = (list: readonly TraceSpan[], level: number, parent: SpanRow | undefined) => {
    let before: ModelSpan | undefined
    for (const span of list) {
      const row = { span, level, parent, before, from: place(beginOf(span)), to: place(endOf(span, now)) }
      rows.push(row)
      if (span.kind === 'model') before = span
      add(span.spans, level + 1, row)
    }
  }
  add(spans, 1, undefined)
  return rows
}

const flatten = (spans: readonly TraceSpan[]): TraceSpan[] => spans.flatMap((span) => [span, ...flatten(span.spans)])
const beginOf = ({ started_at }: TraceSpan) => Date.parse(started_at)
const endOf = (span: TraceSpan, now: number) =>
  span.ended_at !== null ? Date.parse(span.ended_at) : span.status === 'in_progress' ? now : beginOf(span)

export function nameOf(span: TraceSpan): string {
  switch (span.kind) {
    case 'attempt':
      return String(span.attempt)
    case 'agent':
      return span.agent
    case 'handoff':
      return `to ${span.to}`
    case 'approval':
      return `${span.tool}: ${span.decision}`
    case 'model':
      return span.model
    case 'tool':
      return span.tool
    default:
      return span satisfies never
  }
}

export const KIND_TITLES: { [Kind in TraceSpan['kind']]: string } = {
  attempt: 'Attempt',
  agent: 'Agent',
  handoff: 'Handoff',
  approval: 'Approval',
  model: 'Model call',
  tool: 'Tool call',
}

/** Tokens and cost of all model calls of a span and below it. */
export function sumOf(span: TraceSpan): { tokens: number; cost: number } {
  const own = span.kind === 'model' ? { tokens: tokensOf(span), cost: span.cost } : { tokens: 0, cost: 0 }
  return span.spans
    .map(sumOf)
    .reduce((sum, part) => ({ tokens: sum.tokens + part.tokens, cost: sum.cost + part.cost }), own)
}

const tokensOf = ({ usage }: ModelSpan) => (usage === null ? 0 : usage.input_tokens + usage.output_tokens)
