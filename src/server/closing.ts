import type { Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** After this much more than `drainMs` a stop cuts what is still connected: nobody can hold up the end of the process. */
const CUT_MS = 5_000

/** How often a server that retires closes connections without a request, in milliseconds. */
const IDLE_MS = 100

/**
 * The end of a server's connections. `retire` takes no new ones, and waits until those that are open have had their answers, at
 * most `drainMs`: another process takes what comes. `close` stops the work with `drain`, waits until every request is answered, at most
 * `drainMs` and a moment, and cuts what is left: connections that never asked for anything, too, which Node would wait for.
 */
export function closingOf(server: Server, drainMs: number) {
  let open = 0
  let allAnswered = () => {}
  let retiring = false
  server.on('request', (_request, response) => {
    open++
    if (retiring) response.shouldKeepAlive = false
    response.once('close', () => {
      if (--open === 0) allAnswered()
    })
  })
  return {
    async retire(): Promise<void> {
      retiring = true
      server.close()
      const deadline = performance.now() + drainMs
      do {
        await sleep(IDLE_MS) // a request may be on its way
        server.closeIdleConnections()
      } while (open > 0 && performance.now() < deadline)
    },
    async close(drain: () => Promise<void>): Promise<void> {
      const cut = setTimeout(() => server.closeAllConnections(), drainMs + CUT_MS)
      await drain()
      if (open > 0)
        await new Promise<void>((resolve) => {
          allAnswered = resolve
        })
      clearTimeout(cut)
      server.closeAllConnections()
    },
  }
}
