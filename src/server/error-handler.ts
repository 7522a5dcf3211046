import type { FastifyReply, FastifyRequest } from 'fastify'
import { AgencyError, errorText } from '../errors.ts'
import type { Services } from '../services.ts'
import { RequestInvalid } from '../wire/requests.ts'

/** When a refused caller may try again. */
const RETRY_AFTER_SECONDS = '2'

/** JSON without a charset, as the original's clients expect it. */
export function sendJson(reply: FastifyReply, status: number, body: unknown, indent = 0) {
  const text = JSON.stringify(body, null, indent)
  return reply.code(status).header('content-type', 'application/json').serializer(String).send(text)
}

/** The one place where an error becomes an answer. Secrets are masked; stacks and unexpected texts stay in the log. */
export function createErrorHandler({ redact, logError }: Pick<Services, 'redact' | 'logError'>) {
  return (error: unknown, _request: FastifyRequest, reply: FastifyReply) => {
    if (error instanceof RequestInvalid) return sendJson(reply, 422, { detail: error.details })
    if (error instanceof AgencyError) {
      const text = redact(error.message)
      if (error.statusCode === 503)
        return sendJson(reply.header('retry-after', RETRY_AFTER_SECONDS), 503, { detail: text }) // expected: not logged
      if (error.statusCode >= 500) logError(error)
      return sendJson(reply, error.statusCode, error.statusCode < 500 ? { detail: text } : { error: text })
    }
    const status = (error as { statusCode?: number }).statusCode
    if (status !== undefined && status >= 400 && status < 500)
      return sendJson(reply, status, { detail: redact(errorText(error)) })
    logError(error)
    return sendJson(reply, 500, { error: 'The server failed to answer this request. Its log has the reason.' })
  }
}
