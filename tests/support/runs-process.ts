/** A server with a SQLite store as its own process, for tests that kill it and start it again on the same port. */
import { Agency, Agent, serve, sqlite } from '../../src/index.ts'

const agent = new Agent({ name: 'Solo', model: 'gpt-4.1' })
await serve({
  agencies: { solo: new Agency(agent) },
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  runs: { store: sqlite(process.env.STORE ?? '') },
  trustedModelOrigins: [new URL(process.env.OPENAI_BASE_URL ?? 'http://127.0.0.1').origin],
})
