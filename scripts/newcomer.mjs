// Follows the first steps of a new user: a fresh clone, `npm start` and a question in a real Chromium; then
// `npx agency-swarm-js init` of the packed package in an empty folder, the start of the new project and its test.
//   npm run newcomer -- [--picture FILE] [--write]     --write writes the sizes and times to docs/benchmarks.md
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { launchChromium } from '../tests/browser/launch.ts'
import { needChromium } from './find-chromium.mjs'
import { freePort } from './free-port.mjs'
import { writeMeasured } from './write-measured.mjs'

const { values: options } = parseArgs({
  options: { picture: { type: 'string', default: 'newcomer.png' }, write: { type: 'boolean', default: false } },
})
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'newcomer-'))
const running = new Set()
function signal(child, name) {
  try {
    process.kill(-child.pid, name)
  } catch {
    // already gone
  }
}
process.on('exit', () => {
  for (const child of running) signal(child, 'SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})
for (const name of ['SIGINT', 'SIGTERM']) process.on(name, () => process.exit(1))

/** The environment of a new user: without the programs of this checkout and the variables that npm sets for scripts. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_(lifecycle|package|execpath|node_execpath|config_local_prefix)|INIT_CWD|NODE$|OPENAI|APP_TOKEN)/.test(
        name,
      ),
  ),
)
env.PATH = env.PATH?.split(':')
  .filter((place) => !place.includes('node_modules/'))
  .join(':')

const QUESTION = 'Ask the Researcher about the weather in Paris'
const rows = []
const note = (name, value) => {
  rows.push([name, value])
  console.log(`${name}: ${value}`)
}
const seconds = (began) => `${((performance.now() - began) / 1000).toFixed(1)} s`
const kib = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`
const mib = (bytes) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
const diskUse = (path) => Number(run('du', ['-s', '--block-size=1', path], folder).split('\t')[0])

function run(command, args, cwd, more = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env, ...more })
  if (status === 0) return stdout
  throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
}
function demand(condition, sentence) {
  if (!condition) throw new Error(sentence)
}

/** Starts a server with `npm start` and waits for its first answer. @returns a function that stops it */
async function start(cwd, agency) {
  const port = await freePort()
  const began = performance.now()
  const child = spawn('npm', ['start'], { cwd, env: { ...env, PORT: String(port) }, detached: true })
  running.add(child)
  const ended = new Promise((resolve) => child.once('close', resolve)).then(() => running.delete(child))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const url = `http://127.0.0.1:${port}`
  for (;;) {
    const answer = await fetch(`${url}/${agency}/get_metadata`).catch(() => undefined)
    if (answer?.ok) break
    demand(child.exitCode === null && performance.now() - began < 180_000, `npm start does not answer:\n${said}`)
    await sleep(50)
  }
  const took = seconds(began)
  const stop = async () => {
    signal(child, 'SIGINT')
    await ended
  }
  return { url, took, stop }
}

/** Opens the page, sends a question with one click, checks that the Researcher's answer is inside the Guide's call, and takes a picture. */
async function askInBrowser(url) {
  const browser = await launchChromium()
  const page = await browser.newPage({ viewport: { width: 1360, height: 850 } })
  await page.goto(url)
  const starter = page.getByRole('button', { name: QUESTION })
  await starter.waitFor()
  const [ready, bytes] = await page.evaluate(() => {
    const loaded = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    return [performance.now(), loaded.reduce((sum, { transferSize }) => sum + transferSize, 0)]
  })
  note('playground, over the wire', kib(bytes))
  note('playground, time to interactive (local, cold browser)', `${ready.toFixed(0)} ms`)
  await starter.click()
  await page.locator('.turn-foot').waitFor()
  const card = page.locator('.card').first()
  await card.locator('> button').click()
  const nested = (await card.innerText()).replaceAll(/\s+/g, ' ')
  demand(/Researcher/.test(nested) && /In Paris it is/.test(nested), `The nested answer is not seen: ${nested}`)
  await page.screenshot({ path: options.picture })
  await browser.close()
  console.log(`The Researcher's answer is shown inside the Guide's call. Picture: ${resolve(options.picture)}`)
}

process.env.CHROMIUM = needChromium()
demand(process.env.CHROMIUM !== undefined, 'There is no Chromium. Install one, or set CHROMIUM to its path.')

run('git', ['clone', '--quiet', root, 'clone'], folder)
const clone = join(folder, 'clone')
const first = await start(clone, 'starter')
note('fresh clone: `npm start` to the first answer, install included', first.took)
note('fresh clone: installed, the pinned Node included', mib(diskUse(join(clone, 'node_modules'))))
await askInBrowser(first.url)
await first.stop()
const second = await start(clone, 'starter')
note('`npm start` to the first answer, the second time', second.took)
await second.stop()

const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], root))
note('package, packed', kib(packed.size))
note('package, unpacked', `${mib(packed.unpackedSize)}, ${packed.entryCount} files`)
const tarball = join(folder, packed.filename)

// Users who install the package have their own recent version of Node; only the clone brings one.
env.PATH = `${dirname(process.execPath)}:${env.PATH}`
const empty = join(folder, 'empty')
mkdirSync(empty)
run('npx', ['--yes', `--package=${tarball}`, '--', 'agency-swarm-js', 'init', 'shop', '--no-install'], empty)
const shop = join(empty, 'shop')
const began = performance.now()
run('npm', ['install', '--omit=dev', '--no-audit', '--no-fund'], shop)
note('a new project: `npm install`', seconds(began))
note('a new project: installed', mib(diskUse(join(shop, 'node_modules'))))
const project = await start(shop, 'shop')
note('a new project: `npm start` to the first answer', project.took)
const answer = await fetch(`${project.url}/shop/get_response`, {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message: QUESTION }),
})
const text = await answer.text()
demand(text.includes('In Paris it is sunny'), `The new project answers: ${text}`)
await project.stop()
demand(/pass 1\b/.test(run('npm', ['test'], shop)), "The new project's test did not run.")
console.log('The new project answers, and its test passes.')
demand(statSync(options.picture).size > 10_000, 'The picture is empty.')

if (options.write) {
  const machine = `${cpus().length} x ${cpus()[0].model.trim()}, Node ${process.version}`
  const table = ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
  writeMeasured(
    'docs/benchmarks.md',
    'npm run newcomer -- --write',
    `Measured ${new Date().toISOString().slice(0, 10)} on ${machine}; times to install depend on the network and npm's cache.\n\n${table}`,
  )
}
