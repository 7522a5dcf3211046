import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

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
      return reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .header('connection', 'close')
        .send({ detail: 'Not authenticated' })
    }
    if (!timingSafeEqual(digest(given), expected))
      return reply.code(401).header('connection', 'close').send({ detail: 'Unauthorized' })
    return undefined
  }
}
