/** The server's process of `dev`. */
import { isLoopback } from '../server/banner.ts'
import { sentenceOf } from './errors.ts'
import { loadProject } from './project.ts'
import { addressFrom } from './serve.ts'
import { harmless } from './terminal.ts'

/** What the server's process says of itself, over the channel that `spawn` opens. */
export type ServerNews =
  | { kind: 'listening'; host: string; port: number; anyPort: boolean }
  | { kind: 'failed'; reason: string }

interface Reporting {
  /** Print the start banner: only the first time. */
  banner: boolean
  tell: (news: ServerNews) => void
}

/** Serves the file until a signal, and tells the parent where, or why not. @returns the exit code */
export async function serveForDevelopment(
  file: string | undefined,
  typed: { host?: string; port?: string },
  { banner, tell }: Reporting,
): Promise<number> {
  const fail = (error: unknown) => tell({ kind: 'failed', reason: harmless(sentenceOf(error)) })
  process.on('disconnect', () => process.exit()) // the parent is gone, or has heard of a failure
  process.on('uncaughtExceptionMonitor', fail)
  try {
    const env = addressFrom(typed, 'dev')
    const { options, library } = await loadProject(file)
    const host = env.host ?? options.host ?? '127.0.0.1'
    const port = env.port ?? options.port ?? 8000
    const server = await library.serve({
      exposeErrors: isLoopback(host),
      ...options,
      ...(options.enableAgui ? {} : { playground: 'development' }),
      host,
      port,
      banner,
    })
    tell({ kind: 'listening', host, port: server.port, anyPort: port === 0 })
    return 0
  } catch (error) {
    process.exitCode = 1
    fail(error)
    process.disconnect()
    return 1
  }
}
