/** `/healthz` and `/readyz`: health checks for load balancers, without a token. */
import type { FastifyInstance } from 'fastify'
import type { Services } from '../../services.ts'
import { health } from '../../wire/responses.ts'
import { sendJson } from '../error-handler.ts'
import { answerOf, type Operations } from '../operations.ts'

/** `/healthz` answers 200 while the process lives, `/readyz` while the server accepts new work. */
export function registerHealth(app: FastifyInstance, { stopping }: Services): void {
  app.get('/healthz', (_request, reply) => sendJson(reply, 200, { status: 'ok' }))
  app.get('/readyz', (_request, reply) =>
    stopping() ? sendJson(reply, 503, { status: 'stopping' }) : sendJson(reply, 200, { status: 'ready' }),
  )
}

export const operations: Operations = {
  schemas: [health],
  endpoints: [
    {
      path: '/healthz',
      method: 'get',
      id: 'healthz',
      operation: {
        tags: ['Health'],
        summary: 'Whether the process is alive',
        responses: { 200: answerOf('The process is alive.', 'Health') },
      },
    },
    {
      path: '/readyz',
      method: 'get',
      id: 'readyz',
      operation: {
        tags: ['Health'],
        summary: 'Whether the server accepts new work',
        responses: {
          200: answerOf('The server accepts new work.', 'Health'),
          503: answerOf('The server is stopping.', 'Health'),
        },
      },
    },
  ],
}
