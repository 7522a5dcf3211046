/** `/get_logs`: returns the log of one request and deletes it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { crossSiteRead } from '../../base/request-errors.ts'
import type { RequestLogs } from '../../services.ts'
import { schemaRef } from '../../wire/components.ts'
import { isObject } from '../../wire/json.ts'
import { logRequest, parseLogRequest } from '../../wire/requests.ts'
import { logLine } from '../../wire/responses.ts'
import type { Peers } from '../../workers/peers.ts'
import { budgetOf } from '../body.ts'
import { sendJson } from '../error-handler.ts'
import { answerOf, BODY_REFUSALS, bodyOf, type Operation, type Operations } from '../operations.ts'
import { isLogId } from '../request-log.ts'

/** How long other workers may take to write what is left of a log, in milliseconds. */
const FLUSH_MS = 2_000

/**
 * POST with `{ log_id }`, as in the original, and GET with `?log_id=`, as in its documentation. Reading a log deletes it, so a
 * GET that a page of another site causes, by a link or a picture, is refused.
 */
export function registerLogs(app: FastifyInstance, log: RequestLogs, peers: Peers | undefined): void {
  const answer = async (
    request: FastifyRequest,
    reply: FastifyReply,
    [body, place]: [body: unknown, place: string],
  ) => {
    const { log_id } = parseLogRequest(body, place)
    if (log_id === '') return sendJson(reply, 400, { error: 'Log ID is required' })
    if (isLogId(log_id)) await peers?.ask('flushLog', { id: log_id }, { ms: FLUSH_MS })
    const lines = await log.take(log_id, budgetOf(request))
    return lines === undefined ? sendJson(reply, 404, { error: 'Log file not found' }) : sendJson(reply, 200, lines, 2)
  }
  app.post('/get_logs', (request, reply) => answer(request, reply, [request.body, 'body']))
  app.get('/get_logs', async (request, reply) => {
    const { query, headers } = request
    if (headers['sec-fetch-site'] === 'cross-site') throw crossSiteRead()
    return answer(request, reply, [isObject(query) ? { ...query } : {}, 'query'])
  })
}

const RESPONSES = {
  200: {
    description: 'The lines of the log, which is deleted.',
    content: { 'application/json': { schema: { type: 'array', items: schemaRef('LogLine') } } },
  },
  400: answerOf('The id is empty.', 'Failure'),
  404: answerOf('There is no such log.', 'Failure'),
  422: BODY_REFUSALS[422],
  500: answerOf('The log could not be read.', 'Failure'),
}
const SHARED = { tags: ['Logs'], summary: 'Read and delete the log of a request' }
const BY_BODY: Operation = {
  ...SHARED,
  requestBody: bodyOf('LogRequest', { log_id: 'my-request-1' }),
  responses: { ...RESPONSES, ...BODY_REFUSALS },
}
const BY_QUERY: Operation = {
  ...SHARED,
  parameters: [{ name: 'log_id', in: 'query', required: true, schema: { type: 'string', minLength: 1 } }],
  responses: {
    ...RESPONSES,
    403: answerOf('A page of another site sent the request, which would delete the log. Send POST.', 'Detail'),
  },
}

export const operations: Operations = {
  schemas: [logRequest, logLine],
  endpoints: [
    { path: '/get_logs', method: 'post', id: 'get_logs', operation: BY_BODY },
    { path: '/get_logs', method: 'get', id: 'get_logs_by_query', operation: BY_QUERY },
  ],
}
