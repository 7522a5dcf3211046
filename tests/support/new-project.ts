/** A new project as an install would leave it, from the sources of this package. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { typesOf } from '../../scripts/declarations.ts'
import { emptyFolder, installInto, ROOT, start } from './cli.ts'

/** Writes the files of a project into a new folder, with what it needs. @returns the folder */
export function projectOf(files: Record<string, string>, copies: Record<string, string> = {}): string {
  const folder = emptyFolder()
  for (const [file, text] of Object.entries({ 'package.json': '{ "type": "module" }', ...files })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
  for (const [file, from] of Object.entries(copies)) cpSync(from, join(folder, file), { recursive: true })
  installInto(folder)
  symlinkSync(join(ROOT, 'node_modules/@types'), join(folder, 'node_modules/@types'))
  return folder
}

/** Compiles projects together, with the options of this repository. @returns the errors */
export async function compileAll(folders: readonly string[]): Promise<string> {
  const place = emptyFolder()
  const paths = {
    'agency-swarm-js': [typesOf('src/index.ts')],
    'agency-swarm-js/client': [typesOf('src/client/index.ts')],
    'agency-swarm-js/testing': [typesOf('src/testing/index.ts')],
  }
  const config = {
    extends: join(ROOT, 'tsconfig.json'),
    compilerOptions: {
      paths,
      typeRoots: [join(ROOT, 'node_modules/@types')],
    },
    include: folders.map((folder) => join(folder, '**/*.ts')),
    exclude: ['**/node_modules/**'],
  }
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
  const { out, err } = await start('tsc', ['-p', place]).ended
  return out + err
}
