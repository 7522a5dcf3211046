/** Public entry point `agency-swarm-js/otel`: traces and metrics through OpenTelemetry, and metrics for Prometheus. */
import { createRequire } from 'node:module'
import type { MeterProvider, TracerProvider } from '@opentelemetry/api'
import { optionNames, refuseUnknown } from './base/options.ts'
import { invalidOption, packageMissing } from './base/start-errors.ts'
import { VERSION } from './base/version.ts'
import { joinTelemetry, type Telemetry } from './runs/span.ts'
import { createMeasures } from './telemetry/measures.ts'
import { type OpenTelemetryApi, startAcceptance, startRunSpan } from './telemetry/spans.ts'

export type { Telemetry } from './runs/span.ts'
export { createMetrics, type Metrics } from './telemetry/metrics.ts'

/** Options of `openTelemetry()`. All are optional. */
export interface OpenTelemetryOptions {
  /** Creates the tracer. @default the provider registered with the OpenTelemetry API */
  tracerProvider?: TracerProvider
  /** Creates the meter. @default the provider registered with the OpenTelemetry API */
  meterProvider?: MeterProvider
  /** Record the content of messages, tool calls and model calls. The user context and keys are never recorded. @default false */
  captureContent?: boolean
  /** Longest recorded text, in characters; of a conversation, the newest messages that fit are recorded. @default 16384 */
  contentChars?: number
  /** Take the parent of a run from the request's `traceparent`. Set it to false when you do not trust callers. @default true */
  continueTraces?: boolean
  /** Which model addresses receive `traceparent`: those of the operator, all, or none. @default 'trusted' */
  propagateTo?: 'trusted' | 'everywhere' | 'nobody'
}

const OPTIONS = optionNames<OpenTelemetryOptions>({
  tracerProvider: true,
  meterProvider: true,
  captureContent: true,
  contentChars: true,
  continueTraces: true,
  propagateTo: true,
})
const DESTINATIONS = ['trusted', 'everywhere', 'nobody']

/**
 * Creates spans and metrics of every run through the OpenTelemetry API: `serve({ telemetry: openTelemetry() })`. Set up the
 * SDK, its exporters and its sampling yourself.
 * @throws PACKAGE_MISSING without `@opentelemetry/api`; INVALID_OPTION for an unknown option or a wrong value
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  refuseUnknown('openTelemetry()', options, OPTIONS)
  const { captureContent = false, contentChars = 16_384, continueTraces = true, propagateTo = 'trusted' } = options
  if (!DESTINATIONS.includes(propagateTo))
    throw invalidOption(`propagateTo must be one of ${DESTINATIONS.join(', ')}, not ${propagateTo}.`)
  if (!(Number.isInteger(contentChars) && contentChars > 0))
    throw invalidOption(`contentChars must be a whole number above 0, not ${contentChars}.`)
  const api = loadApi()
  const tracer = (options.tracerProvider ?? api.trace).getTracer('agency-swarm-js', VERSION)
  const meter = (options.meterProvider ?? api.metrics).getMeter('agency-swarm-js', VERSION)
  const tracing = { api, tracer, captureContent, contentChars, continueTraces, propagateTo }
  const spans: Telemetry = {
    start: (run) => startRunSpan(tracing, run),
    refused: () => {},
    accept: (run) => startAcceptance(tracing, run),
  }
  const reportError = (error: unknown) => api.diag.error('agency-swarm-js could not record telemetry', error)
  return joinTelemetry([spans, createMeasures(meter)], reportError) as Telemetry
}

/** Loads the package on demand, so that `createMetrics` works without it. */
function loadApi(): OpenTelemetryApi {
  const name = '@opentelemetry/api'
  try {
    return createRequire(import.meta.url)(name)
  } catch (error) {
    throw packageMissing('openTelemetry()', name, error)
  }
}
