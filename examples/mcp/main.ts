import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency, notes } from './agency.ts'
import { steps } from './steps.ts'

const server = serve({ agencies: { secretary: agency }, ...development })
await start(
  server.then(({ url, close }) => ({ url, close: () => close().finally(() => notes.close()) })),
  steps,
)
