import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { VERSION } from '../version.ts'
import { defineCommand } from './command.ts'
import { filesExist, installFailed } from './errors.ts'
import { MANIFEST } from './manifest.ts'

const TEMPLATES = new URL('../../assets/init/', import.meta.url)
/** The package leaves out files with these names, so the templates have others. */
const RENAMED: { [template: string]: string } = {
  gitignore: '.gitignore',
  dockerignore: '.dockerignore',
  'env.example': '.env.example',
}

export const command = defineCommand({
  takes: '[folder]',
  most: 1,
  about: `Makes a project in the folder (default: here): an agency in TypeScript on the
offline demo model, a test, a Dockerfile. Installs it and says what to type
next. Files that are there already are never overwritten unasked.`,
  options: {
    force: { type: 'boolean', about: 'Overwrite files that are there' },
    'no-install': { type: 'boolean', about: 'Leave npm install to you' },
  },
  async run({ values, positionals: [named = '.'] }, terminal) {
    const folder = resolve(named)
    const shown = relative(process.cwd(), folder) || '.'
    const files = filesFor(basename(folder))
    const taken = Object.keys(files).filter((file) => existsSync(join(folder, file)))
    if (taken.length > 0 && values.force !== true) throw filesExist(taken, shown)
    await mkdir(folder, { recursive: true })
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
    terminal.note(
      `Wrote ${Object.keys(files).join(', ')}${taken.length === 0 ? '' : ` (overwritten: ${taken.join(', ')})`}.`,
    )
    const install = values['no-install'] !== true
    if (install) {
      const output = await terminal.during('npm install', runInstall(folder))
      if (output !== undefined) throw installFailed(shown, output)
    }
    const steps = [...(shown === '.' ? [] : [`cd ${shown}`]), ...(install ? [] : ['npm install']), 'npm start']
    terminal.note(`\nNow: ${terminal.paint('bold', steps.join(' && '))}\nOr talk to it here: npm run chat`)
    return 0
  },
})

/** Path -> text of every file of a new project. */
function filesFor(folder: string): { [file: string]: string } {
  const name =
    folder
      .toLowerCase()
      .replace(/[^a-z0-9-]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'my-agency'
  const fill = (text: string) => text.replaceAll('__AGENCY__', name.replaceAll('-', '_')).replaceAll('__NAME__', name)
  const templates = readdirSync(TEMPLATES).map((file): [string, string] => [
    RENAMED[file] ?? file,
    fill(readFileSync(new URL(file, TEMPLATES), 'utf8')),
  ])
  return { 'package.json': packageJson(name), ...Object.fromEntries(templates) }
}

function packageJson(name: string): string {
  const { engines, dependencies, devDependencies } = MANIFEST
  return `${JSON.stringify(
    {
      name,
      version: '0.1.0',
      private: true,
      type: 'module',
      engines,
      scripts: {
        start: 'agency-swarm-js serve --playground',
        dev: 'agency-swarm-js dev',
        chat: 'agency-swarm-js chat',
        test: 'node --test',
        typecheck: 'tsc',
      },
      dependencies: { 'agency-swarm-js': VERSION, zod: dependencies.zod },
      devDependencies: {
        '@types/node': devDependencies['@types/node'],
        typescript: devDependencies.typescript,
      },
    },
    null,
    2,
  )}\n`
}

/** Undefined when it worked, else the last line of what npm said. */
async function runInstall(folder: string): Promise<string | undefined> {
  const npm = process.env.npm_execpath
  const args = ['install', '--no-audit', '--no-fund', '--loglevel=error']
  const child =
    npm !== undefined && basename(npm) === 'npm-cli.js'
      ? spawn(process.execPath, [npm, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
      : spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'], shell: process.platform === 'win32' })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-2000)
  })
  try {
    const [code] = await once(child, 'close')
    return code === 0
      ? undefined
      : (said
          .trim()
          .split('\n')
          .find((line) => /error/i.test(line)) ?? `npm ended with ${code}`)
  } catch (error) {
    return (error as Error).message // there is no npm
  }
}
