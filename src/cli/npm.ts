/** Runs npm. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'

/** What is kept of npm's words, in characters. */
const MAX_SAID_CHARS = 4_000

/** @returns undefined when it worked, else its lines about errors */
export async function npm(args: readonly string[], cwd: string): Promise<string | undefined> {
  const { npm_execpath: path } = process.env
  const stdio = ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe']
  const child =
    path !== undefined && basename(path) === 'npm-cli.js'
      ? spawn(process.execPath, [path, ...args], { cwd, stdio })
      : spawn('npm', args, { cwd, stdio, shell: process.platform === 'win32' })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said = (said + chunk).slice(-MAX_SAID_CHARS)
  })
  try {
    const [code] = await once(child, 'close')
    const lines = said.trim().split('\n')
    return code === 0 ? undefined : lines.filter((line) => /error/i.test(line)).join('\n') || `npm ended with ${code}`
  } catch (error) {
    return (error as Error).message // there is no npm
  }
}
