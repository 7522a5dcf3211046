/** Reads and writes W3C Trace Context headers (https://www.w3.org/TR/trace-context/). */
import type { SpanContext, TraceState } from '@opentelemetry/api'
import type { TraceContext } from '../runs/span.ts'

const TRACEPARENT = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/

/**
 * Reads the caller's span from its W3C headers; undefined when they are missing or invalid.
 * @param makeState parses a `tracestate` and drops entries that are too long or invalid
 */
export function readTraceContext(
  { traceparent, tracestate }: TraceContext,
  makeState: (raw: string) => TraceState,
): SpanContext | undefined {
  const [, version, traceId, spanId, flags, rest] = TRACEPARENT.exec(traceparent?.trim() ?? '') ?? []
  if (traceId === undefined || spanId === undefined || (version === '00' && rest !== undefined)) return undefined
  const traceState = tracestate === undefined ? {} : { traceState: makeState(tracestate) }
  return { traceId, spanId, traceFlags: Number.parseInt(flags as string, 16) & 1, isRemote: true, ...traceState }
}

/** The W3C headers of a span. Baggage is not propagated. */
export function writeTraceContext({ traceId, spanId, traceFlags, traceState }: SpanContext): {
  [name: string]: string
} {
  const tracestate = traceState?.serialize() ?? ''
  return {
    traceparent: `00-${traceId}-${spanId}-${(traceFlags & 1).toString(16).padStart(2, '0')}`,
    ...(tracestate === '' ? {} : { tracestate }),
  }
}
