import type { FastifyInstance } from 'fastify'
import { invalidOption, listenFailed } from './base/errors.ts'
import type { BuildOptions } from './composition/options.ts'
import { createServices } from './composition/services.ts'
import { createApp } from './server/app.ts'
import { banner, isOpen, openWarning } from './server/banner.ts'
import { closingOf } from './server/closing.ts'
import type { ShellOptions } from './server/plugin.ts'

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
}

/** A server that listens. */
export interface RunningServer {
  /** `http://localhost:<port>` where it listens on all interfaces. */
  readonly url: string
  readonly host: string
  /** The one it got, where port 0 was asked for. */
  readonly port: number
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
  return (await build(options)).app
}

/**
 * Serves agencies and tools over HTTP.
 * @throws what buildApp throws, PORT_TAKEN and LISTEN_FAILED
 */
export async function serve<Listen extends false | undefined = undefined>(
  options: ServeOptions & {
    /** `false` gives what `buildApp` gives. @default true */
    listen?: Listen
  },
): Promise<Listen extends false ? FastifyInstance : RunningServer>
export async function serve(options: ServeOptions & { listen?: false }): Promise<RunningServer | FastifyInstance> {
  const { app, shell } = await build(options)
  if (options.listen === false) return app
  const { host = '0.0.0.0', port = 8000 } = options
  const speaks = options.banner ?? !options.logger
  if (options.handleSignals !== false) {
    stopOnSignals(app, shell, speaks)
    surviveRejections(app, shell)
  }
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
  if (open) console.warn(openWarning(host, url, shell)) // even without a banner, because nobody may overlook it
  if (speaks) console.log(banner(url, shell, open))
  return { url, host, port: bound, app, close: () => app.close() }
}

function stopOnSignals(app: FastifyInstance, { services: { runner, limits } }: ShellOptions, speaks: boolean): void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const stop = (signal: NodeJS.Signals) => {
    ignore() // a second signal gets Node's default handling
    if (speaks && runner.size > 0)
      console.error(
        `Finishing ${runner.size} ${runner.size === 1 ? 'run' : 'runs'}, for at most ${limits.drainMs / 1000} s. ${signal === 'SIGINT' ? 'Ctrl-C again to quit' : 'A second signal ends the process'} at once.`,
      )
    void app.close().finally(() => process.kill(process.pid, signal))
  }
  const ignore = () => {
    for (const signal of signals) process.off(signal, stop)
  }
  for (const signal of signals) process.on(signal, stop)
  app.addHook('onClose', async () => ignore())
}

/** Keeps the process alive when a tool leaves a rejected promise unhandled. An uncaught exception still ends the process. */
function surviveRejections(app: FastifyInstance, { services }: ShellOptions): void {
  const note = (reason: unknown) =>
    services.log.error('A promise was rejected without a handler. The server continues.', reason)
  process.on('unhandledRejection', note)
  app.addHook('onClose', async () => void process.off('unhandledRejection', note))
}

async function build(options: ServeOptions) {
  checkAddress(options)
  const { shell, drain, close } = await createServices(options, ['host', 'port', 'banner', 'handleSignals', 'listen'])
  const app = await createApp(shell).catch(async (error) => {
    await close()
    throw error
  })
  const closing = closingOf(app.server, shell.services.limits.drainMs)
  app.addHook('preClose', () => closing.close(drain))
  app.addHook('onClose', close)
  return { app, shell }
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
