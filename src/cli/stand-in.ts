/** The server of `dev` while the agency cannot be loaded: it shows the reason. */
import Fastify from 'fastify'
import { sendJson } from '../server/error-handler.ts'
import { registerPlayground } from '../server/playground.ts'

export interface StandIn {
  close(): Promise<void>
}

/** Serves the playground with the reason, and answers all other requests with 503 and the reason. */
export async function standIn({ host, port }: { host: string; port: number }, reason: string): Promise<StandIn> {
  const app = Fastify({ forceCloseConnections: true })
  registerPlayground(app, { watch: true, failure: reason })
  app.setNotFoundHandler((_request, reply) => sendJson(reply, 503, { detail: reason }))
  await app.listen({ host, port })
  return app
}
