/** Starts the server of crash-server.ts, and kills it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

const ROOT = join(import.meta.dirname, '../..')

export interface CrashServer {
  child: ChildProcess
  url: string
  kill(signal?: NodeJS.Signals): Promise<[code: number | null, signal: NodeJS.Signals | null]>
  text(): string
}

/** One file of the server with all it needs, which starts in a fifth of the time. Gives its path. */
export async function bundleCrashServer(folder: string): Promise<string> {
  const bundle = await rolldown({
    input: join(import.meta.dirname, 'crash-server.ts'),
    platform: 'node',
    external: /^(@ai-sdk|@opentelemetry|ioredis|pg)/,
    logLevel: 'silent',
  })
  await bundle.write({ dir: join(folder, 'dist/server'), entryFileNames: 'crash-server.mjs' })
  await bundle.close()
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules')) // for what is not in the bundle
  symlinkSync(join(ROOT, 'assets'), join(folder, 'assets')) // two folders above the file, as in the package
  return join(folder, 'dist/server/crash-server.mjs')
}

/** @throws an Error with the code of a server that refuses to start */
export async function startCrashServer(script: string, env: Record<string, string>): Promise<CrashServer> {
  const { APP_TOKEN: _, AGENCY_STORE_KEY: __, PGPASSWORD: ___, ...clean } = process.env
  const child = spawn(process.execPath, [script], {
    env: { ...clean, OPENAI_API_KEY: 'sk-server-key', NODE_COMPILE_CACHE: join(script, '../cache'), ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      text += chunk
    })
  const exit = once(child, 'exit') as ReturnType<CrashServer['kill']>
  const told = Promise.race([
    once(child, 'message').then(([message]) => message),
    exit.then((end) => ({ error: `The server ended: ${end}. ${text}` })),
  ])
  const { url, error } = (await told) as { url?: string; error?: string }
  if (url === undefined) {
    child.kill('SIGKILL')
    throw new Error(error)
  }
  const kill: CrashServer['kill'] = (signal = 'SIGKILL') => {
    child.kill(signal)
    return exit
  }
  return { child, url, kill, text: () => text }
}
