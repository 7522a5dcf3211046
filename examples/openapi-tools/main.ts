import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { createAgency } from './agency.ts'
import { startLibrary } from './library-api.ts'
import { steps } from './steps.ts'

const library = await startLibrary()
const server = serve({ agencies: { library: await createAgency(library) }, ...development })
await start(
  server.then(({ url, close }) => ({ url, close: () => close().finally(library.close) })),
  steps,
)
