import type { Server } from 'node:http'

/** After this much more than `drainMs` a stop cuts what is still connected: nobody can hold up the end of the process. */
const CUT_MS = 5_000

/**
 * The end of a server's connections. `close` stops the work with `drain`, waits until every request is answered, at most
 * `drainMs` and a moment, and cuts what is left: connections that never asked for anything, too, which Node would wait for.
 */
export function closingOf(server: Server, drainMs: number) {
  let open = 0
  let allAnswered = () => {}
  server.on('request', (_request, response) => {
    open++
    response.once('close', () => {
      if (--open === 0) allAnswered()
    })
  })
  return {
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
