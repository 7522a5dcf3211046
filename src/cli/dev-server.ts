/** The server process of `dev`. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DEV_FOLDER } from '../base/folders.ts'
import type { ServeOptions } from '../index.ts'
import { isLoopback } from '../server/banner.ts'
import type { LoadFailure } from '../server/playground.ts'
import { describeError } from './errors.ts'
import { excerptOf } from './load-error.ts'
import { type Library, loadProject } from './project.ts'
import { readAddress } from './serve.ts'
import { stripControls } from './terminal.ts'

/** What the server process reports to its parent, over the channel that `spawn` opens. */
export type ServerReport =
  | { kind: 'listening'; host: string; port: number; anyPort: boolean }
  | { kind: 'failed'; failure: LoadFailure }

interface Reporting {
  /** True at the first start, which prints the banner. */
  banner: boolean
  report: (report: ServerReport) => void
}

/** The option `runs` with a store in a file, so that conversations outlive restarts; undefined where the project has a store of its own. */
function keepRuns(options: ServeOptions, library: Pick<Library, 'sqlite'>): ServeOptions['runs'] | undefined {
  if (options.runs?.store !== undefined) return undefined
  try {
    mkdirSync(DEV_FOLDER, { recursive: true })
    return { ...options.runs, store: library.sqlite(join(DEV_FOLDER, 'runs.db')) }
  } catch {
    return undefined // a folder that cannot be written to: runs are kept in memory
  }
}

/** Serves the file until a signal arrives, and reports the address or the failure to the parent. @returns the exit code */
export async function serveForDevelopment(
  file: string | undefined,
  typed: { host?: string; port?: string },
  { banner, report }: Reporting,
): Promise<number> {
  const fail = (error: unknown) =>
    report({ kind: 'failed', failure: { message: stripControls(describeError(error)), ...excerptOf(error) } })
  process.on('disconnect', () => process.exit()) // the parent has ended, or has the report of a failure
  process.on('uncaughtExceptionMonitor', fail)
  try {
    const env = readAddress(typed, 'dev')
    const { options, library } = await loadProject(file)
    const host = env.host ?? options.host ?? '127.0.0.1'
    const port = env.port ?? options.port ?? 8000
    const serve = (more: Partial<ServeOptions>) =>
      library.serve({
        exposeErrors: isLoopback(host),
        ...options,
        ...(options.enableAgui ? {} : { playground: 'development' }),
        ...more,
        host,
        port,
        workers: 1,
        banner,
      })
    const runs = keepRuns(options, library)
    const server = await serve(runs === undefined ? {} : { runs }).catch((error: unknown) => {
      if (runs === undefined || (error as { code?: unknown }).code !== 'STORE_IN_USE') throw error
      console.error('Another program uses the runs of this folder. Those of this server are kept in memory.')
      return serve({})
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
