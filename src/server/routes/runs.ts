/** `/{agency}/runs` and `/{agency}/approvals`: runs as resources. */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { RunId } from '../../runs/run-store.ts'
import type { StartStoredRun } from '../../runs/stored/service.ts'
import {
  approvalsQuery,
  type DecisionRequest,
  eventsQuery,
  parseDecisionRequest,
  parseQuery,
  parseRunCancelRequest,
  parseRunRequest,
  type RunRequest,
  runQuery,
  runsQuery,
} from '../../wire/runs.ts'
import { sendJson } from '../error-handler.ts'
import { signalOf } from '../event-stream.ts'
import { toApproval, toCancelAnswer, toList, toRunAnswer } from '../run-answers.ts'
import { idempotencyOf, lastEventIdOf, markReplay } from '../run-requests.ts'
import { CODED, type RunRoutes } from '../run-routes.ts'
import { streamRun } from '../run-stream.ts'

const CANCEL_WAIT_MS = 10_000

export function registerRuns(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, limits, agencyOf, ownerOf } = context
  const { store } = runs

  /** The run that the path names. */
  const idOf = async (request: FastifyRequest): Promise<RunId> => ({
    agency: agencyOf(request).path,
    owner: await ownerOf(request),
    runId: (request.params as { run_id: string }).run_id,
  })
  /** A run with the approvals that it waits for. */
  const answer = async (id: RunId, record = store.read({ kind: 'run', ...id })) => {
    const found = await record
    const pending =
      found.status === 'requires_action'
        ? await store.read({ kind: 'approvals', ...id, status: 'pending', limit: 100 })
        : undefined
    return toRunAnswer(found, pending?.data)
  }

  app.post(`${base}/runs`, CODED, async (request, reply) => {
    const served = agencyOf(request)
    const body = parseRunRequest(request.body, served.preview.agentNames, {
      ...context.requestRules,
      maxTurns: limits.maxTurns,
    })
    const idempotency = await idempotencyOf(request, limits)
    const owner = await ownerOf(request)
    const { run: record, replayed } = await runs.start({ ...toStart(body), agency: served.path, owner, idempotency })
    const id = { agency: served.path, owner, runId: record.runId }
    markReplay(reply, replayed).header('location', `${pathOf(request)}/${record.runId}`)
    if (body.stream !== true) return sendJson(reply, 202, await answer(id, Promise.resolve(record)))
    const graceMs = body.on_disconnect === 'cancel' ? (body.disconnect_grace_ms ?? 0) : undefined
    return streamRun(context, reply, { id, after: 0, cancelWhenLeftMs: graceMs })
  })

  app.get(`${base}/runs`, CODED, async (request, reply) => {
    const { thread_id: threadId, status, limit, after = null } = parseQuery(runsQuery, request.query)
    const filter = { limit, after, ...(threadId && { threadId }), ...(status && { status }) }
    const owned = { agency: agencyOf(request).path, owner: await ownerOf(request) }
    const page = await store.read({ kind: 'runs', ...owned, ...filter })
    return sendJson(
      reply,
      200,
      toList(page, (record) => toRunAnswer(record)),
    )
  })

  app.get(`${base}/runs/:run_id`, CODED, async (request, reply) => {
    const { wait } = parseQuery(runQuery, request.query)
    const id = await idOf(request)
    if (wait === 0) return sendJson(reply, 200, await answer(id))
    const record = runs.wait(id, wait * 1000, signalOf(reply))
    return sendJson(reply, 200, await answer(id, record))
  })

  app.get(`${base}/runs/:run_id/events`, CODED, async (request, reply) => {
    const { starting_after } = parseQuery(eventsQuery, request.query)
    const after = lastEventIdOf(request, starting_after)
    return streamRun(context, reply, { id: await idOf(request), after })
  })

  app.post(`${base}/runs/:run_id/cancel`, CODED, async (request, reply) => {
    const { mode, wait_ms } = parseRunCancelRequest(request.body)
    const began = performance.now()
    const {
      run: record,
      settled,
      replayed,
    } = await runs.cancel({
      ...(await idOf(request)),
      mode: mode ?? 'immediate',
      waitMs: wait_ms ?? CANCEL_WAIT_MS,
      idempotency: await idempotencyOf(request, limits),
    })
    const ms = Math.round(performance.now() - began)
    return sendJson(markReplay(reply, replayed), settled ? 200 : 202, toCancelAnswer(record, { settled, ms }))
  })

  app.post(`${base}/runs/:run_id/approvals/:approval_id`, CODED, async (request, reply) => {
    const body = parseDecisionRequest(request.body)
    const id = await idOf(request)
    const { run: record, replayed } = await runs.decide({
      ...id,
      approvalId: (request.params as { approval_id: string }).approval_id,
      decision: toDecision(body),
      idempotency: await idempotencyOf(request, limits),
    })
    return sendJson(markReplay(reply, replayed), 200, await answer(id, Promise.resolve(record)))
  })

  app.delete(`${base}/runs/:run_id`, CODED, async (request, reply) => {
    await store.write({ kind: 'deleteRun', ...(await idOf(request)) })
    return reply.code(204).send()
  })

  app.get(`${base}/approvals`, CODED, async (request, reply) => {
    const { thread_id: threadId, status, limit, after = null } = parseQuery(approvalsQuery, request.query)
    const filter = { limit, after, status, ...(threadId && { threadId }) }
    const owned = { agency: agencyOf(request).path, owner: await ownerOf(request) }
    return sendJson(reply, 200, toList(await store.read({ kind: 'approvals', ...owned, ...filter }), toApproval))
  })
}

/** The path of a request without its query. */
const pathOf = ({ url }: FastifyRequest) => url.replace(/\?.*/s, '')

function toStart(body: RunRequest): Omit<StartStoredRun, 'agency' | 'owner'> {
  const { thread_id: threadId, if_not_exists, multitask_strategy, max_turns, max_cost, metadata, ...request } = body
  return {
    request,
    thread:
      threadId == null
        ? null
        : { threadId, ifNotExists: if_not_exists ?? 'create', strategy: multitask_strategy ?? 'enqueue' },
    maxTurns: max_turns,
    maxCost: max_cost,
    metadata: metadata ?? {},
  }
}

const toDecision = ({ decision, arguments: edited, reason }: DecisionRequest) =>
  decision === 'approve'
    ? { kind: 'approve' as const, ...(edited == null ? {} : { arguments: edited }) }
    : { kind: 'reject' as const, ...(reason == null ? {} : { reason }) }
