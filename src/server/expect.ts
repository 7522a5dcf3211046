import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { tooLarge } from '../base/errors.ts'

/**
 * Asks a client that waits for it (`Expect: 100-continue`) for its body only once the request has been let in: by then it has
 * a route, a token and a size that is taken. Node would ask at once (RFC 9110, 10.1.1).
 */
export function continueWhenLetIn(app: FastifyInstance, bodyBytes: number): void {
  const waiting = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request)
    app.server.emit('request', request, response)
  })
  app.addHook('preParsing', ({ raw, headers }, reply, _payload, done) => {
    if (!waiting.has(raw)) return done()
    if (Number(headers['content-length'] ?? 0) > bodyBytes) return done(tooLarge(413, 'body', bodyBytes))
    reply.raw.writeContinue()
    done()
  })
}
