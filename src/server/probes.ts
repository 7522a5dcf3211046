/** The app of a process that serves no agencies: health checks, and its metrics. */
import Fastify, { type FastifyInstance } from 'fastify'
import { createAuth } from './auth.ts'
import { createErrorHandler, sendJson } from './error-handler.ts'
import type { ShellOptions } from './plugin.ts'
import { registerHealth } from './routes/health.ts'
import { registerMetrics } from './routes/metrics.ts'

export function createProbes({ services, token, metrics, metricsOpen }: ShellOptions): FastifyInstance {
  const { headersTimeoutMs, idleTimeoutMs, urlBytes } = services.limits
  const app = Fastify({
    requestTimeout: headersTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
    forceCloseConnections: true,
    return503OnClosing: false,
    bodyLimit: urlBytes,
  })
  app.setErrorHandler(createErrorHandler(services))
  app.setNotFoundHandler((_request, reply) => sendJson(reply, 404, { detail: 'Not Found' }))
  registerHealth(app, services)
  app.register(async (api) => {
    if (!metricsOpen) api.addHook('onRequest', createAuth(token, services.tickets))
    if (metrics !== undefined) registerMetrics(api, metrics, undefined)
  })
  return app
}
