/** What a process of its own does about signals, and about promises that nobody handles. */
import type { FastifyInstance } from 'fastify'
import type { Services } from '../services.ts'

export const SIGNALS = ['SIGTERM', 'SIGINT'] as const

/** Closes the app at the first signal, then ends the process; a second signal ends it at once. */
export function stopOnSignals(
  app: FastifyInstance,
  { runner, limits }: Pick<Services, 'runner' | 'limits'>,
  speaks: boolean,
): void {
  const stop = (signal: NodeJS.Signals) => {
    ignore() // a second signal gets Node's default handling
    if (speaks && runner.size > 0)
      console.error(
        `Finishing ${runner.size} ${runner.size === 1 ? 'run' : 'runs'}, for at most ${limits.drainMs / 1000} s. ${signal === 'SIGINT' ? 'Ctrl-C again to quit' : 'A second signal ends the process'} at once.`,
      )
    void app.close().finally(() => process.kill(process.pid, signal))
  }
  const ignore = () => {
    for (const signal of SIGNALS) process.off(signal, stop)
  }
  for (const signal of SIGNALS) process.on(signal, stop)
  app.addHook('onClose', async () => ignore())
}

/** Keeps the process alive when a tool leaves a rejected promise unhandled. An uncaught exception still ends the process. */
export function surviveRejections(app: FastifyInstance, { log }: Pick<Services, 'log'>): void {
  const note = (reason: unknown) => log.error('A promise was rejected without a handler. The server continues.', reason)
  process.on('unhandledRejection', note)
  app.addHook('onClose', async () => void process.off('unhandledRejection', note))
}
