import type { Telemetry } from '../runs/span.ts'
import { VERSION } from '../version.ts'
import { createMeasures } from './measures.ts'
import { observeProcess } from './process-metrics.ts'
import { PrometheusRegistry } from './prometheus.ts'

/** Metrics that this process keeps itself, for Prometheus. */
export interface Metrics extends Telemetry {
  /** All of them in Prometheus' text format. */
  text(): string
  /** Ends the measuring of the event loop. */
  close(): void
}

/**
 * Metrics of runs and of this process, without any further package: what `metrics: true` makes. Make them yourself to share
 * them between servers and runs of the same process, or to show them elsewhere.
 */
export function createMetrics(): Metrics {
  const registry = new PrometheusRegistry()
  registry.observe('agency_swarm.build.info', { description: 'The version of agency-swarm-js.' }, () => [
    [{ version: VERSION }, 1],
  ])
  const close = observeProcess(registry)
  return { ...createMeasures(registry), text: () => registry.text(), close }
}
