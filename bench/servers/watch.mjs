// Telemetry for servers under test: metrics for Prometheus, and a real SDK whose exporters drop everything.
import { context } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { openTelemetry } from '../../dist/otel.js'

const exporter = {
  export: (_told, done) => done({ code: 0 }),
  forceFlush: async () => {},
  shutdown: async () => {},
}

function traced() {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  return openTelemetry({
    tracerProvider: new TracerProvider({ spanProcessors: [new BatchSpanProcessor({ exporter })] }),
    meterProvider: new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter })] }),
  })
}

/** Options of `serve()`. @param by `metrics`, `traces`, or both with a comma */
export const watchedBy = (by) => ({
  metrics: by.includes('metrics'),
  ...(by.includes('traces') ? { telemetry: traced() } : {}),
})
