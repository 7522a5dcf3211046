/** The server process of `dev`. */
import { isLoopback } from '../server/banner.ts'
import { describeError } from './errors.ts'
import { loadProject } from './project.ts'
import { readAddress } from './serve.ts'
import { stripControls } from './terminal.ts'

/** What the server process reports to its parent, over the channel that `spawn` opens. */
export type ServerReport =
  | { kind: 'listening'; host: string; port: number; anyPort: boolean }
  | { kind: 'failed'; reason: string }

interface Reporting {
  /** True at the first start, which prints the banner. */
  banner: boolean
  report: (report: ServerReport) => void
}

/** Serves the file until a signal arrives, and reports the address or the failure to the parent. @returns the exit code */
export async function serveForDevelopment(
  file: string | undefined,
  typed: { host?: string; port?: string },
  { banner, report }: Reporting,
): Promise<number> {
  const fail = (error: unknown) => report({ kind: 'failed', reason: stripControls(describeError(error)) })
  process.on('disconnect', () => process.exit()) // the parent has ended, or has the report of a failure
  process.on('uncaughtExceptionMonitor', fail)
  try {
    const env = readAddress(typed, 'dev')
    const { options, library } = await loadProject(file)
    const host = env.host ?? options.host ?? '127.0.0.1'
    const port = env.port ?? options.port ?? 8000
    const server = await library.serve({
      exposeErrors: isLoopback(host),
      ...options,
      ...(options.enableAgui ? {} : { playground: 'development' }),
      host,
      port,
      workers: 1,
      banner,
    })
    report({ kind: 'listening', host, port: server.port, anyPort: port === 0 })
    return 0
  } catch (error) {
    process.exitCode = 1
    fail(error)
    process.disconnect()
    return 1
  }
}
