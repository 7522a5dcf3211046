import { join } from 'node:path'
import { serve } from 'agency-swarm-js'
import { development, start } from '../run.ts'
import { agency } from './agency.ts'
import { steps } from './steps.ts'

const allowedLocalFileDirs = [join(import.meta.dirname, 'shared')]
await start(serve({ agencies: { analyst: agency }, allowedLocalFileDirs, ...development }), steps)
