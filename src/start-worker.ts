/** `startWorker`: a process that works on the runs of a shared store, without serving agencies. */
import type { FastifyInstance } from 'fastify'
import { invalidOption, listenFailed } from './base/start-errors.ts'
import { createServices } from './composition/services.ts'
import type { ServeOptions } from './serve.ts'
import { createProbes } from './server/probes.ts'
import { stopOnSignals, surviveRejections } from './server/signals.ts'

/** Options of `startWorker()`: those of the servers on the same store, so that one file can export both. */
export interface WorkerOptions extends Omit<ServeOptions, 'listen' | 'workers'> {
  /** Where `/healthz`, `/readyz` and, with `metrics`, `/metrics` are served. @default nowhere */
  probes?: { host?: string | undefined; port: number } | undefined
  /** Of the servers; a worker is one process. */
  workers?: ServeOptions['workers']
}

/** A worker that takes runs. */
export interface RunningWorker {
  /** Where the probes are; undefined without. */
  readonly url: string | undefined
  /** Takes no more runs, lets those that it has reach their next turn boundary, and stops. */
  close(): Promise<void>
}

/**
 * Works on the stored runs of agencies. The runs come from the store that API servers share, which may have `runs.work: false`.
 * Options that concern requests (`host`, `port`, `mcp`, `playground`, ...) have no effect.
 * @throws INVALID_OPTION without a shared store, STORE_UNAVAILABLE, PORT_TAKEN, LISTEN_FAILED, and what `serve()` throws for agencies
 *
 * @example
 * await startWorker({ agencies: { support }, runs: { store: postgres(url) }, probes: { port: 9090 } })
 */
export async function startWorker(options: WorkerOptions): Promise<RunningWorker> {
  const { probes, runs, handleSignals = true, banner = !options.logger } = options
  if (runs?.store?.shared !== true)
    throw invalidOption(
      "A worker needs a store that servers share with it: runs: { store: postgres(url) } of 'agency-swarm-js/postgres'.",
    )
  const { shell, drain, close } = await createServices(
    { ...options, mcp: false, playground: false, runs: { ...runs, work: true } },
    { options: SERVER_OPTIONS },
  )
  const app = createProbes(shell)
  const alive = setInterval(() => {}, 2 ** 30) // connections to the store keep no process alive
  app.addHook('preClose', drain)
  app.addHook('onClose', async () => {
    clearInterval(alive)
    await close()
  })
  if (handleSignals) {
    stopOnSignals(app, shell.services, banner)
    surviveRejections(app, shell.services)
  }
  const url = probes === undefined ? undefined : await listen(app, probes)
  if (banner) {
    const names = shell.services.agencies.map(({ path }) => path).join(', ')
    console.log(`The worker takes runs of: ${names}${url === undefined ? '' : `\n  Probes: ${url}/readyz`}`)
  }
  return { url, close: () => app.close() }
}

/** Options of servers and workers that are not those of their services. */
const SERVER_OPTIONS = ['host', 'port', 'banner', 'handleSignals', 'workers', 'probes']

async function listen(app: FastifyInstance, { host = '127.0.0.1', port }: { host?: string | undefined; port: number }) {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    await app.close()
    throw listenFailed(host, port, error)
  }
}
