/** Explains why a user's file cannot be loaded: the reason, the place and the remedy. */
import { existsSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errorText } from '../base/errors.ts'
import type { LoadFailure } from '../server/playground.ts'
import { type CommandError, cannotLoad, notInstalled } from './errors.ts'

const EXTENSIONS = ['.ts', '.mts', '.js', '.mjs', '/index.ts', '/index.js']

export function explainLoadError(file: string, error: unknown): CommandError {
  const { message, code, stack } = readError(error)
  const missing = missingPackage(message, code)
  if (missing !== undefined) return notInstalled(file, missing, isDeclared(missing), error)
  const at = findPlace(stack)
  const reason = shortenPaths(message.split('\n')[0] ?? '').replace(/\.$/, '')
  return cannotLoad(file, `${reason}${at === undefined ? '' : ` at ${at}`}.${suggestRemedy(message, code)}`, error)
}

function readError(error: unknown) {
  const { message, code, stack } = (error ?? {}) as Partial<NodeJS.ErrnoException>
  return { message: typeof message === 'string' ? message : errorText(error), code, stack: stack ?? '' }
}

/** The name of the package that is not installed, such as `lodash` or `@scope/name`, without a path. */
function missingPackage(message: string, code: string | undefined): string | undefined {
  if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') return undefined
  const [, name] = /^Cannot find (?:package|module) '((?:@[^/']+\/)?[^./'\\:][^/']*)(?:\/[^']*)?'/.exec(message) ?? []
  return name
}

/** True when package.json lists the package, so that `npm install` alone installs it. */
function isDeclared(name: string): boolean {
  try {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
    return [dependencies, devDependencies, optionalDependencies].some((list) => list?.[name] !== undefined)
  } catch {
    return false // no readable package.json in this folder
  }
}

/** Lines shown before and after the place of an error. */
const LINES_AROUND = 3
const MAX_LINE_CHARS = 240

/** The place of an error in a user's file with the lines around it; empty when the error has none, or its file cannot be read. */
export function excerptOf(error: unknown): Pick<LoadFailure, 'place' | 'lines'> {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const place = findPlace(readError(cause).stack)
  const [, file = '', at = ''] = /^(.*):(\d+)$/.exec(place ?? '') ?? []
  if (place === undefined || file.startsWith('..')) return {}
  try {
    const all = readFileSync(file, 'utf8').split('\n')
    const first = Math.max(1, Number(at) - LINES_AROUND)
    const shown = all.slice(first - 1, Number(at) + LINES_AROUND)
    const lines = shown.map((text, index) => ({
      number: first + index,
      text: text.slice(0, MAX_LINE_CHARS),
      isPlace: first + index === Number(at),
    }))
    return { place, lines }
  } catch {
    return { place } // the file is gone meanwhile
  }
}

/** The place of the error, such as `agency.ts:3`: the first line of the stack for syntax errors, else the first call in a user's file. */
function findPlace(stack: string): string | undefined {
  const lines = stack.split('\n')
  const [, start, startLine] = /^((?:file:\/\/)?\/?.+?):(\d+)$/.exec(lines[0] ?? '') ?? []
  const frame = lines.find((line) => /^\s+at /.test(line) && line.includes('file://') && !line.includes('node_modules'))
  // "at f (file:///C:/a/b.ts:3:14)"
  const [, url, line] = /^(\S+?):(\d+)(?::\d+)?\)?$/.exec(frame?.slice(frame.indexOf('file://')) ?? '') ?? []
  const place = start ?? url
  if (place === undefined) return undefined
  return `${relative(process.cwd(), place.startsWith('file:') ? fileURLToPath(place) : place)}:${startLine ?? line}`
}

/** The text with paths relative to the working folder. */
const shortenPaths = (text: string): string => text.replaceAll(`${process.cwd()}/`, '')

function suggestRemedy(message: string, code: string | undefined): string {
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX')
    return ' Node runs TypeScript by removing the types. Do not use enum, namespace or parameter properties.'
  const [, path] = /^Cannot find module '((?:file:\/\/)?[./\\][^']*)'/.exec(message) ?? []
  if (path === undefined) return ''
  const bare = resolve(path.startsWith('file:') ? fileURLToPath(path) : path).replace(/\.[cm]?js$/, '')
  const there = EXTENSIONS.map((extension) => bare + extension).find((name) => existsSync(name))
  return there === undefined ? '' : ` Did you mean ${relative(process.cwd(), there)}? Imports need the file extension.`
}
