/** Finds, loads and reads a user's file. */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseEnv } from 'node:util'
import { decodeText } from '../agency/text-file.ts'
import type { Agency, ServeOptions } from '../index.ts'
import { cannotReadEnv, noFile, noProject, nothingExported } from './errors.ts'
import { explainLoadError } from './load-error.ts'

export type Library = typeof import('../index.ts')

/** The exports of a user's file, as options of `serve()`. */
export interface Project {
  /** The path, as the user wrote it. */
  file: string
  options: ServeOptions & { agencies: NonNullable<ServeOptions['agencies']> }
  /** The copy of this package that the file imports, whose classes its agencies use. */
  library: Library
}

/** The default files of a project, in order of preference. */
export const PROJECT_FILES = ['agency.ts', 'agency.mts', 'agency.js', 'agency.mjs', 'src/agency.ts', 'src/agency.js']
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Loads `.env` of the working folder. Variables that are already set are kept. @returns false when there is no file */
export function loadEnv(): boolean {
  const variables = readEnv()
  for (const [name, value] of Object.entries(variables ?? {})) process.env[name] ??= value
  return variables !== undefined
}

/**
 * The variables in `.env` of the working folder; undefined when there is no file. Accepts UTF-8 and UTF-16, because PowerShell
 * writes the latter.
 * @throws CommandError
 */
export function readEnv(): NodeJS.Dict<string> | undefined {
  if (!existsSync('.env')) return undefined
  const text = decodeText(readEnvFile())
  if (text === undefined) throw cannotReadEnv('it is not text in UTF-8 or UTF-16', undefined)
  return parseEnv(text)
}

function readEnvFile(): Buffer {
  try {
    return readFileSync('.env')
  } catch (error) {
    throw cannotReadEnv((error as NodeJS.ErrnoException).code ?? String(error), error)
  }
}

/** The given file, or the first default file that exists; undefined when there is none. */
export const findProject = (file: string | undefined): string | undefined =>
  file ?? PROJECT_FILES.find((name) => existsSync(name))

/**
 * Imports the file and reads its exports: `agency`, or `agencies` and `tools`, or an agency or the options of `serve()` as the
 * default export.
 * @throws CommandError
 */
export async function loadProject(source: string | undefined): Promise<Project> {
  const file = findProject(source)
  if (file === undefined) throw noProject(PROJECT_FILES)
  const options = readOptions(await importFile(file))
  if (Object.keys(options.agencies).length + (options.tools?.length ?? 0) === 0) throw nothingExported(file)
  return { file, options, library: await loadLibrary(resolve(file)) }
}

function readOptions({ default: base, agency, agencies, tools }: { [name: string]: unknown }): Project['options'] {
  const baseOptions = isAgency(base) || typeof base !== 'object' || base === null ? {} : (base as ServeOptions)
  const single = agency ?? (isAgency(base) ? base : undefined)
  return {
    ...baseOptions,
    agencies: {
      ...baseOptions.agencies,
      ...(single === undefined ? {} : { [readName(single)]: single as Agency }),
      ...(agencies as ServeOptions['agencies']),
    },
    tools: [...(baseOptions.tools ?? []), ...((tools ?? []) as NonNullable<ServeOptions['tools']>)],
  }
}

/** By shape, because it may come from another copy of this package. */
const isAgency = (value: unknown): value is Agency =>
  typeof (value as Partial<Agency> | undefined)?.getMetadata === 'function'

const readName = (value: unknown): string => (isAgency(value) ? (value.name ?? 'agency') : 'agency')

const loadLibrary = async (path: string): Promise<Library> => {
  const other = findOtherCopy(path, 'agency-swarm-js')
  return other === undefined ? import('../index.ts') : import(pathToFileURL(other).href)
}

/** `agency-swarm-js/testing` of the copy of this package that a file imports. */
export async function loadTesting(path: string): Promise<typeof import('../testing/index.ts')> {
  const other = findOtherCopy(path, 'agency-swarm-js/testing')
  return other === undefined ? import('../testing/index.ts') : import(pathToFileURL(other).href)
}

/** An entry of the copy of this package that a file imports; undefined when it is this copy. */
function findOtherCopy(path: string, entry: string): string | undefined {
  const { resolve: find } = createRequire(path)
  try {
    const root = dirname(realpathSync(find('agency-swarm-js/package.json')))
    return root === realpathSync(ROOT) ? undefined : find(entry)
  } catch {
    return undefined // the file imports this package by path or not at all, so it is this copy
  }
}

/** Imports a user's module. @throws CommandError */
export async function importFile(file: string): Promise<{ [name: string]: unknown }> {
  if (!existsSync(file)) throw noFile(file)
  try {
    return await import(pathToFileURL(resolve(file)).href)
  } catch (error) {
    throw explainLoadError(file, error)
  }
}
