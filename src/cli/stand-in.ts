/** Stands where the server of `dev` would, while no agency can be served. */
import Fastify from 'fastify'
import { sendJson } from '../server/error-handler.ts'
import { registerPlayground } from '../server/playground.ts'

export interface StandIn {
  close(): Promise<void>
}

/** Serves the playground's page, which shows the reason, and answers everything else with 503 and the reason. */
export async function standIn({ host, port }: { host: string; port: number }, reason: string): Promise<StandIn> {
  const app = Fastify({ forceCloseConnections: true })
  registerPlayground(app, { watch: true, failure: reason })
  app.setNotFoundHandler((_request, reply) => sendJson(reply, 503, { detail: reason }))
  await app.listen({ host, port })
  return app
}
