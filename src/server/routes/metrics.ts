/** `/metrics`: the metrics of the server for Prometheus. */
import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../telemetry/metrics.ts'
import { PROMETHEUS_TYPE } from '../../telemetry/prometheus.ts'
import type { Operations } from '../operations.ts'

export function registerMetrics(app: FastifyInstance, metrics: Metrics): void {
  app.get('/metrics', async (_request, reply) => {
    await metrics.refresh()
    return reply.header('content-type', PROMETHEUS_TYPE).send(metrics.text())
  })
}

export const operations: Operations = {
  schemas: [],
  endpoints: [
    {
      path: '/metrics',
      method: 'get',
      id: 'metrics',
      operation: {
        tags: ['Health'],
        summary: 'Metrics in the text format of Prometheus',
        responses: {
          200: { description: 'All metrics.', content: { 'text/plain': { schema: { type: 'string' } } } },
        },
      },
    },
  ],
}
