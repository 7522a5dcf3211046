/** The header Expect (RFC 9110, 10.1.1). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { tooLarge, unknownExpectation } from '../base/request-errors.ts'

/**
 * Asks a client that sent `Expect: 100-continue` for its body only after its route, token and size were accepted; Node would
 * ask at once. Any other expectation is refused with 417.
 */
export function continueWhenLetIn(app: FastifyInstance, bodyBytes: number): void {
  const waiting = new WeakSet<IncomingMessage>()
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request)
    app.server.emit('request', request, response)
  })
  const unknown = new WeakSet<IncomingMessage>()
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    unknown.add(request)
    app.server.emit('request', request, response)
  })
  app.addHook('preParsing', ({ raw, headers }, reply, _payload, done) => {
    if (unknown.has(raw)) return done(unknownExpectation())
    if (!waiting.has(raw)) return done()
    if (Number(headers['content-length'] ?? 0) > bodyBytes) return done(tooLarge(413, 'body', bodyBytes))
    reply.raw.writeContinue()
    done()
  })
}
