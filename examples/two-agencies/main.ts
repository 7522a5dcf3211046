import { serve } from '../../src/index.ts'
import { address, check, checking } from '../check.ts'
import { guests, QuotePrice, staff } from './agency.ts'
import { steps } from './steps.ts'

const server = await serve({ agencies: { guests, staff }, tools: [QuotePrice], ...address })
if (checking) await check(server, steps)
