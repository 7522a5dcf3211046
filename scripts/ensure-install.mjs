// Installs the packages that a command needs, from the lockfile. Does nothing when they are installed.
//   node scripts/ensure-install.mjs [--prod]     --prod leaves out development packages
// Plain JavaScript for old versions of Node: it runs before the pinned version is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const notePath = `${root}/node_modules/.install-note.json`
const prod = process.argv.includes('--prod')
const lock = createHash('sha256')
  .update(readFileSync(`${root}/package-lock.json`))
  .digest('hex')

function noted() {
  try {
    return JSON.parse(readFileSync(notePath, 'utf8'))
  } catch {
    return undefined // absent or damaged: install again
  }
}

const note = existsSync(notePath) ? noted() : undefined
const fresh = note?.lock === lock && note.platform === process.platform + process.arch && (prod || note.dev)
if (!fresh) {
  console.error(`Installing ${prod ? 'what the server needs' : 'everything, development tools included'} ...`)
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', ...(prod ? ['--omit=dev'] : ['--include=dev'])]
  const options = { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  const result = npm?.endsWith('js')
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
  if (result.status !== 0) {
    console.error('The install failed. Check the network and the npm settings, then run the command again.')
    process.exit(1)
  }
  writeFileSync(notePath, JSON.stringify({ lock, dev: !prod, platform: process.platform + process.arch }))
}
const [major, minor] = process.versions.node.split('.').map(Number)
const fit = major > 22 || (major === 22 && minor >= 19)
if (!fit && !existsSync(`${root}/node_modules/.bin/node`) && !existsSync(`${root}/node_modules/.bin/node.cmd`)) {
  console.error(
    `Node ${process.versions.node} is too old and no pinned Node exists for this platform. Install Node 22.19 or newer.`,
  )
  process.exit(1)
}
