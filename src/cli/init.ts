import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { defineCommand } from './command.ts'
import { cannotPack, filesExist, installFailed } from './errors.ts'
import { MANIFEST } from './manifest.ts'
import { npm } from './npm.ts'
import { packInto, publishedVersion } from './own-package.ts'
import type { Terminal } from './terminal.ts'

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
    const version = publishedVersion()
    const files = filesFor(basename(folder), version ?? '')
    const taken = Object.keys(files).filter((file) => existsSync(join(folder, file)))
    if (taken.length > 0 && values.force !== true) throw filesExist(taken, shown)
    await mkdir(folder, { recursive: true })
    for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
    if (version === undefined) await vendor(folder, shown, terminal)
    terminal.note(
      `Wrote ${Object.keys(files).join(', ')}${taken.length === 0 ? '' : ` (overwritten: ${taken.join(', ')})`}.`,
    )
    const install = values['no-install'] !== true
    if (install) {
      let problem = await terminal.during('npm install', npm(INSTALL, folder))
      if (problem !== undefined && version !== undefined && isNotPublished(problem)) {
        await vendor(folder, shown, terminal)
        problem = await terminal.during('npm install', npm(INSTALL, folder))
      }
      if (problem !== undefined) throw installFailed(shown, problem.split('\n')[0] ?? problem)
    }
    const steps = [...(shown === '.' ? [] : [`cd ${shown}`]), ...(install ? [] : ['npm install']), 'npm start']
    terminal.note(`\nNow: ${terminal.paint('bold', steps.join(' && '))}\nOr talk to it here: npm run chat`)
    return 0
  },
})

const INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

/** The registry answers, and does not have this package or this version of it. */
const isNotPublished = (problem: string) => /E404|ETARGET/.test(problem) && problem.includes('agency-swarm-js')

/** Puts this copy of the package into the project as a file, and lets its package.json name it. @throws CommandError */
async function vendor(folder: string, shown: string, terminal: Terminal): Promise<void> {
  const packed = await terminal.during('npm pack', packInto(folder))
  if ('problem' in packed) throw cannotPack(shown, packed.problem.split('\n')[0] ?? '')
  await writeFile(join(folder, 'package.json'), packageJson(nameFor(basename(folder)), `file:${packed.file}`))
  terminal.note(`${packed.file} is this copy of the package: the project installs it from there.`)
}

/** Path -> text of every file of a new project. */
function filesFor(folder: string, version: string): { [file: string]: string } {
  const name = nameFor(folder)
  const fill = (text: string) => text.replaceAll('__AGENCY__', name.replaceAll('-', '_')).replaceAll('__NAME__', name)
  const templates = readdirSync(TEMPLATES).map((file): [string, string] => [
    RENAMED[file] ?? file,
    fill(readFileSync(new URL(file, TEMPLATES), 'utf8')),
  ])
  return { 'package.json': packageJson(name, version), ...Object.fromEntries(templates) }
}

const nameFor = (folder: string): string =>
  folder
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|(?<!-)-+$/g, '') || 'my-agency'

function packageJson(name: string, version: string): string {
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
      dependencies: { 'agency-swarm-js': version, zod: dependencies.zod },
      devDependencies: {
        '@types/node': devDependencies['@types/node'],
        typescript: devDependencies.typescript,
      },
    },
    null,
    2,
  )}\n`
}
