import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { AgencyError, causeOf, errorText } from '../base/errors.ts'
import type { Services } from '../services.ts'
import { encodeJson, isShortJson } from '../wire/json-write.ts'
import { RequestInvalid } from '../wire/requests.ts'
import { type ValidationDetail, valueError } from '../wire/validation.ts'

/** When a refused caller may try again. */
const RETRY_AFTER_SECONDS = '2'

/** JSON without a charset, as the original's clients expect it. Long answers are written in turns with other work. */
export function sendJson(reply: FastifyReply, status: number, body: unknown, indent = 0) {
  if (status >= 400 && isPlain(reply.request))
    return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(toPlainText(body))
  const toText = (value: unknown) => JSON.stringify(value, null, indent)
  reply.code(status).header('content-type', 'application/json').serializer(toText)
  return indent > 0 || isShortJson(body) ? reply.send(body) : sendLongJson(reply, body)
}

async function sendLongJson(reply: FastifyReply, body: unknown) {
  const pieces = await encodeJson(body)
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0)
  return reply.header('content-length', length).send(Readable.from(pieces))
}

/** The one place where an error becomes an answer. Secrets are masked; stacks and unexpected texts stay in the log. */
export function createErrorHandler({ redact, log, telemetry }: Pick<Services, 'redact' | 'log' | 'telemetry'>) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply) => {
    const fields = { method: request.method, route: request.routeOptions.url }
    const logError = () => log.error(errorText(error), causeOf(error), undefined, fields)
    telemetry?.refused(codeOf(error))
    if (error instanceof RequestInvalid) return sendJson(reply, 422, { detail: error.details })
    if (AgencyError.isInstance(error)) {
      const coded = isCoded(request) ? { code: error.code, ...error.fields } : {}
      const text = redact(error.message)
      if (error.statusCode === 422)
        return sendJson(reply, 422, { detail: [valueError(error.loc ?? ['body'], text, null)], ...coded })
      if (error.statusCode === 503)
        return sendJson(reply.header('retry-after', RETRY_AFTER_SECONDS), 503, { detail: text, ...coded }) // expected: not logged
      const { statusCode } = error
      if (statusCode === 429) reply.header('retry-after', RETRY_AFTER_SECONDS)
      if (statusCode < 500) return sendJson(reply, statusCode, { detail: text, ...coded })
      logError()
      return sendJson(reply, statusCode, isCoded(request) ? { detail: text, ...coded } : { error: text })
    }
    const status = (error as { statusCode?: number }).statusCode
    if (status !== undefined && status >= 400 && status < 500)
      return sendJson(reply, status, { detail: redact(errorText(error)) })
    logError()
    const text = 'The server failed to answer this request. Its log has the reason.'
    return sendJson(reply, 500, isCoded(request) ? { detail: text, code: 'INTERNAL' } : { error: text })
  }
}

/** Routes of runs and threads answer refusals with the code of the error. */
const isCoded = ({ routeOptions }: FastifyRequest) => (routeOptions.config as { coded?: boolean }).coded === true

/** Routes of chat pages answer refusals in plain text, because pages show the whole body of one. */
const isPlain = ({ routeOptions }: FastifyRequest) =>
  (routeOptions?.config as { plainErrors?: boolean } | undefined)?.plainErrors === true

/** The sentences of a refusal. */
function toPlainText(body: unknown): string {
  const { detail, error } = body as { detail?: unknown; error?: unknown }
  if (!Array.isArray(detail)) return String(detail ?? error)
  return (detail as ValidationDetail[])
    .map(({ loc, msg }) => (loc.length > 1 ? `${loc.slice(1).join('.')}: ${msg}` : msg))
    .join('\n')
}

/** Frameworks give their errors codes too. */
function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'INTERNAL'
}
