import type { SpanContext, TraceState } from '@opentelemetry/api'
import type { TraceContext } from '../runs/span.ts'

const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/

/**
 * A caller's span, as its W3C headers name it; undefined for headers that name none.
 * @param makeState reads a `tracestate`, and drops what is too long or no state
 */
export function readTraceContext(
  { traceparent, tracestate }: TraceContext,
  makeState: (raw: string) => TraceState,
): SpanContext | undefined {
  const [, version, traceId, spanId, flags, more] = TRACEPARENT.exec(traceparent?.trim() ?? '') ?? []
  if (traceId === undefined || spanId === undefined || (version === '00' && more !== undefined)) return undefined
  const traceState = tracestate === undefined ? {} : { traceState: makeState(tracestate) }
  return { traceId, spanId, traceFlags: Number.parseInt(flags as string, 16) & 1, isRemote: true, ...traceState }
}

/** The W3C headers that name a span. Nothing else travels: no baggage. */
export function writeTraceContext({ traceId, spanId, traceFlags, traceState }: SpanContext): {
  [name: string]: string
} {
  const tracestate = traceState?.serialize() ?? ''
  return {
    traceparent: `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`,
    ...(tracestate === '' ? {} : { tracestate }),
  }
}
