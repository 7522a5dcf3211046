import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, onTestFinished } from 'vitest'

export const ROOT = resolve(import.meta.dirname, '../..')
const MAIN = join(ROOT, 'src/cli/main.ts')

interface Options {
  cwd?: string
  env?: Record<string, string>
  /** What is typed; the input then ends. Without it, it stays open. */
  input?: string
}

/** The command line as its own process. */
export const startCli = (args: readonly string[], options: Options = {}) =>
  start(process.execPath, [MAIN, ...args], options)

/** Any command, with what it printed so far and its end. Stopped with everything it started when the test is over. */
export function start(command: string, args: readonly string[], { cwd = ROOT, env = {}, input }: Options = {}) {
  const { OPENAI_API_KEY, OPENAI_BASE_URL, APP_TOKEN, HOST, PORT, DEBUG, FORCE_COLOR, NODE_OPTIONS, ...clean } =
    process.env
  const path = [join(ROOT, 'node_modules/.bin'), clean.PATH].join(delimiter)
  const child: ChildProcess = spawn(command, args, {
    cwd,
    env: { ...clean, PATH: path, ...env },
    detached: true,
    stdio: 'pipe',
  })
  onTestFinished(() => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // it has ended
    }
  })
  const said = { out: '', err: '' }
  child.stdout?.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr?.on('data', (chunk) => {
    said.err += chunk
  })
  if (input !== undefined) child.stdin?.end(input)
  /** Its end; lines of progress, which a slow machine adds, are left out. */
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    out: said.out,
    err: said.err.replace(/^.* \.\.\.\n/gm, ''),
  }))
  return { child, said, ended, type: (text: string) => child.stdin?.write(text) }
}

/** Runs it to its end. */
export const runCli = (args: readonly string[], options: Options = {}) =>
  startCli(args, { input: '', ...options }).ended

/** The address that a server printed. */
export async function addressOf({ said, ended }: ReturnType<typeof start>): Promise<string> {
  const listening = /listening on (http:\S+)/g
  await Promise.race([expect.poll(() => said.out, { timeout: 15_000 }).toMatch(listening), ended])
  const found = [...said.out.matchAll(listening)].at(-1)?.[1]
  if (found === undefined) throw new Error(`it does not listen: ${said.out}${said.err}`)
  return found
}

/** An empty folder, gone when the test is over. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'agency-cli-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Does what an install would: this package, from its sources, and zod. */
export function installInto(folder: string): void {
  const own = join(folder, 'node_modules/agency-swarm-js')
  mkdirSync(own, { recursive: true })
  const exports = {
    '.': './index.js',
    './client': './client.js',
    './testing': './testing.js',
    './package.json': './package.json',
  }
  writeFileSync(join(own, 'package.json'), JSON.stringify({ name: 'agency-swarm-js', type: 'module', exports }))
  const source = (file: string) => JSON.stringify(pathToFileURL(join(ROOT, 'src', file)).href)
  writeFileSync(join(own, 'index.js'), `export * from ${source('index.ts')}\n`)
  writeFileSync(join(own, 'client.js'), `export * from ${source('client/index.ts')}\n`)
  writeFileSync(join(own, 'testing.js'), `export * from ${source('testing/index.ts')}\n`)
  symlinkSync(join(ROOT, 'node_modules/zod'), join(folder, 'node_modules/zod'))
  const bin = join(folder, 'node_modules/.bin/agency-swarm-js')
  mkdirSync(join(folder, 'node_modules/.bin'))
  writeFileSync(bin, `#!${process.execPath}\nimport(${source('cli/main.ts')})\n`)
  chmodSync(bin, 0o755)
}

/** A folder with the starter's agency as its agency.ts, and what that needs. */
export function starterFolder(): string {
  const folder = emptyFolder()
  cpSync(join(ROOT, 'examples/starter/agency.ts'), join(folder, 'agency.ts'))
  installInto(folder)
  return folder
}
