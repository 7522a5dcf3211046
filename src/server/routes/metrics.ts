import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../telemetry/metrics.ts'
import { PROMETHEUS_TYPE } from '../../telemetry/prometheus.ts'

/** `/metrics`, as Prometheus scrapes it. */
export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', async (_request, reply) => reply.header('content-type', PROMETHEUS_TYPE).send(metrics.text()))
}
