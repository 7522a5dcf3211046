/** Checks the bearer token of requests. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sendJson } from './error-handler.ts'

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

/**
 * Creates a hook that requires `Authorization: Bearer <token>` before the body is read; undefined when no token is set.
 * The comparison takes constant time. The response bodies are those of the original (docs/wire.md, "Authentication").
 */
export function createAuth(token: string | undefined) {
  if (token === undefined) return undefined
  const expected = digest(Buffer.from(token))
  // Node reads headers as Latin-1, so these are the bytes that the caller sent.
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const sentToken = /^bearer +([^ ].*)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (sentToken === undefined)
      return sendJson(reply.header('www-authenticate', 'Bearer'), 401, { detail: 'Not authenticated' })
    return timingSafeEqual(digest(Buffer.from(sentToken, 'latin1')), expected)
      ? undefined
      : sendJson(reply, 401, { detail: 'Unauthorized' })
  }
}
