/** `/{agency}/runs` and `/{agency}/approvals`: runs as resources. */
import type { FastifyInstance } from 'fastify'
import { toStart } from '../../runs/stored/request.ts'
import type { TraceRecord } from '../../runs/stored/trace/records.ts'
import {
  approvalsQuery,
  type DecisionRequest,
  eventsQuery,
  parseDecisionRequest,
  parseQuery,
  parseRunCancelRequest,
  parseRunRequest,
  runQuery,
  runsQuery,
  viewQuery,
  webhooksQuery,
} from '../../wire/runs.ts'
import { sendJson } from '../error-handler.ts'
import { signalOf } from '../event-stream.ts'
import { logIdOf } from '../request-log.ts'
import { answerOf, toApproval, toCancelAnswer, toList, toWebhook } from '../run-answers.ts'
import { idempotencyOf, idOf, lastFrameOf, markReplay, pathOf } from '../run-requests.ts'
import { CODED, openTo, type RunRoutes } from '../run-routes.ts'
import { streamRun } from '../run-stream.ts'
import { toTrace } from '../run-trace.ts'
import { traceContextOf } from '../start-run.ts'

const CANCEL_WAIT_MS = 10_000
/** Approvals of one run that its trace shows. */
const TRACED_APPROVALS = 1_000

export function registerRuns(app: FastifyInstance, base: string, context: RunRoutes): void {
  registerStart(app, base, context)
  registerReads(app, base, context)
  registerRequests(app, base, context)
}

function registerStart(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, limits, agencyOf, ownedBy, services } = context
  app.post(`${base}/runs`, openTo('post'), async (request, reply) => {
    const owned = await ownedBy(request)
    const { agentNames } = agencyOf(request).preview
    const body = parseRunRequest(request.body, agentNames, services.stored.rules)
    const { view } = parseQuery(viewQuery, request.query)
    const { run, replayed } = await runs.start({
      ...toStart(body, Date.now()),
      unreadMs: body.stream && body.on_disconnect === 'cancel' ? (body.disconnect_grace_ms ?? 0) : null,
      ...owned,
      traceContext: services.telemetry && traceContextOf(request),
      logId: logIdOf(request),
      idempotency: await idempotencyOf(request, limits),
    })
    markReplay(reply, replayed).header('location', `${pathOf(request)}/${run.runId}`)
    if (body.stream !== true) return sendJson(reply, 202, await answerOf(runs, run))
    return streamRun(context, reply, { run, view })
  })
}

function registerReads(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, ownedBy } = context
  const { store } = runs

  app.get(`${base}/runs`, openTo('watch'), async (request, reply) => {
    const owned = await ownedBy(request)
    const { thread_id: threadId, ...filter } = parseQuery(runsQuery, request.query)
    const page = await store.read({ kind: 'runs', ...owned, ...filter, ...(threadId && { threadId }) })
    const answers = await Promise.all(page.data.map((record) => answerOf(runs, record)))
    return sendJson(reply, 200, toList({ ...page, data: answers }))
  })

  app.get(`${base}/runs/:run_id`, openTo('watch'), async (request, reply) => {
    const id = await idOf(context, request)
    const { wait } = parseQuery(runQuery, request.query)
    const record = await runs.wait(id, wait * 1000, signalOf(reply))
    return sendJson(reply, 200, await answerOf(runs, record))
  })

  app.get(`${base}/runs/:run_id/events`, openTo('watch'), async (request, reply) => {
    const id = await idOf(context, request)
    const { starting_after, view } = parseQuery(eventsQuery, request.query)
    const run = await store.read({ kind: 'run', ...id })
    return streamRun(context, reply, { run, view, after: lastFrameOf(request, starting_after) })
  })

  if (context.services.stored.traces)
    app.get(`${base}/runs/:run_id/trace`, CODED, async (request, reply) => {
      const id = await idOf(context, request)
      const records = await store.read({ kind: 'trace', ...id })
      const [run, approvals] = await Promise.all([
        store.read({ kind: 'run', ...id }),
        store.read({ kind: 'approvals', ...id, limit: TRACED_APPROVALS }),
      ])
      return sendJson(reply, 200, toTrace(run, records as unknown as TraceRecord[], approvals.data))
    })

  app.get(`${base}/approvals`, openTo('watch'), async (request, reply) => {
    const owned = await ownedBy(request)
    const { thread_id: threadId, ...filter } = parseQuery(approvalsQuery, request.query)
    const page = await store.read({ kind: 'approvals', ...owned, ...filter, ...(threadId && { threadId }) })
    return sendJson(reply, 200, toList(page, toApproval))
  })

  app.get(`${base}/webhooks`, CODED, async (request, reply) => {
    const owned = await ownedBy(request)
    const { run_id: runId, ...filter } = parseQuery(webhooksQuery, request.query)
    const page = await store.read({ kind: 'webhooks', ...owned, ...filter, ...(runId && { runId }) })
    return sendJson(reply, 200, toList(page, toWebhook))
  })
}

function registerRequests(app: FastifyInstance, base: string, context: RunRoutes): void {
  const { runs, limits, services } = context

  app.post(`${base}/runs/:run_id/cancel`, openTo('cancel'), async (request, reply) => {
    const began = performance.now()
    const id = await idOf(context, request)
    const { mode, wait_ms: waitMs } = parseRunCancelRequest(request.body)
    const idempotency = await idempotencyOf(request, limits)
    const { run, settled, replayed } = await runs.cancel({
      ...id,
      mode: mode ?? 'immediate',
      waitMs: waitMs ?? CANCEL_WAIT_MS,
      idempotency,
    })
    const ms = Math.round(performance.now() - began)
    return sendJson(markReplay(reply, replayed), settled ? 200 : 202, toCancelAnswer(run, { settled, ms }))
  })

  app.post(`${base}/runs/:run_id/approvals/:approval_id`, openTo('approve'), async (request, reply) => {
    const id = await idOf(context, request)
    const { run, replayed } = await runs.decide({
      ...id,
      approvalId: (request.params as { approval_id: string }).approval_id,
      decision: toDecision(parseDecisionRequest(request.body)),
      idempotency: await idempotencyOf(request, limits),
    })
    return sendJson(markReplay(reply, replayed), 200, await answerOf(runs, run))
  })

  app.post(`${base}/runs/:run_id/retry`, CODED, async (request, reply) => {
    const { run, replayed } = await runs.retry({
      ...(await idOf(context, request)),
      traceContext: services.telemetry && traceContextOf(request),
      idempotency: await idempotencyOf(request, limits),
    })
    const location = [...pathOf(request).split('/').slice(0, -2), run.runId].join('/')
    return sendJson(markReplay(reply, replayed).header('location', location), 202, await answerOf(runs, run))
  })

  app.post(`${base}/webhooks/:webhook_id/redrive`, CODED, async (request, reply) => {
    const { webhook_id: webhookId } = request.params as { webhook_id: string }
    const webhook = await runs.redrive({ ...(await context.ownedBy(request)), webhookId })
    return sendJson(reply, 200, toWebhook(webhook))
  })

  app.delete(`${base}/runs/:run_id`, CODED, async (request, reply) => {
    await runs.store.write({ kind: 'deleteRun', ...(await idOf(context, request)) })
    return reply.code(204).send()
  })
}

const toDecision = ({ decision, arguments: edited, reason }: DecisionRequest) =>
  decision === 'approve'
    ? { kind: 'approve' as const, ...(edited == null ? {} : { arguments: edited }) }
    : { kind: 'reject' as const, ...(reason == null ? {} : { reason }) }
