import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

await start(serve({ agencies: { secretary: agency }, ...development }), steps)
