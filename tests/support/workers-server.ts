/** A server with two workers as its own program, whose tool says which process answers. */
import { randomUUID } from 'node:crypto'
import { Agency, Agent, serve, tool } from '../../src/index.ts'

const whoami = tool({ name: 'whoami', execute: () => String(process.pid) })

await serve({
  agencies: { solo: new Agency(new Agent({ name: 'Solo', model: 'gpt-4.1' })) },
  tools: [whoami],
  host: '127.0.0.1',
  port: 0,
  workers: 2,
  metrics: true,
  enableLogging: true,
  logsDir: process.env.LOGS_DIR,
  runs: { identify: ({ headers }) => String(headers['x-user'] ?? 'ada') },
  rateLimit: { requests: 8, by: ({ headers }) => headers['x-caller'] ?? randomUUID() },
})
