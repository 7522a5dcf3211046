/** Facts from package.json of this package. */
import { readFileSync } from 'node:fs'

type Versions = { [name: string]: string }

/** The package.json of this package. */
export const MANIFEST: {
  engines: { node: string }
  dependencies: Versions
  devDependencies: Versions
  peerDependencies?: Versions
} = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** The oldest supported version of Node, such as `22.19`. */
export const OLDEST_NODE = MANIFEST.engines.node.replace(/[^\d.]/g, '')

export function isNodeSupported(version = process.versions.node): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [needMajor = 0, needMinor = 0] = OLDEST_NODE.split('.').map(Number)
  return major > needMajor || (major === needMajor && minor >= needMinor)
}
