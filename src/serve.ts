import { availableParallelism } from 'node:os'
import type { FastifyInstance } from 'fastify'
import { invalidOption, listenFailed } from './base/start-errors.ts'
import { createServerLog } from './composition/log.ts'
import { type BuildOptions, checkOptions, checkShared, readAllLimits } from './composition/options.ts'
import { createServices } from './composition/services.ts'
import { createApp } from './server/app.ts'
import { banner, isOpen, openWarning } from './server/banner.ts'
import { closingOf } from './server/closing.ts'
import type { ShellOptions } from './server/plugin.ts'
import { SIGNALS, stopOnSignals, surviveRejections } from './server/signals.ts'
import type { Primary } from './workers/primary.ts'
import { openChannel, type WorkerChannel } from './workers/worker.ts'

/** Options of `serve()`. Every option is checked at start. */
export interface ServeOptions extends BuildOptions {
  /** Default `0.0.0.0`. */
  host?: string | undefined
  /** Default 8000; 0 picks a free one. */
  port?: number | undefined
  /** Print the start banner. Default true, and false with a `logger`, whose lines it would disturb. */
  banner?: boolean | undefined
  /**
   * Stop gracefully on SIGTERM and SIGINT, then end the process; a second signal ends it at once. Also log a rejected promise
   * that nobody handles, such as a tool may leave behind, and keep it from ending the process. Default true.
   */
  handleSignals?: boolean | undefined
  /**
   * How many processes share the port: a number from 1 to 256, or `'auto'` for one per core that this process may use. The
   * program is started again in each worker, and `serve()` returns in all of them. Stored runs then need a store that all can use
   * (docs/deploying.md). @default 1: this process alone
   */
  workers?: number | 'auto' | undefined
}

/** A server that listens. */
export interface RunningServer {
  /** `http://localhost:<port>` where it listens on all interfaces. */
  readonly url: string
  readonly host: string
  /** The one it got, where port 0 was asked for. */
  readonly port: number
  /** The Fastify instance. The primary process of several workers has none. @throws INVALID_OPTION there */
  readonly app: FastifyInstance
  /** Refuses new work, lets running work finish within `limits.drainMs`, ends what is left, and stops listening. */
  close(): Promise<void>
}

/**
 * The Fastify instance of a server, not listening.
 * @throws NOTHING_TO_SERVE, INVALID_OPTION, DUPLICATE_NAME, MISSING_API_KEY, MISSING_TOKEN, MODEL_NOT_SUPPORTED,
 *   PROVIDER_NOT_INSTALLED, FACTORY_FAILED
 */
export async function buildApp(options: ServeOptions): Promise<FastifyInstance> {
  refuseWorkers(options)
  return (await build(options, { addsRoutes: true })).app
}

/**
 * Serves agencies and tools over HTTP.
 * @throws what buildApp throws, PORT_TAKEN, LISTEN_FAILED and WORKER_FAILED
 */
export async function serve<Listen extends false | undefined = undefined>(
  options: ServeOptions & {
    /** `false` gives what `buildApp` gives. @default true */
    listen?: Listen
  },
): Promise<Listen extends false ? FastifyInstance : RunningServer>
export async function serve(options: ServeOptions & { listen?: false }): Promise<RunningServer | FastifyInstance> {
  if (options.listen === false) return buildApp(options)
  const workers = countWorkers(options)
  if (workers > 1) return serveWithWorkers(options, workers)
  const { app, shell } = await build(options, { addsRoutes: false })
  if (options.handleSignals !== false) {
    stopOnSignals(app, shell.services, speaksOf(options))
    surviveRejections(app, shell.services)
  }
  const { server, texts } = await listen(app, shell, options)
  announce(texts)
  return server
}

/** What a server prints once it listens. */
interface Texts {
  /** Printed even without a banner, because nobody may overlook it. */
  warning: string | undefined
  banner: string | undefined
}

function announce({ warning, banner: text }: Texts): void {
  if (warning !== undefined) console.warn(warning)
  if (text !== undefined) console.log(text)
}

const speaksOf = ({ banner: asked, logger }: ServeOptions): boolean => asked ?? !logger

/** @throws PORT_TAKEN, LISTEN_FAILED */
async function listen(
  app: FastifyInstance,
  shell: ShellOptions,
  options: ServeOptions,
): Promise<{ server: RunningServer; texts: Texts }> {
  const { host = '0.0.0.0', port = 8000 } = options
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw listenFailed(host, port, error)
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = `http://${name}:${bound}`
  const open = isOpen(host, shell)
  return {
    server: { url, host, port: bound, app, close: () => app.close() },
    texts: {
      warning: open ? openWarning(host, url, shell) : undefined,
      banner: speaksOf(options) ? banner(url, shell, open) : undefined,
    },
  }
}

/** @throws INVALID_OPTION */
function countWorkers({ workers = 1 }: ServeOptions): number {
  const count = workers === 'auto' ? availableParallelism() : workers
  if (!(Number.isInteger(count) && count >= 1 && count <= MOST_WORKERS))
    throw invalidOption(`workers has to be "auto" or a whole number from 1 to ${MOST_WORKERS}, not ${workers}.`)
  return count
}
const MOST_WORKERS = 256

function refuseWorkers(options: ServeOptions): void {
  if (countWorkers(options) > 1)
    throw invalidOption('An app that does not listen has no workers. Leave out workers, or call serve() to listen.')
}

/** This process starts the workers, or is one of them. */
async function serveWithWorkers(options: ServeOptions, workers: number): Promise<RunningServer> {
  const worker = openChannel()
  if (worker !== undefined) return serveAsWorker(options, worker).catch((error) => worker.fail(error))
  checkAddress(options)
  checkOptions(options, OWN_OPTIONS)
  checkShared(options)
  const { Primary } = await import('./workers/primary.ts')
  const { drainMs } = readAllLimits(options)
  const primary = new Primary({ workers, drainMs, log: await createServerLog(options.logger, (text) => text) })
  const release = options.handleSignals === false ? () => {} : stopPrimaryOnSignals(primary)
  const { url, host, port, ...texts } = await primary.start().catch((error) => {
    release()
    throw error
  })
  announce({ ...texts, banner: texts.banner && `${texts.banner}\n\n  ${workers} worker processes` })
  return {
    url,
    host,
    port,
    get app(): never {
      throw invalidOption('The primary process of several workers has no app: each worker has its own.')
    },
    async close() {
      release()
      await primary.stop()
    },
  }
}

async function serveAsWorker(options: ServeOptions, worker: WorkerChannel): Promise<RunningServer> {
  const { app, shell, closing } = await build(options, { addsRoutes: false, worker })
  if (options.handleSignals !== false) {
    process.on('SIGINT', () => {}) // of a terminal: the primary gets it, too
    process.once('SIGTERM', () => worker.leave())
    surviveRejections(app, shell.services)
  }
  const { server, texts } = await listen(app, shell, options)
  const { url, host, port } = server
  worker.listening({ url, host, port, ...texts }, async (how) => {
    if (how === 'retire') await closing.retire()
    await app.close()
    process.exit(0)
  })
  return server
}

/** The first signal drains the workers, a second one ends them. @returns a function that leaves signals alone again */
function stopPrimaryOnSignals(primary: Primary): () => void {
  const stop = () => {
    for (const signal of SIGNALS) process.off(signal, stop).on(signal, end)
    void primary.stop().finally(() => process.exit(0))
  }
  const end = (signal: NodeJS.Signals) => {
    primary.kill()
    release()
    process.kill(process.pid, signal)
  }
  const release = () => {
    for (const signal of SIGNALS) process.off(signal, stop).off(signal, end)
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  return release
}

/** Options of a server that are not those of its services. */
const OWN_OPTIONS = ['host', 'port', 'banner', 'handleSignals', 'workers', 'listen']

async function build(options: ServeOptions, { addsRoutes, worker }: { addsRoutes: boolean; worker?: WorkerChannel }) {
  checkAddress(options)
  const { shell, drain, close } = await createServices(options, { options: OWN_OPTIONS, worker })
  const app = await createApp(shell, { addsRoutes }).catch(async (error) => {
    await close()
    throw error
  })
  const closing = closingOf(app.server, shell.services.limits.drainMs)
  app.addHook('preClose', () => closing.close(drain))
  app.addHook('onClose', close)
  return { app, shell, closing }
}

/** @throws INVALID_OPTION; the text quotes the variable when the value came from PORT or HOST */
function checkAddress({ host, port }: ServeOptions): void {
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
    const { PORT } = process.env
    const fromPort = PORT !== undefined && (Number.isNaN(port) ? Number.isNaN(Number(PORT)) : Number(PORT) === port)
    throw invalidOption(
      `${fromPort ? 'PORT' : 'The port'} must be a whole number from 0 to 65535, not ${fromPort ? `"${PORT}"` : port}.`,
    )
  }
  if (host !== undefined && (typeof host !== 'string' || host.trim() === ''))
    throw invalidOption(
      'The host is empty. Leave it out, or name an address: 127.0.0.1 for this machine, 0.0.0.0 for all.',
    )
}
