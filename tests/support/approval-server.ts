/** The shop as its own process: a store in the file STORE, a tool that writes each refund to LEDGER, and one that hangs while HANG is set. */
import { appendFileSync } from 'node:fs'
import { z } from 'zod'
import { Agency, Agent, serve, sqlite, tool } from '../../src/index.ts'

const refund = tool({
  name: 'refund',
  parameters: z.object({ order: z.int() }),
  needsApproval: true,
  execute: ({ order }) => {
    appendFileSync(String(process.env.LEDGER), `${order}\n`)
    return `refunded ${order}`
  },
})
const slow = tool({
  name: 'slow',
  safeToRetry: true,
  execute: () => (process.env.HANG === undefined ? 'slow is done' : new Promise(() => {})),
})
await serve({
  agencies: { shop: new Agency(new Agent({ name: 'Clerk', model: 'gpt-4.1', tools: [refund, slow] })) },
  runs: { store: sqlite(String(process.env.STORE)) },
  host: '127.0.0.1',
  port: 0,
  trustedModelOrigins: [new URL(String(process.env.OPENAI_BASE_URL)).origin],
})
