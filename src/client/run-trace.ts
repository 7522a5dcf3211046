/** The trace of a run with its values in their places. */
import type * as wire from '../wire/traces.ts'

/** One span of a trace; `kind` says what it is. A content is undefined where the server had no room for it. */
export type TraceSpan = wire.TraceSpan<unknown>
/** The call of a model, with what it was sent and what came back. */
export type ModelSpan = wire.ModelSpan<unknown>
/** The call of a tool. */
export type ToolSpan = wire.ToolSpan<unknown>
/** What took place in a run, as a tree. */
export interface Trace {
  run_id: string
  /** Of the run. */
  status: string
  /** Something was left out: the run has recorded more than the server's `limits.traceBytes`. */
  truncated: boolean
  /** The attempts of the run; empty for a run that was not traced. */
  spans: TraceSpan[]
}

/** Puts each value in its places. Values that several spans name are one object. */
export function toTrace({ contents, spans, ...trace }: wire.TraceAnswer): Trace {
  const read = (place: number | null) => (place === null ? undefined : contents[place])
  return { ...trace, spans: spans.map((span) => withValues(span, read)) }
}

type Read = (place: number | null) => unknown

function withValues(span: wire.TraceSpan, read: Read): TraceSpan {
  const spans = span.spans.map((part) => withValues(part, read))
  if (span.kind === 'tool') {
    const { output } = span
    return {
      ...span,
      spans,
      arguments: read(span.arguments),
      ...(output === undefined ? {} : { output: read(output) }),
    }
  }
  if (span.kind !== 'model') return { ...span, spans }
  const { sent, received } = span
  return {
    ...span,
    spans,
    sent: {
      ...sent,
      input: sent.input.map(read),
      tools: sent.tools.map(read),
      hosted_tools: sent.hosted_tools.map(read),
      settings: read(sent.settings),
      ...(sent.instructions === undefined ? {} : { instructions: read(sent.instructions) }),
      ...(sent.output_schema === undefined ? {} : { output_schema: read(sent.output_schema) }),
    },
    received: received && { ...received, items: received.items.map(read) },
  }
}
