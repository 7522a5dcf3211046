/** How a new project gets this package: from the registry, or as a packed file inside the project. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VERSION } from '../base/version.ts'
import { npm } from './npm.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Sources beside the build: a clone, or a folder that npm links to. */
const isClone = existsSync(join(ROOT, 'tsconfig.build.json'))

/**
 * Undefined when this copy was packed from a clone or installed from a file, which the registry may not have; else its version.
 * npm notes in `node_modules` where packages came from.
 */
export function publishedVersion(root = ROOT, clone = isClone): string | undefined {
  if (clone) return undefined
  const modules = dirname(join(root, 'package.json')).replace(/[\\/]agency-swarm-js$/, '')
  try {
    const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'))
    const from: unknown = packages['node_modules/agency-swarm-js']?.resolved
    return typeof from === 'string' && !/^https?:/.test(from) ? undefined : VERSION
  } catch {
    return VERSION // another package manager, or a global install: asking the registry will tell
  }
}

/** True when no source of the clone is newer than its build. */
function isBuilt(): boolean {
  const changed = (file: string) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  return Math.max(...sources.map((file) => changed(join('src', file)))) < changed('dist/cli/main.js')
}

/** Packs this copy into the folder. @returns the file's name, or why it failed */
export async function packInto(folder: string): Promise<{ file: string } | { problem: string }> {
  // An installed copy has nothing to build, and a clone may be built already.
  const scripts = isClone && !isBuilt() ? [] : ['--ignore-scripts']
  const problem = await npm(['pack', '--pack-destination', folder, '--loglevel=error', ...scripts], ROOT)
  return problem === undefined ? { file: `agency-swarm-js-${VERSION}.tgz` } : { problem }
}
