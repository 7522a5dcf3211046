import type { FastifyInstance, FastifyReply } from 'fastify'
import { crossSiteRead } from '../../base/errors.ts'
import type { RequestLogs } from '../../services.ts'
import { isObject } from '../../wire/json.ts'
import { parseLogRequest } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'

/**
 * `/get_logs`: POST with `{ log_id }`, as the original, and GET with `?log_id=`, as its documentation says. Reading a log deletes
 * it, so a GET that a page of another site causes, by a link or a picture, is refused.
 */
export function registerLogs(app: FastifyInstance, log: RequestLogs): void {
  const answer = async (reply: FastifyReply, body: unknown, place: string) => {
    const { log_id } = parseLogRequest(body, place)
    if (log_id === '') return sendJson(reply, 400, { error: 'Log ID is required' })
    const lines = await log.take(log_id)
    return lines === undefined ? sendJson(reply, 404, { error: 'Log file not found' }) : sendJson(reply, 200, lines, 2)
  }
  app.post('/get_logs', (request, reply) => answer(reply, request.body, 'body'))
  app.get('/get_logs', async ({ query, headers }, reply) => {
    if (headers['sec-fetch-site'] === 'cross-site') throw crossSiteRead()
    return answer(reply, isObject(query) ? { ...query } : {}, 'query')
  })
}
