// Packs the package, installs it into an empty folder as a user would, type-checks a small consumer and serves from it; makes
// a new project with the installed command line, and runs that.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'agency-package-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

function run(command, args, cwd, { input = '', env = {} } = {}) {
  const options = { cwd, encoding: 'utf8', input, env: { ...process.env, ...env } }
  const { status, stdout, stderr } = spawnSync(command, args, options)
  if (status === 0) return stdout
  console.error(`${command} ${args.join(' ')} failed:\n${stdout}${stderr}`)
  process.exit(1)
}
function demand(condition, sentence) {
  if (condition) return
  console.error(sentence)
  process.exit(1)
}

const tarball = run('npm', ['pack', '--silent', '--pack-destination', folder], root).trim().split('\n').at(-1)
writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error', join(folder, tarball)], folder)

const installed = readdirSync(join(folder, 'node_modules'))
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
const development = Object.keys(packages[''].devDependencies).filter((name) => packages[`node_modules/${name}`].dev)
demand(!installed.some((name) => name.startsWith('node-')), 'the pinned Node reached a user')
const stray = development.filter((name) => existsSync(join(folder, 'node_modules', name)))
demand(development.length > 10, 'the lockfile names no development packages')
demand(stray.length === 0, `development packages reached a user: ${stray.join(', ')}`)

writeFileSync(
  join(folder, 'main.ts'),
  `import { Agency, Agent, type RunningServer } from 'agency-swarm-js'
import { createClient } from 'agency-swarm-js/client'
import { agencySwarm } from 'agency-swarm-js/fastify'
import { createMetrics, openTelemetry } from 'agency-swarm-js/otel'
import { postgres } from 'agency-swarm-js/postgres'
import { expectRun, override, script } from 'agency-swarm-js/testing'
const agency = new Agency(new Agent({ name: 'Solo', model: 'demo' }), { name: 'solo' })
expectRun(await override(agency, { model: script(['Hello.']) }).getResponse('Hi')).toAnswer('Hello.')
const metrics = createMetrics()
const server: RunningServer = await agency.serve({ host: '127.0.0.1', port: 0, banner: false, metrics, playground: true })
const source = /src="([^"]+)"/.exec(await (await fetch(server.url)).text())?.[1] ?? 'none'
if (!(await fetch(new URL(source, server.url))).ok) throw new Error('The playground is not whole.')
const { response } = await createClient({ baseUrl: server.url }).agency('solo').getResponse('Hello')
const counted = await (await fetch(\`\${server.url}/metrics\`)).text()
if (!counted.includes('agency_swarm_runs_started_total{agency="solo",stream="false"} 1')) throw new Error(counted)
process.env.ANTHROPIC_API_KEY = 'none'
const claude = new Agency(new Agent({ name: 'Claude', model: 'anthropic/claude-sonnet-4-5' }))
const refusals = [claude.getResponse('Hi'), claude.serve({ host: '127.0.0.1', port: 0, banner: false })]
for (const { reason } of (await Promise.allSettled(refusals)) as PromiseRejectedResult[])
  if (!String(reason).includes('npm install @ai-sdk/anthropic')) throw new Error(\`No hint: \${reason}\`)
await server.close()
metrics.close()
try {
  openTelemetry()
  throw new Error('OpenTelemetry is there')
} catch (error) {
  const { code, message } = error as { code?: string; message: string }
  if (code !== 'PACKAGE_MISSING' || !message.includes('npm install @opentelemetry/api')) throw error
}
const missing: { code?: string; message?: string } = await postgres('postgres://127.0.0.1/none')
  .read({ kind: 'jobs', limit: 1 })
  .then(() => ({}), (error) => error)
if (missing.code !== 'PACKAGE_MISSING' || !missing.message?.includes('npm install pg')) throw missing
if (!response.includes('demo model') || typeof agencySwarm !== 'function') throw new Error(response)
// @ts-expect-error a port is a number
const wrong: Parameters<typeof agency.serve>[0] = { port: '8000' }
console.log('served', typeof wrong)
`,
)
// A page knows nothing of Node; the parser of events is all that the client brings along.
writeFileSync(
  join(folder, 'page.ts'),
  `import { createClient, type StreamEvent } from 'agency-swarm-js/client'
const stream = createClient({ baseUrl: '' }).agency('solo').stream('Hello')
export const show = (event: StreamEvent) => (event.kind === 'text' ? document.body.append(event.text) : undefined)
for await (const event of stream) show(event)
`,
)
const client = join(folder, 'node_modules/agency-swarm-js/dist/client')
// Examples in comments import, too.
for (const file of readdirSync(client).filter((name) => name.endsWith('.js')))
  for (const [, from] of readFileSync(join(client, file), 'utf8')
    .replace(/\/\*\*.*?\*\//gs, '')
    .matchAll(/(?:from|import)\s*\(?'([^']+)'/g))
    demand(/^(\.\/[a-z-]+\.js|eventsource-parser)$/.test(from), `the client imports ${from}`)

writeFileSync(
  join(folder, 'types.ts'),
  `import { Agency, Agent } from 'agency-swarm-js'
import { createChatTransport, createClient } from 'agency-swarm-js/client'
import { useAgency } from 'agency-swarm-js/react'
export const all = [Agency, Agent, createChatTransport, createClient, useAgency]
`,
)
const ownTypes = join(folder, 'node_modules/@types')
if (!existsSync(ownTypes)) symlinkSync(join(root, 'node_modules/@types'), ownTypes)
/** Declarations are checked too, in a project without the optional packages. */
const CHECKED = 'types.ts'
for (const [module, moduleResolution, file, lib, types] of [
  ['NodeNext', 'NodeNext', CHECKED, ['ES2024', 'DOM', 'DOM.AsyncIterable'], ['node', 'react']],
  ['NodeNext', 'NodeNext', 'main.ts', ['ES2024'], ['node']],
  ['ESNext', 'Bundler', 'main.ts', ['ES2024'], ['node']],
  ['ESNext', 'Bundler', 'page.ts', ['ES2024', 'DOM', 'DOM.AsyncIterable'], []],
]) {
  const compilerOptions = {
    module,
    moduleResolution,
    target: 'ES2024',
    lib,
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: file !== CHECKED,
    typeRoots: [join(root, 'node_modules/@types')],
    types,
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
  run('tsc', ['-p', 'tsconfig.json'], folder)
}
demand(run('node', ['main.ts'], folder).includes('served'), 'the installed package did not answer')

const cli = join(folder, 'node_modules/.bin/agency-swarm-js')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
demand(run(cli, ['--version'], folder) === `${version}\n`, 'the command line does not know its version')
demand(JSON.parse(run(cli, ['doctor', '--json'], folder, { env: { PORT: '0' } })).ok, 'the doctor finds faults')
run(cli, ['init', 'shop', '--no-install'], folder)
const shop = join(folder, 'shop')
const manifest = JSON.parse(readFileSync(join(shop, 'package.json'), 'utf8'))
const carried = `agency-swarm-js-${version}.tgz`
demand(manifest.dependencies['agency-swarm-js'] === `file:${carried}`, 'a new project does not ask for its own copy')
demand(existsSync(join(shop, carried)), 'a new project has no copy of the package')
run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund', '--loglevel=error'], shop)
demand(/pass 2\b/.test(run('npm', ['test'], shop)), "the new project's test did not run")
symlinkSync(join(root, 'node_modules/@types'), join(shop, 'node_modules/@types'))
run('tsc', ['-p', 'tsconfig.json'], shop)
const said = run('npm', ['run', '--silent', 'chat'], shop, { input: 'Ask the Researcher about the weather in Paris\n' })
demand(said.includes('In Paris it is sunny'), `the new project answered: ${said}`)
console.log(`packed, installed (${installed.length} folders), served, and a new project runs`)
