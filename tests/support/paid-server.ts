/** A server whose runs have a bound on their costs, as a process of its own: started and killed by costs.test.ts. */
import { Agency, Agent, serve, sqlite } from '../../src/index.ts'

const agent = new Agent({ name: 'Solo', model: 'ours', modelSettings: { maxTokens: 100 } })
await serve({
  agencies: { solo: new Agency(agent) },
  host: '127.0.0.1',
  port: 0,
  prices: { ours: { inputUsdPerMillion: 0, outputUsdPerMillion: 1_000 } },
  runs: { store: sqlite(process.env.STORE as string), maxCost: 1 },
})
