import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseEnv } from 'node:util'
import { decodeText } from '../agency/text-file.ts'
import type { Agency, ServeOptions } from '../index.ts'
import { cannotReadEnv, noFile, noProject, nothingExported } from './errors.ts'
import { explainLoadError } from './load-error.ts'

type Library = typeof import('../index.ts')

/** What a file exports, ready to be served. */
export interface Project {
  /** As a person would write it. */
  file: string
  options: ServeOptions & { agencies: NonNullable<ServeOptions['agencies']> }
  /** The copy of this package that the file uses: its agencies are instances of that one's classes. */
  library: Library
}

/** Where a project's agency is looked for, in this order. */
export const PROJECT_FILES = ['agency.ts', 'agency.mts', 'agency.js', 'agency.mjs', 'src/agency.ts', 'src/agency.js']
const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Reads `.env` of the working folder; what is set already wins. */
export function loadEnv(): boolean {
  const read = readEnv()
  for (const [name, value] of Object.entries(read ?? {})) process.env[name] ??= value
  return read !== undefined
}

/**
 * What `.env` of the working folder says; undefined when there is none. UTF-8 and UTF-16, as editors and PowerShell write it.
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

/** The file that was named, or the first of the usual names that exists; undefined when there is none. */
export const findProject = (named: string | undefined): string | undefined =>
  named ?? PROJECT_FILES.find((name) => existsSync(name))

/**
 * Imports the file and reads its exports: `agency`, or `agencies` and `tools`, or as default an agency or the options of `serve()`.
 * @throws CommandError
 */
export async function loadProject(named: string | undefined): Promise<Project> {
  const file = findProject(named)
  if (file === undefined) throw noProject(PROJECT_FILES)
  if (!existsSync(file)) throw noFile(file)
  const path = resolve(file)
  let module: { [name: string]: unknown }
  try {
    module = await import(pathToFileURL(path).href)
  } catch (error) {
    throw explainLoadError(file, error)
  }
  const options = optionsOf(module)
  if (Object.keys(options.agencies).length + (options.tools?.length ?? 0) === 0) throw nothingExported(file)
  return { file, options, library: await libraryOf(path) }
}

function optionsOf({ default: base, agency, agencies, tools }: { [name: string]: unknown }): Project['options'] {
  const given = isAgency(base) || typeof base !== 'object' || base === null ? {} : (base as ServeOptions)
  const single = agency ?? (isAgency(base) ? base : undefined)
  return {
    ...given,
    agencies: {
      ...given.agencies,
      ...(single === undefined ? {} : { [nameOf(single)]: single as Agency }),
      ...(agencies as ServeOptions['agencies']),
    },
    tools: [...(given.tools ?? []), ...((tools ?? []) as NonNullable<ServeOptions['tools']>)],
  }
}

/** By shape: it may come from another copy of this package. */
const isAgency = (value: unknown): value is Agency =>
  typeof (value as Partial<Agency> | undefined)?.getMetadata === 'function'

const nameOf = (value: unknown): string => (isAgency(value) ? (value.name ?? 'agency') : 'agency')

const libraryOf = async (path: string): Promise<Library> => {
  const other = otherCopy(path)
  return other === undefined ? import('../index.ts') : import(pathToFileURL(other).href)
}

/** The copy of this package that a file imports by name, when it is not this one. */
function otherCopy(path: string): string | undefined {
  const { resolve: find } = createRequire(path)
  try {
    const root = dirname(realpathSync(find('agency-swarm-js/package.json')))
    return root === realpathSync(ROOT) ? undefined : find('agency-swarm-js')
  } catch {
    return undefined // it reaches this package by its path, or not at all: then it can only be this copy
  }
}
