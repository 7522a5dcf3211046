import type { FastifyReply } from 'fastify'
import { copyContext } from '../agency/context.ts'
import { weigh } from '../base/budget.ts'
import { shuttingDown } from '../base/errors.ts'
import { attachFiles, namesFiles } from '../runs/attach-files.ts'
import type { Run } from '../runs/hub.ts'
import { planRun } from '../runs/plan.ts'
import { keepNothing } from '../runs/saver.ts'
import type { TraceContext } from '../runs/span.ts'
import type { ServedAgency, Services } from '../services.ts'
import { loadConversation } from '../threads/load.ts'
import { type AgencyRequest, secretsOf } from '../wire/requests.ts'
import { budgetOf } from './body.ts'
import { whileHere } from './event-stream.ts'
import { runListener, writeEnd } from './request-log.ts'

/** What the HTTP request says beside its body. */
export interface StartOptions {
  streaming: boolean
  /** The value of the log header, whatever it is. */
  logId: unknown
  /** What the run will be answered with: files are no longer prepared once its client is gone. */
  reply: FastifyReply
}

/**
 * A request's run: agency, plan, files, start. Every endpoint and protocol that runs an agency comes through here.
 * @throws OVERLOADED, FACTORY_FAILED, THREADS_FAILED, UNKNOWN_AGENT, MISSING_API_KEY, MODEL_NOT_SUPPORTED, GATEWAY_REFUSED,
 *   SHUTTING_DOWN; FILE_FAILED, which every protocol answers in its own way for a run that never began; CLIENT_GONE
 */
export async function startRun(
  services: Services,
  served: ServedAgency,
  request: AgencyRequest,
  { streaming, logId, reply }: StartOptions,
): Promise<Run> {
  const { hub, models, files, price, limits, requestLog, telemetry, noteRun } = services
  hub.admit()
  const agency = await served.make({ loadThreads: () => request.chat_history, saveThreads: keepNothing })
  const write = requestLog?.writer(logId)
  const plan = planRun(agency, await models.of(request.client_config), {
    message: request.message,
    history: await loadConversation(agency.loadThreads, {
      sent: request.chat_history,
      callbackMs: limits.callbackMs,
    }),
    recipient: request.recipient_agent,
    additionalInstructions: request.additional_instructions,
    userContext: { ...copyContext(agency.userContext), ...request.user_context },
    secrets: secretsOf(request.client_config),
    configBytes: weigh(request.client_config),
    hooks: write === undefined ? undefined : runListener(write),
    price,
    namesChat: request.generate_chat_name === true,
    streaming,
    maxTurns: limits.maxTurns,
    telemetry,
    servedAs: served.path,
    traceContext: telemetry && traceContextOf(reply),
  })
  const named = { fileIds: request.file_ids, fileUrls: request.file_urls }
  const ready = namesFiles(named)
    ? await whileHere(reply, (signal) => attachFiles(plan, named, files, signal)).catch((error) => {
        write?.('ERROR', 'The files of the request could not be attached', 'files')
        throw error
      })
    : plan
  if (services.stopping()) throw shuttingDown() // it began to stop meanwhile
  const run = hub.start(ready, served, budgetOf(reply.request))
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
