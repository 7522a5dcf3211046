// Packs the package, installs it into an empty folder as a user would, type-checks a small consumer and serves from it.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'agency-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status === 0) return stdout
  console.error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  process.exit(1)
}
function demand(condition, sentence) {
  if (condition) return
  console.error(sentence)
  process.exit(1)
}

run('tsc', ['-p', 'tsconfig.build.json'], root)
const tarball = run('npm', ['pack', '--silent', '--pack-destination', folder], root).trim().split('\n').at(-1)
writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error', join(folder, tarball)], folder)

const installed = readdirSync(join(folder, 'node_modules'))
const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
demand(!installed.some((name) => name.startsWith('node-')), 'the pinned Node reached a user')
const stray = Object.keys(devDependencies).filter((name) => existsSync(join(folder, 'node_modules', name)))
demand(stray.length === 0, `development packages reached a user: ${stray.join(', ')}`)

writeFileSync(
  join(folder, 'main.ts'),
  `import { Agency, Agent, type RunningServer } from 'agency-swarm-js'
import { agencySwarm } from 'agency-swarm-js/fastify'
import { createMetrics, openTelemetry } from 'agency-swarm-js/otel'
const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }), { name: 'solo' })
const metrics = createMetrics()
const server: RunningServer = await agency.serve({ host: '127.0.0.1', port: 0, banner: false, metrics })
const answer = await fetch(\`\${server.url}/solo/get_response\`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: 'Hello' }),
})
const { response } = (await answer.json()) as { response: string }
const counted = await (await fetch(\`\${server.url}/metrics\`)).text()
if (!counted.includes('agency_swarm_runs_started_total{agency="solo",stream="false"} 1')) throw new Error(counted)
await server.close()
metrics.close()
try {
  openTelemetry()
  throw new Error('OpenTelemetry is there')
} catch (error) {
  const { code, message } = error as { code?: string; message: string }
  if (code !== 'PACKAGE_MISSING' || !message.includes('npm install @opentelemetry/api')) throw error
}
if (!response.includes('demo model') || typeof agencySwarm !== 'function') throw new Error(response)
// @ts-expect-error a port is a number
const wrong: Parameters<typeof agency.serve>[0] = { port: '8000' }
console.log('served', typeof wrong)
`,
)
for (const [module, moduleResolution] of [
  ['NodeNext', 'NodeNext'],
  ['ESNext', 'Bundler'],
]) {
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'ES2024',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: true,
    typeRoots: [join(root, 'node_modules/@types')],
    types: ['node'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }))
  run('tsc', ['-p', 'tsconfig.json'], folder)
}
demand(run('node', ['main.ts'], folder).includes('served'), 'the installed package did not answer')
console.log(`packed, installed (${installed.length} folders) and served`)
