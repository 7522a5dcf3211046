/** `serveMcp()`: agencies and tools as an MCP server, over HTTP or stdio. */
import { Writable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import { invalidOption } from './base/start-errors.ts'
import type { BuildOptions } from './composition/options.ts'
import { createServices } from './composition/services.ts'
import type { McpDoor } from './dialects/mcp/door.ts'
import { loadStdio } from './dialects/mcp/packages.ts'
import { buildApp, type RunningServer, type ServeOptions, serve } from './serve.ts'
import { EVERYBODY } from './server/run-requests.ts'

/** Options of `serveMcp()`: those of `serve()`, and the transport. */
export interface ServeMcpOptions extends ServeOptions {
  /**
   * `http` serves `/mcp` beside the other routes; `stdio` answers the host that started this program, over stdin and stdout.
   * @default 'http'
   */
  transport?: 'http' | 'stdio' | undefined
  /** `false` gives the Fastify instance of `http`, not listening. @default true */
  listen?: boolean | undefined
}

/** An MCP server on stdin and stdout. */
export interface RunningMcp {
  /** Resolves when the host has closed stdin, or `close` was called, and running work has ended. */
  readonly closed: Promise<void>
  /** Ends running calls and the connection. */
  close(): Promise<void>
}

/**
 * Serves standalone tools and agencies to MCP hosts such as Claude, Cursor and VS Code.
 * @throws what `serve()` throws; PACKAGE_MISSING without `@modelcontextprotocol/server` and `@modelcontextprotocol/node`
 *
 * @example
 * await serveMcp({ tools: [lookUpOrder], port: 8000 }) // http://localhost:8000/mcp
 */
export async function serveMcp(options: ServeMcpOptions & { transport: 'stdio' }): Promise<RunningMcp>
export async function serveMcp(
  options: ServeMcpOptions & { transport?: 'http'; listen: false },
): Promise<FastifyInstance>
export async function serveMcp(options: ServeMcpOptions & { transport?: 'http'; listen?: true }): Promise<RunningServer>
export async function serveMcp({
  transport = 'http',
  listen,
  ...options
}: ServeMcpOptions): Promise<RunningMcp | RunningServer | FastifyInstance> {
  if (transport !== 'http' && transport !== 'stdio')
    throw invalidOption(`transport has to be "http" or "stdio", not ${JSON.stringify(transport)}.`)
  const withMcp = { ...options, mcp: options.mcp || true }
  if (transport === 'stdio') return serveOverStdio(withMcp)
  return listen === false ? buildApp(withMcp) : serve(withMcp)
}

async function serveOverStdio({
  host: _,
  port: __,
  banner: ___,
  workers: ____,
  handleSignals = true,
  ...options
}: ServeOptions) {
  const stdout = reserveStdout()
  // Lines of a logger on stdout would be taken for messages; without one, failures go to stderr.
  const build: BuildOptions = { ...options, logger: options.logger === true ? undefined : options.logger }
  const { serveStdio, StdioServerTransport } = await loadStdio()
  const { shell, drain, close: release } = await createServices(build)
  const door = shell.services.mcp as McpDoor
  const transport = new StdioServerTransport(process.stdin, stdout, { maxBufferSize: shell.services.limits.bodyBytes })
  const handle = serveStdio(() => door.open(EVERYBODY).server, { transport })
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let closing: Promise<void> | undefined
  /** The host has left, so its calls end at once instead of being waited for. */
  const end = async () => {
    process.stdin.off('end', close).off('close', close)
    for (const signal of SIGNALS) process.off(signal, close)
    await handle.close()
    await drain()
    await release()
    resolve()
  }
  const close = () => {
    closing ??= end()
    return closing
  }
  process.stdin.once('end', close).once('close', close)
  if (handleSignals) for (const signal of SIGNALS) process.once(signal, close)
  return { closed, close }
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Where the process keeps its stdout while it belongs to the protocol; found by other copies of this package too. */
const RESERVED = Symbol.for('agency-swarm-js.stdout')

/** Keeps stdout for the messages of the protocol: what anything else writes to it goes to stderr from now on. */
export function reserveStdout(): Writable {
  const { stdout, stderr } = process as {
    stdout: NodeJS.WriteStream & { [RESERVED]?: Writable }
    stderr: NodeJS.WriteStream
  }
  const known = stdout[RESERVED]
  if (known !== undefined) return known
  const write = stdout.write.bind(stdout)
  const reserved = new Writable({
    decodeStrings: false,
    write: (chunk: string | Buffer, encoding, done) => void write(chunk, encoding, (error) => done(error)),
  })
  stdout[RESERVED] = reserved
  stdout.write = stderr.write.bind(stderr)
  return reserved
}
