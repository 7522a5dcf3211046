import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency, tools } from './agency.ts'
import { steps } from './steps.ts'

await start(serve({ agencies: { starter: agency }, tools, ...development }), steps)
