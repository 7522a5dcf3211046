import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendJson } from './error-handler.ts'

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/**
 * A hook that demands `Authorization: Bearer <token>` before the body is read; undefined when no token is set.
 * The comparison takes constant time; the bodies are the original's (docs/wire.md, "Authentication").
 */
export function createAuth(token: string | undefined) {
  if (token === undefined) return undefined
  const expected = digest(Buffer.from(token))
  // Node reads headers as Latin-1, so these are the bytes that the caller sent.
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const given = /^bearer +([^ ].*)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (given === undefined)
      return sendJson(reply.header('www-authenticate', 'Bearer'), 401, { detail: 'Not authenticated' })
    return timingSafeEqual(digest(Buffer.from(given, 'latin1')), expected)
      ? undefined
      : sendJson(reply, 401, { detail: 'Unauthorized' })
  }
}
