import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { guests, QuotePrice, staff } from './agency.ts'
import { steps } from './steps.ts'

await start(serve({ agencies: { guests, staff }, tools: [QuotePrice], ...development }), steps)
