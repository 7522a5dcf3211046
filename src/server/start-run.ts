import type { FastifyReply } from 'fastify'
import { copyContext } from '../agency/context.ts'
import { namingProvider } from '../runs/chat-name.ts'
import type { Run } from '../runs/hub.ts'
import { planRun } from '../runs/plan.ts'
import type { TraceContext } from '../runs/span.ts'
import type { ServedAgency, Services } from '../services.ts'
import { type AgencyRequest, secretsOf } from '../wire/requests.ts'
import { runListener, writeEnd } from './request-log.ts'

/** What the HTTP request says beside its body. */
export interface StartOptions {
  streaming: boolean
  /** The value of the log header, whatever it is. */
  logId: unknown
  /** What the run will be answered with. */
  reply: FastifyReply
}

/**
 * A request's run: agency, plan, start. Every endpoint and protocol that runs an agency comes through here.
 * @throws FACTORY_FAILED, UNKNOWN_AGENT, MISSING_API_KEY, MODEL_NOT_SUPPORTED, GATEWAY_REFUSED
 */
export async function startRun(
  services: Services,
  served: ServedAgency,
  request: AgencyRequest,
  { streaming, logId, reply }: StartOptions,
): Promise<Run> {
  const { hub, models, price, maxTurns, requestLog, telemetry, noteRun } = services
  const agency = await served.make({ loadThreads: () => request.chat_history, saveThreads: () => {} })
  const write = requestLog?.writer(logId)
  const plan = planRun(agency, await models.provider(request.client_config), {
    message: request.message,
    history: await load(agency.loadThreads, request.chat_history),
    recipient: request.recipient_agent,
    additionalInstructions: request.additional_instructions,
    userContext: { ...copyContext(agency.userContext), ...request.user_context },
    secrets: secretsOf(request.client_config),
    hooks: write === undefined ? undefined : runListener(write),
    price,
    naming: request.generate_chat_name === true ? await namingProvider(models, request.client_config) : undefined,
    streaming,
    maxTurns,
    telemetry,
    servedAs: served.path,
    traceContext: telemetry && traceContextOf(reply),
  })
  const run = hub.start(plan, served)
  noteRun?.(reply.request, { run, agency: served.path, agent: plan.recipient, streaming })
  if (write !== undefined) void run.done.then((summary) => writeEnd(write, summary))
  return run
}

function traceContextOf({ request }: FastifyReply): TraceContext {
  const read = (name: string) => {
    const value = request.headers[name]
    return typeof value === 'string' ? value : undefined
  }
  return { traceparent: read('traceparent'), tracestate: read('tracestate') }
}

/** A store that fails must not fail the request that asked for the history it brought itself. */
async function load(loadThreads: ServedAgency['preview']['loadThreads'], sent: AgencyRequest['chat_history']) {
  const loaded = loadThreads === undefined ? sent : await loadThreads()
  return Array.isArray(loaded) ? loaded : sent
}
