import { existsSync } from 'node:fs'
import { AgencyError, serve } from '../../src/index.ts'

if (existsSync('.env')) process.loadEnvFile('.env')
const { agency, FormatAddress } = await import('./agency.ts')

try {
  await serve({
    agencies: { starter: agency },
    tools: [FormatAddress],
    playground: true,
    host: process.env.HOST ?? '127.0.0.1',
    port: Number(process.env.PORT ?? 8000),
  })
} catch (error) {
  if (!(error instanceof AgencyError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
