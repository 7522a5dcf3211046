/** The server of `dev` while the agency cannot be loaded: it shows the reason. */
import Fastify from 'fastify'
import { sendJson } from '../server/error-handler.ts'
import { type LoadFailure, registerPlayground } from '../server/playground.ts'

export interface StandIn {
  close(): Promise<void>
}

/** Serves the playground with the reason, and answers all other requests with 503 and the reason. */
export async function standIn({ host, port }: { host: string; port: number }, failure: LoadFailure): Promise<StandIn> {
  const app = Fastify({ forceCloseConnections: true })
  registerPlayground(app, { watch: true, failure })
  app.setNotFoundHandler((_request, reply) => sendJson(reply, 503, { detail: failure.message }))
  await app.listen({ host, port })
  return app
}
