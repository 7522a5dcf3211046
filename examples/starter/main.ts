import { existsSync } from 'node:fs'
import { AgencyError, serve } from '../../src/index.ts'

if (existsSync('.env')) process.loadEnvFile('.env')
const { agency, FormatAddress } = await import('./agency.ts')

try {
  const server = await serve({
    agencies: { starter: agency },
    tools: [FormatAddress],
    host: process.env.HOST ?? '127.0.0.1',
    port: Number(process.env.PORT ?? 8000),
  })
  let stops = 0
  const stop = () => {
    if (++stops > 1) process.exit(1) // a second signal forces
    void server.close().then(() => process.exit(0))
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
} catch (error) {
  if (!(error instanceof AgencyError)) throw error
  console.error(error.message)
  process.exitCode = 1
}
