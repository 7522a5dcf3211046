import { join } from 'node:path'
import { serve } from '../../src/index.ts'
import { address, check, checking } from '../check.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

const server = await serve({
  agencies: { analyst: agency },
  allowedLocalFileDirs: [join(import.meta.dirname, 'shared')],
  ...address,
})
if (checking) await check(server, steps)
