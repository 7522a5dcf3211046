// Replays recorded exchanges of the Python original against our server.
//   node tests/conformance/run.mjs [--cases DIR] [--agencies MODULE] [--only REGEX] [--strict]
// DIR/fixtures.json is given to the mock; MODULE exports modes({ mock, tmp }): serve options per mode.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'

const here = import.meta.dirname
const { values: options } = parseArgs({
  options: {
    cases: { type: 'string', default: join(here, 'cases') },
    agencies: { type: 'string', default: join(here, 'agencies.ts') },
    only: { type: 'string' },
    strict: { type: 'boolean', default: false },
  },
})
const cases = resolve(options.cases)
const own = cases === join(here, 'cases')
const open = own && !options.only ? JSON.parse(readFileSync(join(here, 'open-cases.json'), 'utf8')) : {}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  await new Promise((done) => probe.close(done))
  return port
}

const tmp = mkdtempSync(join(tmpdir(), 'conformance-'))
const [port, aimock] = [await freePort(), await freePort()]
const mock = `http://127.0.0.1:${port}`
const upstream = spawn(
  process.execPath,
  [join(here, 'mock.mjs'), '--port', port, '--aimock-port', aimock, '--fixtures', join(cases, 'fixtures.json')].map(
    String,
  ),
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
process.on('exit', () => upstream.kill())
for await (const chunk of upstream.stdout) if (String(chunk).includes('ready')) break

process.env.OPENAI_BASE_URL = `${mock}/v1`
process.env.OPENAI_API_KEY = 'mock'
const { watchServers } = await import('../support/contract.ts')
const violations = new Set()
watchServers((violation) => violations.add(violation))
const { serve } = await import('../../src/index.ts')
const { modes } = await import(pathToFileURL(resolve(options.agencies)))
const bases = []
const servers = []
for (const [mode, serveOptions] of Object.entries(modes({ mock, tmp }))) {
  if (serveOptions === null) continue
  const server = await serve({ ...serveOptions, host: '127.0.0.1', port: 0, banner: false })
  servers.push(server)
  bases.push('--base', `${mode}=${server.url}`)
}

const extra = [...(options.only ? ['--only', options.only] : []), ...(options.strict ? ['--strict'] : [])]
const replay = spawn(
  process.execPath,
  [join(here, 'replay.mjs'), ...bases, '--dir', cases, '--mock', mock, '--tmp', tmp, ...extra],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
let output = ''
for await (const chunk of replay.stdout) {
  output += chunk
  process.stdout.write(chunk)
}
await Promise.all(servers.map((server) => server.close()))
upstream.kill()
rmSync(tmp, { recursive: true, force: true })

const named = (word) => [...output.matchAll(new RegExp(`^${word}\\s+(\\S+)`, 'gm'))].map((match) => match[1])
const unexpected = named('DIFF').filter((name) => !(name in open))
const stale = named('ok').filter((name) => name in open)
for (const name of unexpected) console.error(`unexpected difference: ${name}`)
for (const name of stale) console.error(`${name} passes and has to leave open-cases.json`)
for (const violation of violations) console.error(`not in the OpenAPI document: ${violation}`)
process.exit(unexpected.length + stale.length + violations.size === 0 && named('ok').length > 0 ? 0 : 1)
