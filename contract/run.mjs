// Runs generators and a fuzzer on the OpenAPI document of real servers of ours. Closes with one line: N passed, N failed, N skipped.
//   node contract/run.mjs [--only typescript|python|ag-ui|mcp|langchain|fuzz] [--examples N] [--seed N]
// Exit code 0: all passed; 1: something failed; 2: something could not be tried.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const here = import.meta.dirname
const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    examples: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
  },
})
const generated = join(here, 'generated')
const venv = join(here, '.venv')
const TOKEN = 'contract-token'
const STEP_MS = 240_000

class Skip extends Error {}

/** Runs a command to its end and gives its output. It is not waited for longer than STEP_MS. */
async function run(command, args, { cwd = here, env = {} } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: STEP_MS,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  const code = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (status, signal) => resolve(status ?? `stopped by ${signal}`))
  })
  return { code, output }
}
async function demand(command, args, more) {
  const { code, output } = await run(command, args, more)
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}\n${output.slice(-8000)}\n(${code})`)
  return output
}

const bin = (name) => join(here, 'node_modules', '.bin', name)
const inVenv = (name, place = venv) =>
  process.platform === 'win32' ? join(place, 'Scripts', `${name}.exe`) : join(place, 'bin', name)

/** A virtual environment with what a file names, made once. @throws Skip without a Python that can make one */
async function prepareVenv(venv = join(here, '.venv'), requirements = 'requirements.txt') {
  const wanted = createHash('sha256')
    .update(readFileSync(join(here, requirements)))
    .digest('hex')
  const note = join(venv, 'requirements.sha256')
  if (existsSync(note) && readFileSync(note, 'utf8') === wanted) return
  rmSync(venv, { recursive: true, force: true })
  const candidates = [process.env.CONTRACT_PYTHON, 'python3.13', 'python3.12', 'python3.11', 'python3'].filter(Boolean)
  for (const python of candidates) {
    const { output } = await run(python, ['-c', 'import sys; print(sys.version_info >= (3, 11))'])
    if (output.trim() !== 'True' || (await run(python, ['-m', 'venv', venv])).code !== 0) continue
    await demand(inVenv('pip', venv), ['install', '--quiet', '--disable-pip-version-check', '-r', requirements])
    writeFileSync(note, wanted)
    return
  }
  throw new Skip(`no Python 3.11 or newer that can make a virtual environment (tried ${candidates.join(', ')})`)
}

const fuzz = (document, url, more = []) =>
  run(
    inVenv('schemathesis'),
    [
      ...['--config-file', join(here, 'schemathesis.toml'), 'run', join(generated, document), '--url', url],
      ...['--seed', options.seed, '--continue-on-failure', '--suppress-health-check', 'all', '--no-color', ...more],
    ],
    { cwd: generated },
  )
const fuzzed = ({ code, output }) => {
  if (code !== 0) throw new Error(`${output.slice(-12_000)}\n(${code})`)
  return /(\d+) generated, (\d+) passed/.exec(output)?.[0] ?? 'no count'
}
const auth = ['--header', `Authorization: Bearer ${TOKEN}`]

/** Name -> what is tried, given the servers; its answer is shown. */
const steps = {
  async 'typescript: openapi-typescript, tsc, a client that runs'({ open }) {
    await demand(bin('openapi-typescript'), [join(generated, 'open.json'), '-o', join(generated, 'api.ts')])
    await demand(bin('openapi-typescript'), [join(generated, 'agui.json'), '-o', join(generated, 'agui.ts')])
    await demand(bin('tsc'), ['-p', 'tsconfig.json'])
    return demand(process.execPath, ['client.ts', open])
  },
  async 'python: openapi-python-client, a client that runs'({ open, closed }) {
    await prepareVenv()
    const PATH = `${join(venv, process.platform === 'win32' ? 'Scripts' : 'bin')}:${process.env.PATH}`
    const target = join(generated, 'python')
    const args = ['generate', '--path', 'open.json', '--output-path', target, '--overwrite', '--fail-on-warning']
    await demand(inVenv('openapi-python-client'), args, { cwd: generated, env: { PATH } })
    return demand(inVenv('python'), ['client.py', open, closed, TOKEN], { env: { PYTHONPATH: target } })
  },
  async 'ag-ui: releases of @ag-ui/client and @copilotkit/runtime'() {
    const env = { COPILOTKIT_TELEMETRY_DISABLED: 'true' }
    return demand(process.execPath, ['agui-clients.ts'], { env })
  },
  async 'mcp: the reference servers everything and filesystem'() {
    return demand(process.execPath, ['mcp-servers.ts'])
  },
  async 'mcp: the reference server fetch'() {
    const place = join(here, '.venv-mcp')
    await prepareVenv(place, 'requirements-mcp.txt')
    return demand(process.execPath, ['mcp-servers.ts', inVenv('mcp-server-fetch', place)])
  },
  async 'langchain: tools of @langchain/core'() {
    return demand(process.execPath, ['langchain-tools.ts'])
  },
  async 'fuzz: schemathesis on an open server'({ open }) {
    await prepareVenv()
    return fuzzed(await fuzz('open.json', open, ['--max-examples', options.examples]))
  },
  async 'fuzz: schemathesis on a server behind a token'({ closed }) {
    await prepareVenv()
    return fuzzed(await fuzz('closed.json', closed, ['--max-examples', options.examples, ...auth]))
  },
  async 'fuzz: schemathesis on a server with AG-UI'({ agui }) {
    await prepareVenv()
    return fuzzed(
      await fuzz('agui.json', agui, [
        '--max-examples',
        options.examples,
        '--include-path',
        '/team/get_response_stream',
      ]),
    )
  },
  async 'fuzz: a status and a field that are taken out of the document are noticed'({ open }) {
    await prepareVenv()
    const document = JSON.parse(readFileSync(join(generated, 'open.json'), 'utf8'))
    delete document.paths['/tool/FormatAddress'].post.responses[422]
    document.components.schemas.StreamSummary.required.push('nobody_sends_this')
    writeFileSync(join(generated, 'broken.json'), JSON.stringify(document))
    const only = ['--include-path', '/tool/FormatAddress', '--include-path', '/team/get_response_stream']
    const { code, output } = await fuzz('broken.json', open, ['--max-examples', '10', '--phases', 'coverage', ...only])
    const found = ['Undocumented status code', 'SSE event violates schema'].filter((title) => output.includes(title))
    if (code === 0 || found.length !== 2) throw new Error(`only ${found.join(', ') || 'nothing'} was found\n${output}`)
    return 'both'
  },
}

mkdirSync(generated, { recursive: true })
const log = createWriteStream(join(generated, 'server.log'))
console.error = console.warn = (text) => log.write(`${text}\n`) // what the servers have to say; steps tell by console.log
const { startServers } = await import('./servers.ts')
const servers = await startServers(join(generated, 'logs'), TOKEN)
const headers = { authorization: `Bearer ${TOKEN}` }
for (const name of ['open', 'closed', 'agui']) {
  const answer = await fetch(`${servers[name]}/openapi.json`, { headers })
  writeFileSync(join(generated, `${name}.json`), JSON.stringify(await answer.json(), null, 1))
}
const total = { passed: 0, failed: 0, skipped: 0 }
for (const [name, step] of Object.entries(steps)) {
  if (!name.startsWith(options.only)) continue
  const started = performance.now()
  const say = (result, text) =>
    console.log(`${result} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s): ${text.trim()}`)
  try {
    say('ok  ', await step(servers))
    total.passed++
  } catch (error) {
    say(error instanceof Skip ? 'skip' : 'FAIL', error.message)
    total[error instanceof Skip ? 'skipped' : 'failed']++
  }
}
await servers.close()
console.log(`\ncontract: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
process.exitCode = total.failed > 0 ? 1 : total.skipped > 0 || total.passed === 0 ? 2 : 0
