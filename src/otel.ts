import { createRequire } from 'node:module'
import type { MeterProvider, TracerProvider } from '@opentelemetry/api'
import { invalidOption, packageMissing } from './errors.ts'
import { refuseUnknown } from './options.ts'
import { joinTelemetry, type Telemetry } from './runs/span.ts'
import { createMeasures } from './telemetry/measures.ts'
import { type OpenTelemetryApi, startRunSpan } from './telemetry/spans.ts'
import { VERSION } from './version.ts'

export type { Telemetry } from './runs/span.ts'
export { createMetrics, type Metrics } from './telemetry/metrics.ts'

/** What traces go to, what is in them, and where they are told of to others. */
export interface OpenTelemetryOptions {
  /** Default: the one that is registered with the API. */
  tracerProvider?: TracerProvider
  /** Default: the one that is registered with the API. */
  meterProvider?: MeterProvider
  /** Record what users, tools and models say. Default false. The user context and keys are never recorded. */
  captureContent?: boolean
  /** Longest recorded text, in characters; of conversations the newest messages up to it. Default 16,384. */
  contentChars?: number
  /** A request's `traceparent` is the parent of its run. Default true; false where callers are strangers. */
  continueTraces?: boolean
  /** Who gets `traceparent` with a model call: the operator's own addresses, every address, or nobody. Default `"trusted"`. */
  propagateTo?: 'trusted' | 'everywhere' | 'nobody'
}

const OPTIONS = new Set<string>([
  'tracerProvider',
  'meterProvider',
  'captureContent',
  'contentChars',
  'continueTraces',
  'propagateTo',
] satisfies (keyof OpenTelemetryOptions)[])
const DESTINATIONS = ['trusted', 'everywhere', 'nobody']

/**
 * Spans and metrics of every run, through the OpenTelemetry API: `serve({ telemetry: openTelemetry() })`. The SDK, its
 * exporters and its sampling are yours.
 * @throws PACKAGE_MISSING without `@opentelemetry/api`; INVALID_OPTION
 */
export function openTelemetry(options: OpenTelemetryOptions = {}): Telemetry {
  refuseUnknown('openTelemetry()', options, OPTIONS)
  const { captureContent = false, contentChars = 16_384, continueTraces = true, propagateTo = 'trusted' } = options
  if (!DESTINATIONS.includes(propagateTo))
    throw invalidOption(`propagateTo is one of ${DESTINATIONS.join(', ')}, not ${propagateTo}.`)
  if (!(Number.isInteger(contentChars) && contentChars > 0))
    throw invalidOption(`contentChars has to be a whole number above 0, not ${contentChars}.`)
  const api = loadApi()
  const tracer = (options.tracerProvider ?? api.trace).getTracer('agency-swarm-js', VERSION)
  const meter = (options.meterProvider ?? api.metrics).getMeter('agency-swarm-js', VERSION)
  const tracing = { api, tracer, captureContent, contentChars, continueTraces, propagateTo }
  const spans: Telemetry = { start: (run) => startRunSpan(tracing, run), refused: () => {} }
  const complain = (error: unknown) => api.diag.error('agency-swarm-js could not tell something', error)
  return joinTelemetry([spans, createMeasures(meter)], complain) as Telemetry
}

/** Loaded here and not imported above, so that `createMetrics` needs no package. */
function loadApi(): OpenTelemetryApi {
  const name = '@opentelemetry/api'
  try {
    return createRequire(import.meta.url)(name)
  } catch (error) {
    throw packageMissing('openTelemetry()', name, error)
  }
}
