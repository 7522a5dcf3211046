import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'

/** A program of ours as its own process; `text()` is what it printed, `url` the address its banner names. */
export async function startProcess(file: string, env: Record<string, string> = {}) {
  const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, APP_TOKEN: ___, ...clean } = process.env
  const child: ChildProcess = spawn(process.execPath, [file], { env: { ...clean, PORT: '0', ...env }, stdio: 'pipe' })
  onTestFinished(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      printed += chunk
    })
  const exit = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>
  await Promise.race([expect.poll(() => printed, { timeout: 15_000 }).toMatch(/get_response_stream -H/), exit])
  return { child, exit, text: () => printed, url: /listening on (\S+)/.exec(printed)?.[1] ?? '' }
}
