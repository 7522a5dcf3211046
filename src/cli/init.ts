/** The command `init`: creates a project. */
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
/** npm leaves files with these names out of packages, so the templates have other names. */
const RENAMED: { [template: string]: string } = {
  gitignore: '.gitignore',
  dockerignore: '.dockerignore',
  'env.example': '.env.example',
}

export const command = defineCommand({
  usage: '[folder]',
  maxPositionals: 1,
  about: `Creates a project in the folder (default: the current one): an agency in
TypeScript with the offline demo model, a test, a Dockerfile. Installs it and
prints the next steps. Existing files are only overwritten with --force.`,
  options: {
    force: { type: 'boolean', about: 'Overwrite existing files' },
    'no-install': { type: 'boolean', about: 'Skip npm install' },
  },
  async run({ values, positionals: [named = '.'] }, terminal) {
    const folder = resolve(named)
    const shown = relative(process.cwd(), folder) || '.'
    const version = publishedVersion()
    const files = createFiles(basename(folder), version ?? '')
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
    terminal.note(`\nNext: ${terminal.paint('bold', steps.join(' && '))}\nOr chat in the terminal: npm run chat`)
    return 0
  },
})

const INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

/** True when the registry does not have this package, or not this version. */
const isNotPublished = (problem: string) => /E404|ETARGET/.test(problem) && problem.includes('agency-swarm-js')

/** Packs this copy of the package into the project, and sets the file in its package.json. @throws CommandError */
async function vendor(folder: string, shown: string, terminal: Terminal): Promise<void> {
  const packed = await terminal.during('npm pack', packInto(folder))
  if ('problem' in packed) throw cannotPack(shown, packed.problem.split('\n')[0] ?? '')
  await writeFile(join(folder, 'package.json'), packageJson(toPackageName(basename(folder)), `file:${packed.file}`))
  terminal.note(`The project installs this copy of the package from ${packed.file}.`)
}

/** Path -> text of every file of a new project. */
function createFiles(folder: string, version: string): { [file: string]: string } {
  const name = toPackageName(folder)
  const fill = (text: string) => text.replaceAll('__AGENCY__', name.replaceAll('-', '_')).replaceAll('__NAME__', name)
  const templates = readdirSync(TEMPLATES).map((file): [string, string] => [
    RENAMED[file] ?? file,
    fill(readFileSync(new URL(file, TEMPLATES), 'utf8')),
  ])
  return { 'package.json': packageJson(name, version), ...Object.fromEntries(templates) }
}

const toPackageName = (folder: string): string =>
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
