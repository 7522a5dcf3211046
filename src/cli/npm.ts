/** Runs npm. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { basename } from 'node:path'

/** How much of npm's output is kept, in characters. */
const MAX_OUTPUT_CHARS = 4_000

/** Runs npm with these arguments. @returns undefined on success, else the error lines of its output */
export async function npm(args: readonly string[], cwd: string): Promise<string | undefined> {
  const { npm_execpath: path } = process.env
  const stdio = ['ignore', 'ignore', 'pipe'] as ['ignore', 'ignore', 'pipe']
  const child =
    path !== undefined && basename(path) === 'npm-cli.js'
      ? spawn(process.execPath, [path, ...args], { cwd, stdio })
      : spawn('npm', args, { cwd, stdio, shell: process.platform === 'win32' })
  let output = ''
  child.stderr.on('data', (chunk) => {
    output = (output + chunk).slice(-MAX_OUTPUT_CHARS)
  })
  try {
    const [code] = await once(child, 'close')
    const lines = output.trim().split('\n')
    return code === 0
      ? undefined
      : lines.filter((line) => /error/i.test(line)).join('\n') || `npm exited with code ${code}`
  } catch (error) {
    return (error as Error).message // npm is not installed
  }
}
