import type { FastifyInstance, FastifyReply } from 'fastify'
import type { RequestLogs } from '../../services.ts'
import { isObject } from '../../wire/json.ts'
import { parseLogRequest } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'

/** `/get_logs`: POST with `{ log_id }`, as the original, and GET with `?log_id=`, as its documentation says. */
export function registerLogs(app: FastifyInstance, log: RequestLogs): void {
  const answer = async (reply: FastifyReply, body: unknown, place: string) => {
    const { log_id } = parseLogRequest(body, place)
    if (log_id === '') return sendJson(reply, 400, { error: 'Log ID is required' })
    const lines = await log.take(log_id)
    return lines === undefined ? sendJson(reply, 404, { error: 'Log file not found' }) : sendJson(reply, 200, lines, 2)
  }
  app.post('/get_logs', (request, reply) => answer(reply, request.body, 'body'))
  app.get('/get_logs', (request, reply) => answer(reply, isObject(request.query) ? { ...request.query } : {}, 'query'))
}
