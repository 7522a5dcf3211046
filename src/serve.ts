import type { FastifyInstance } from 'fastify'
import { type BuildOptions, createServices } from './composition.ts'
import { invalidOption, portTaken } from './errors.ts'
import { describeModel } from './models/spec.ts'
import { createApp } from './server/app.ts'
import { closingOf } from './server/closing.ts'
import type { ShellOptions } from './server/shell.ts'
import { VERSION } from './version.ts'

/** Options of `serve()`. Every option is checked at start. */
export interface ServeOptions extends BuildOptions {
  /** Default `0.0.0.0`. */
  host?: string
  /** Default 8000; 0 picks a free one. */
  port?: number
  /** Print the start banner. Default true, and false with a `logger`, whose lines it would disturb. */
  banner?: boolean
  /**
   * Stop gracefully on SIGTERM and SIGINT, then end the process; a second signal ends it at once. Also log a rejected promise
   * that nobody handles, such as a tool may leave behind, and keep it from ending the process. Default true.
   */
  handleSignals?: boolean
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
 * @throws what buildApp throws, and PORT_TAKEN
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
  if (options.handleSignals !== false) {
    stopOnSignals(app)
    outliveRejections(app, shell)
  }
  try {
    await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? portTaken(port) : error
  }
  const address = app.server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = `http://${name}:${bound}`
  warnWhenOpen(host, url, shell)
  if (options.banner ?? !options.logger) console.log(banner(url, shell))
  return { url, host, port: bound, app, close: () => app.close() }
}

function stopOnSignals(app: FastifyInstance): void {
  const signals = ['SIGTERM', 'SIGINT'] as const
  const stop = (signal: NodeJS.Signals) => {
    ignore() // the next signal meets Node's own handling
    void app.close().finally(() => process.kill(process.pid, signal))
  }
  const ignore = () => {
    for (const signal of signals) process.off(signal, stop)
  }
  for (const signal of signals) process.on(signal, stop)
  app.addHook('onClose', async () => ignore())
}

/** A promise that a tool left behind costs nobody their answer; what is thrown and not caught still ends the process. */
function outliveRejections(app: FastifyInstance, { services }: ShellOptions): void {
  const note = (reason: unknown) =>
    services.logError(new Error('A promise was rejected and nobody handled it; the server goes on.', { cause: reason }))
  process.on('unhandledRejection', note)
  app.addHook('onClose', async () => void process.off('unhandledRejection', note))
}

async function build(options: ServeOptions) {
  const { port } = options
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw invalidOption(`The port has to be a whole number from 0 to 65535, not ${port}.`)
  const { shell, drain, close } = await createServices(options, ['host', 'port', 'banner', 'handleSignals', 'listen'])
  const app = createApp(shell)
  const closing = closingOf(app.server, shell.services.limits.drainMs)
  app.addHook('preClose', () => closing.close(drain))
  app.addHook('onClose', close)
  return { app, shell }
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1|::ffff:127(\.\d+){3})$/i

/** On stderr and whatever `banner` says: an open door that nobody has chosen must be seen. */
function warnWhenOpen(host: string, url: string, { token }: ShellOptions): void {
  if (token !== undefined || LOOPBACK.test(host)) return
  const lines = [
    `WARNING: ${url} is open to everyone in reach of this machine (host ${host}).`,
    'Without a token anybody may run these agents, at your cost.',
    'Set APP_TOKEN, or bind 127.0.0.1; requireAuth: true refuses to start like this.',
  ]
  const rule = '!'.repeat(Math.max(...lines.map((line) => line.length)))
  console.warn(['', rule, ...lines, rule, ''].join('\n'))
}

function banner(url: string, { services: { agencies, tools }, token, playground }: ShellOptions): string {
  const lines = [`agency-swarm-js ${VERSION} is listening on ${url}`, '']
  for (const { path, preview } of agencies) {
    const models = new Set(preview.agents.map((agent) => describeModel(agent.model)))
    const demo = models.has('demo') ? ' (demo: offline answers, no real model)' : ''
    lines.push(`  /${path}  ${preview.agentNames.join(', ')}  model: ${[...models].join(', ')}${demo}`)
  }
  for (const tool of tools) lines.push(`  /tool/${tool.name}`)
  lines.push(
    '',
    token !== undefined
      ? '  A bearer token is required.'
      : '  NO TOKEN IS SET: everyone who reaches this address may use it. Set APP_TOKEN to require one.',
  )
  lines.push('', ...(playground ? [`  Playground: ${url}/`] : []), `  Docs: ${url}/docs`)
  const [first] = agencies
  if (first !== undefined) {
    const post = (endpoint: string) =>
      `  curl ${endpoint.endsWith('stream') ? '-N ' : ''}${url}/${first.path}/${endpoint} -H 'content-type: application/json' -d '{"message": "Hello"}'`
    lines.push('', `  curl ${url}/${first.path}/get_metadata`, post('get_response'), post('get_response_stream'))
  }
  return lines.join('\n')
}
