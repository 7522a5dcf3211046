/** One file for API servers and workers: both keep their runs in PostgreSQL. */
import { Agency, Agent, type ServeOptions } from 'agency-swarm-js'
import { postgres } from 'agency-swarm-js/postgres'

const guide = new Agent({ name: 'Guide', model: process.env.AGENCY_MODEL ?? 'gpt-5.4' })
export const agency = new Agency(guide, { name: 'support' })

const url = process.env.DATABASE_URL
if (url === undefined) throw new Error('DATABASE_URL is not set: postgres://user:password@host:5432/name')

// biome-ignore lint/style/noDefaultExport: the command line reads the options of serve() from it
export default {
  // API servers leave the work to the workers, which take it in any case.
  runs: { store: postgres(url), work: false },
  metrics: true,
} satisfies ServeOptions
