/** Writes and installs a new project: the part that `init` and `port` share. */
import { existsSync, readFileSync } from 'node:fs'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { cannotPack, filesExist, installFailed } from './errors.ts'
import { MANIFEST } from './manifest.ts'
import { npm } from './npm.ts'
import { packInto, publishedVersion } from './own-package.ts'
import type { Terminal } from './terminal.ts'

/** Where the files of templates are. npm leaves files with some names out of packages, so these have other names there. */
export const TEMPLATES = new URL('../../assets/init/', import.meta.url)
const RENAMED: { [template: string]: string } = {
  gitignore: '.gitignore',
  dockerignore: '.dockerignore',
  'env.example': '.env.example',
}

export interface NewProject {
  /** The absolute path of its folder. */
  folder: string
  /** Path -> text. */
  files: { [path: string]: string }
  /** Path -> file or folder to copy there. */
  copies?: { [path: string]: string }
  /** Packages that it needs beside this one and zod, with the versions that this package was tested with. */
  packages?: readonly string[]
  /** Scripts beside those of every project. */
  scripts?: { [name: string]: string }
}

/** The text of a template's file, with the names of the project in it. */
export function readTemplate(file: string, name: string): [path: string, text: string] {
  const text = readFileSync(new URL(file, TEMPLATES), 'utf8')
  const path = file.slice(file.lastIndexOf('/') + 1)
  return [RENAMED[path] ?? path, text.replaceAll('__AGENCY__', name.replaceAll('-', '_')).replaceAll('__NAME__', name)]
}

export const toPackageName = (folder: string): string =>
  basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|(?<!-)-+$/g, '') || 'my-agency'

/**
 * Writes the files of a project, and installs it.
 * @throws CommandError for files that exist, unless `force` is set, and when npm fails
 */
export async function createProject(
  project: NewProject,
  { force, install }: { force: boolean; install: boolean },
  terminal: Terminal,
): Promise<void> {
  const { folder, copies = {} } = project
  const shown = relative(process.cwd(), folder) || '.'
  const version = publishedVersion()
  const files = { 'package.json': packageJson(project, version ?? ''), ...project.files }
  const all = [...Object.keys(files), ...Object.keys(copies)]
  const taken = all.filter((file) => existsSync(join(folder, file)))
  if (taken.length > 0 && !force) throw filesExist(taken, shown)
  await mkdir(folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), text)
  }
  const filter = (path: string) => !/^(__pycache__|\.DS_Store)$|\.pyc?$/.test(basename(path))
  for (const [file, from] of Object.entries(copies)) await cp(from, join(folder, file), { recursive: true, filter })
  if (version === undefined) await vendor(project, shown, terminal)
  const listed = all.length > 20 ? `${all.length} files` : all.join(', ')
  terminal.note(`Wrote ${listed}${taken.length === 0 ? '' : ` (overwritten: ${taken.join(', ')})`}.`)
  if (!install) return
  let problem = await terminal.during('npm install', npm(INSTALL, folder))
  if (problem !== undefined && version !== undefined && isNotPublished(problem)) {
    await vendor(project, shown, terminal)
    problem = await terminal.during('npm install', npm(INSTALL, folder))
  }
  if (problem !== undefined) throw installFailed(shown, problem.split('\n')[0] ?? problem)
}

/** The commands that start a project which was created in this folder. */
export function nextSteps(folder: string, installed: boolean): string {
  const shown = relative(process.cwd(), folder) || '.'
  return [...(shown === '.' ? [] : [`cd ${shown}`]), ...(installed ? [] : ['npm install']), 'npm start'].join(' && ')
}

const INSTALL = ['install', '--no-audit', '--no-fund', '--loglevel=error']

/** True when the registry does not have this package, or not this version. */
const isNotPublished = (problem: string) => /E404|ETARGET/.test(problem) && problem.includes('agency-swarm-js')

/** Packs this copy of the package into the project, and sets the file in its package.json. @throws CommandError */
async function vendor(project: NewProject, shown: string, terminal: Terminal): Promise<void> {
  const packed = await terminal.during('npm pack', packInto(project.folder))
  if ('problem' in packed) throw cannotPack(shown, packed.problem.split('\n')[0] ?? '')
  await writeFile(join(project.folder, 'package.json'), packageJson(project, `file:${packed.file}`))
  terminal.note(`The project installs this copy of the package from ${packed.file}.`)
}

function packageJson({ folder, packages = [], scripts }: NewProject, version: string): string {
  const { engines, dependencies, devDependencies } = MANIFEST
  const tested = (name: string) => [name, devDependencies[name] as string] as const
  return `${JSON.stringify(
    {
      name: toPackageName(folder),
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
        ...scripts,
      },
      dependencies: {
        'agency-swarm-js': version,
        ...Object.fromEntries(packages.map(tested)),
        zod: dependencies.zod,
      },
      devDependencies: Object.fromEntries(['@types/node', 'typescript'].map(tested)),
    },
    null,
    2,
  )}\n`
}
