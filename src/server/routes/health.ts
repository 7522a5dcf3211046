import type { FastifyInstance } from 'fastify'
import type { Services } from '../../services.ts'
import { sendJson } from '../error-handler.ts'

/** For load balancers, without a token: `/healthz` while the process lives, `/readyz` while it takes new work. */
export function registerHealth(app: FastifyInstance, { stopping }: Services): void {
  app.get('/healthz', (_request, reply) => sendJson(reply, 200, { status: 'ok' }))
  app.get('/readyz', (_request, reply) =>
    stopping() ? sendJson(reply, 503, { status: 'stopping' }) : sendJson(reply, 200, { status: 'ready' }),
  )
}
