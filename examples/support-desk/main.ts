import { serve } from '../../src/index.ts'
import { address, check, checking } from '../check.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

const server = await serve({ agencies: { support: agency }, ...address })
if (checking) await check(server, steps)
