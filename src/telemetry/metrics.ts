import type { Telemetry } from '../runs/span.ts'
import { VERSION } from '../version.ts'
import { createMeasures } from './measures.ts'
import { observeProcess } from './process-metrics.ts'
import { PrometheusRegistry } from './prometheus.ts'

/** Metrics that this process keeps itself, for Prometheus. */
export interface Metrics extends Telemetry {
  /** All of them in Prometheus' text format. */
  text(): string
  /** Adds what a server's requests and runs hold, in bytes; those of several servers are summed up. */
  watchHeld(read: () => number): void
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
  const held: (() => number)[] = []
  registry.observe(
    'agency_swarm.memory.held',
    { unit: 'By', description: 'What requests and runs hold, as counted towards limits.heldBytes.' },
    () => [[{}, held.reduce((sum, read) => sum + read(), 0)]],
  )
  const watchHeld = (read: () => number) => void held.push(read)
  return { ...createMeasures(registry), text: () => registry.text(), watchHeld, close }
}
