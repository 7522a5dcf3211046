/** `/{agency}/runs/{id}/steer`, `/pause` and `/continue`: what a person asks of the agents of a run that goes on. */
import type { FastifyInstance } from 'fastify'
import type { BranchAddress } from '../../runs/stored/branches.ts'
import {
  type ContinueRequest,
  parseContinueRequest,
  parsePauseRequest,
  parseSteerRequest,
} from '../../wire/steering.ts'
import { sendJson } from '../error-handler.ts'
import { answerOf, toSteer } from '../run-answers.ts'
import { idempotencyOf, idOf, markReplay } from '../run-requests.ts'
import { openTo, type RunRoutes } from '../run-routes.ts'

export function registerSteering(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, limits } = context

  app.post(`${base}/runs/:run_id/steer`, openTo('steer'), async (request, reply) => {
    const id = await idOf(context, request)
    const { agent, text, call_id: callId = null } = parseSteerRequest(request.body, limits)
    const idempotency = await idempotencyOf(request, limits)
    const { steer, replayed } = await runs.steer({ ...id, agent, text, callId, idempotency })
    return sendJson(markReplay(reply, replayed), 202, { run_id: id.runId, ...toSteer(steer) })
  })

  app.post(`${base}/runs/:run_id/pause`, openTo('steer'), async (request, reply) => {
    const id = await idOf(context, request)
    const { ms, ...body } = parsePauseRequest(request.body, limits)
    const idempotency = await idempotencyOf(request, limits)
    const { run, replayed } = await runs.pause({ ...id, ...addressOf(body), ms, idempotency })
    return sendJson(markReplay(reply, replayed), 200, await answerOf(runs, run))
  })

  app.post(`${base}/runs/:run_id/continue`, openTo('steer'), async (request, reply) => {
    const id = await idOf(context, request)
    const address = addressOf(parseContinueRequest(request.body))
    const idempotency = await idempotencyOf(request, limits)
    const { run, replayed } = await runs.continue({ ...id, ...address, idempotency })
    return sendJson(markReplay(reply, replayed), 200, await answerOf(runs, run))
  })
}

const addressOf = ({ agent = null, call_id: callId = null }: ContinueRequest): BranchAddress => ({ agent, callId })
