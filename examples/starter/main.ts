import { mkdirSync } from 'node:fs'
import { memory, serve, sqlite } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency, tools } from './agency.ts'
import { steps } from './steps.ts'

const { port } = development

/** In a file for each port, so that runs and threads outlive a restart; in memory where the port is any, or nothing can be written. */
function openStore() {
  if (port === 0) return memory()
  try {
    mkdirSync('.agency', { recursive: true })
    return sqlite(`.agency/runs-${port}.db`)
  } catch (error) {
    console.warn(`Runs are kept in memory, because ".agency" cannot be made: ${(error as Error).message}`)
    return memory()
  }
}

const runs = { store: openStore() }
const doors = { openai: true, aiSdk: true, agui: true, mcp: true, a2a: true }
await start(serve({ agencies: { starter: agency }, tools, runs, ...doors, ...development }), steps)
