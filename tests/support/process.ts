import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, onTestFinished, vi } from 'vitest'

/** What a process may take. */
export interface Ceiling {
  heapMiB: number
  descriptors: number
}

/**
 * A program of ours as its own process; `text()` is what it printed, `url` the address its banner names. With a ceiling it dies
 * when its heap grows beyond that, and cannot open more files and sockets.
 */
export async function startProcess(
  file: string,
  env: Record<string, string> = {},
  ceiling?: Ceiling,
  atEnd: (stop: () => void) => void = (stop) => onTestFinished(stop),
) {
  const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, APP_TOKEN: ___, ...clean } = process.env
  const [command, ...words] =
    ceiling === undefined
      ? [process.execPath, file]
      : [
          'bash',
          '-c',
          `ulimit -n ${ceiling.descriptors}; exec "$0" --max-old-space-size=${ceiling.heapMiB} "$1"`,
          process.execPath,
          file,
        ]
  const child: ChildProcess = spawn(command as string, words, { env: { ...clean, PORT: '0', ...env }, stdio: 'pipe' })
  atEnd(() => void child.kill('SIGKILL'))
  let printed = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      printed += chunk
    })
  const exit = once(child, 'exit') as Promise<[code: number | null, signal: NodeJS.Signals | null]>
  await Promise.race([vi.waitFor(() => expect(printed).toMatch(/get_response_stream -H/), { timeout: 45_000 }), exit])
  return { child, exit, text: () => printed, url: /listening on (\S+)/.exec(printed)?.[1] ?? '' }
}

/** Memory (resident, in MiB) and open files of another process. */
export function readUse({ pid }: ChildProcess): { memoryMiB: number; descriptors: number } {
  const [, pages = 0] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number)
  return { memoryMiB: (pages * 4096) / 2 ** 20, descriptors: readdirSync(`/proc/${pid}/fd`).length }
}
