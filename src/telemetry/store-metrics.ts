/** Metrics of the stores of runs: what waits, and for how long. */
import type { StoreStats } from '../runs/run-store.ts'
import type { PrometheusRegistry } from './prometheus.ts'

/** The part of the metrics that reads stores of runs. */
export interface StoreMetrics {
  /** Adds a reader of the figures of a server's store of runs. They are read by `refresh`. */
  watchStore(read: () => Promise<StoreStats>): void
  /** Reads the figures of the stores, for the next `text`. Those of a store that is away are left out. */
  refresh(): Promise<void>
}

/** Registers gauges for the figures of all watched stores together. */
export function observeStores(registry: PrometheusRegistry): StoreMetrics {
  const readers: (() => Promise<StoreStats>)[] = []
  let stats: StoreStats[] = []
  let readAt = Date.now()

  const byStatus = (name: string, description: string, counts: { [status: string]: keyof StoreStats }) =>
    registry.observe(name, { description }, () =>
      stats.length === 0
        ? []
        : Object.entries(counts).map(([status, key]) => [
            { status },
            stats.reduce((sum, figures) => sum + (figures[key] ?? 0), 0),
          ]),
    )
  const age = (name: string, description: string, key: 'oldestQueuedAt' | 'oldestWebhookAt') =>
    registry.observe(name, { unit: 's', description }, () =>
      stats.length === 0
        ? []
        : [[{}, Math.max(0, ...stats.map((figures) => (readAt - (figures[key] ?? readAt)) / 1000))]],
    )
  byStatus(
    'agency_swarm.stored_runs.live',
    'Stored runs that have not ended, by status; scheduled: they start later.',
    {
      queued: 'queued',
      scheduled: 'scheduled',
      in_progress: 'inProgress',
      requires_action: 'requiresAction',
    },
  )
  age('agency_swarm.stored_runs.oldest_queued', 'How long the oldest queued run has waited.', 'oldestQueuedAt')
  byStatus('agency_swarm.webhooks.open', 'Webhooks that are not delivered: waiting, or dead.', {
    waiting: 'webhooksWaiting',
    dead: 'webhooksDead',
  })
  age('agency_swarm.webhooks.oldest_waiting', 'How long the oldest waiting webhook has waited.', 'oldestWebhookAt')
  return {
    watchStore: (read) => void readers.push(read),
    async refresh() {
      const results = await Promise.allSettled(readers.map((read) => read()))
      readAt = Date.now()
      stats = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    },
  }
}
