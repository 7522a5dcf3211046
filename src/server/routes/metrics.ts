/** `/metrics`: the metrics of the server for Prometheus. */
import type { FastifyInstance } from 'fastify'
import type { Metrics } from '../../telemetry/metrics.ts'
import { joinTexts, PROMETHEUS_TYPE } from '../../telemetry/prometheus.ts'
import type { Peers } from '../../workers/peers.ts'
import type { Operations } from '../operations.ts'

/** How long other workers are waited for, in milliseconds; those that are slower are missing from the answer. */
const ANSWER_MS = 2_000

/** With several workers each of them answers for all: every sample then has the label `worker`. */
export function registerMetrics(app: FastifyInstance, metrics: Metrics, peers: Peers | undefined): void {
  const read = async () => {
    await metrics.refresh()
    if (peers === undefined) return metrics.text()
    const { answers } = await peers.ask('metrics', {}, { ms: ANSWER_MS })
    return joinTexts([{ worker: peers.number, text: metrics.text() }, ...answers])
  }
  app.get('/metrics', async (_request, reply) => reply.header('content-type', PROMETHEUS_TYPE).send(await read()))
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
