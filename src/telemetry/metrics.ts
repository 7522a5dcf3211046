/** `createMetrics`: metrics kept in this process, in Prometheus' text format. */

import { VERSION } from '../base/version.ts'
import type { Telemetry } from '../runs/span.ts'
import { createMeasures } from './measures.ts'
import { observeProcess } from './process-metrics.ts'
import { PrometheusRegistry } from './prometheus.ts'
import { observeStores, type StoreMetrics } from './store-metrics.ts'

/** Metrics kept in this process, for Prometheus to scrape. */
export interface Metrics extends Telemetry, StoreMetrics {
  /** All metrics in Prometheus' text format. */
  text(): string
  /** Adds a reader of the memory that a server's requests and runs hold, in bytes. Several servers are summed. */
  watchHeld(read: () => number): void
  /** Stops measuring the event loop. */
  close(): void
}

/**
 * Creates metrics of runs and of this process, without another package. `metrics: true` does the same. Call it yourself to
 * share metrics between the servers and runs of one process, or to publish them elsewhere.
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
    { unit: 'By', description: 'Memory held by requests and runs, as counted against limits.heldBytes.' },
    () => [[{}, held.reduce((sum, read) => sum + read(), 0)]],
  )
  const watchHeld = (read: () => number) => void held.push(read)
  return { ...createMeasures(registry), text: () => registry.text(), watchHeld, ...observeStores(registry), close }
}
