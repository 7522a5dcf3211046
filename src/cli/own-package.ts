/** How a new project gets this package: from the registry, or as a packed file in the project. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { VERSION } from '../base/version.ts'
import { npm } from './npm.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** True when the sources are beside the build: in a clone, or a folder that npm links to. */
const isClone = existsSync(join(ROOT, 'tsconfig.build.json'))

/**
 * The version of this copy when the registry may have it; undefined for a clone or a copy installed from a file. npm records the
 * origin of packages in `node_modules`.
 */
export function publishedVersion(root = ROOT, clone = isClone): string | undefined {
  if (clone) return undefined
  const modules = dirname(join(root, 'package.json')).replace(/[\\/]agency-swarm-js$/, '')
  try {
    const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'))
    const from: unknown = packages['node_modules/agency-swarm-js']?.resolved
    return typeof from === 'string' && !/^https?:/.test(from) ? undefined : VERSION
  } catch {
    return VERSION // another package manager or a global install: npm install will show whether the registry has it
  }
}

/** True when no source of the clone is newer than its build. */
function isBuilt(): boolean {
  const changed = (file: string) => statSync(join(ROOT, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  return Math.max(...sources.map((file) => changed(join('src', file)))) < changed('dist/cli/main.js')
}

/** Packs this copy into the folder. @returns the name of the file, or the reason of a failure */
export async function packInto(folder: string): Promise<{ file: string } | { problem: string }> {
  // An installed copy has nothing to build, and the build of a clone may be up to date.
  const scripts = isClone && !isBuilt() ? [] : ['--ignore-scripts']
  const problem = await npm(['pack', '--pack-destination', folder, '--loglevel=error', ...scripts], ROOT)
  return problem === undefined ? { file: `agency-swarm-js-${VERSION}.tgz` } : { problem }
}
