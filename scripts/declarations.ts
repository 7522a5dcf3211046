// Finds the declarations of the sources. They take a third of a minute of work to make, and the build has made them already.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

/** The folder of the declarations that the build has written; undefined when a source is newer. */
export function builtDeclarations(): string | undefined {
  const changed = (file: string) => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (file) => !/\.test(suite)?\.ts$/.test(file),
  )
  const newest = Math.max(changed('tsconfig.build.json'), ...sources.map((file) => changed(join('src', file))))
  return newest < changed('dist/index.d.ts') ? join(root, 'dist') : undefined
}

/** Where the types of a source file are read from, such as `src/index.ts`. */
export function typesOf(source: string): string {
  const folder = builtDeclarations()
  if (folder === undefined) return join(root, source)
  return join(folder, source.replace(/^src\//, '').replace(/\.ts$/, '.d.ts'))
}
