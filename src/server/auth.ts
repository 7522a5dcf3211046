import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendJson } from './error-handler.ts'

const digest = (text: string) => createHash('sha256').update(text).digest()

/**
 * A hook that demands `Authorization: Bearer <token>` before the body is read; undefined when no token is set.
 * The comparison takes constant time; the bodies are the original's (docs/wire.md, "Authentication").
 */
export function createAuth(token: string | undefined) {
  if (token === undefined) return undefined
  const expected = digest(token)
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const given = /^bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined) {
      reply.headers({ 'www-authenticate': 'Bearer', connection: 'close' })
      return sendJson(reply, 401, { detail: 'Not authenticated' })
    }
    if (!timingSafeEqual(digest(given), expected))
      return sendJson(reply.header('connection', 'close'), 401, { detail: 'Unauthorized' })
    return undefined
  }
}
