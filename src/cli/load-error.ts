/** Why a user's file cannot be loaded, in one sentence with the place and the way out. */
import { existsSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorText } from '../base/errors.ts'
import { type CommandError, cannotLoad, notInstalled } from './errors.ts'

const ENDINGS = ['.ts', '.mts', '.js', '.mjs', '/index.ts', '/index.js']

export function explainLoadError(file: string, error: unknown): CommandError {
  const { message, code, stack } = readError(error)
  const missing = missingPackage(message, code)
  if (missing !== undefined) return notInstalled(file, missing, isDeclared(missing), error)
  const at = placeOf(stack)
  const reason = withPaths(message.split('\n')[0] ?? '').replace(/\.$/, '')
  return cannotLoad(file, `${reason}${at === undefined ? '' : ` at ${at}`}.${hintFor(message, code)}`, error)
}

function readError(error: unknown) {
  const { message, code, stack } = (error ?? {}) as Partial<NodeJS.ErrnoException>
  return { message: typeof message === 'string' ? message : errorText(error), code, stack: stack ?? '' }
}

/** The package that is not installed: `lodash`, `@scope/name`; without what is imported from it. */
function missingPackage(message: string, code: string | undefined): string | undefined {
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined
  const [, name] = /^Cannot find (?:package|module) '((?:@[^/']+\/)?[^./'\\:][^/']*)(?:\/[^']*)?'/.exec(message) ?? []
  return name
}

/** True when the project names it, so that a plain `npm install` brings it. */
function isDeclared(name: string): boolean {
  try {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    return [dependencies, devDependencies, optionalDependencies].some((list) => list?.[name] !== undefined)
  } catch {
    return false // there is no readable package.json here
  }
}

/** `agency.ts:3`: the first line of the stack for errors of syntax, else the first call in a file of the user's. */
function placeOf(stack: string): string | undefined {
  const lines = stack.split('\n')
  const [, start, startLine] = /^((?:file:\/\/)?\/?.+?):(\d+)$/.exec(lines[0] ?? '') ?? []
  const frame = lines.find((line) => /^\s+at /.test(line) && line.includes('file://') && !line.includes('node_modules'))
  // "at f (file:///C:/a/b.ts:3:14)"
  const [, url, line] = /^(\S+?):(\d+)(?::\d+)?\)?$/.exec(frame?.slice(frame.indexOf('file://')) ?? '') ?? []
  const place = start ?? url
  if (place === undefined) return undefined
  return `${relative(process.cwd(), place.startsWith('file:') ? fileURLToPath(place) : place)}:${startLine ?? line}`
}

/** Absolute paths as seen from the working folder. */
const withPaths = (text: string): string => text.replaceAll(`${process.cwd()}/`, '')

function hintFor(message: string, code: string | undefined): string {
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return ' Node runs TypeScript by taking the types out: write it without enum, namespace and parameter properties.'
  const [, path] = /^Cannot find module '((?:file:\/\/)?[./\\][^']*)'/.exec(message) ?? []
  if (path === undefined) return ''
  const bare = resolve(path.startsWith('file:') ? fileURLToPath(path) : path).replace(/\.[cm]?js$/, '')
  const there = ENDINGS.map((ending) => bare + ending).find((name) => existsSync(name))
  return there === undefined
    ? ''
    : ` There is ${relative(process.cwd(), there)}: imports name the file with its ending.`
}
