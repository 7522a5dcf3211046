import { copyContext } from '../agency/context.ts'
import type { Run } from '../runs/hub.ts'
import { planRun } from '../runs/plan.ts'
import type { ServedAgency, Services } from '../services.ts'
import { loadConversation } from '../threads/load.ts'
import { type AgencyRequest, secretsOf } from '../wire/requests.ts'
import { runListener, writeEnd } from './request-log.ts'

/** What the HTTP request says beside its body. */
export interface StartOptions {
  streaming: boolean
  /** The value of the log header, whatever it is. */
  logId: unknown
}

/**
 * A request's run: agency, plan, start. Every endpoint and protocol that runs an agency comes through here.
 * @throws SHUTTING_DOWN, OVERLOADED, FACTORY_FAILED, THREADS_FAILED, UNKNOWN_AGENT, MISSING_API_KEY, MODEL_NOT_SUPPORTED, GATEWAY_REFUSED
 */
export async function startRun(
  services: Services,
  served: ServedAgency,
  request: AgencyRequest,
  { streaming, logId }: StartOptions,
): Promise<Run> {
  const { hub, models, limits, requestLog } = services
  hub.admit()
  const agency = await served.make({ loadThreads: () => request.chat_history, saveThreads: () => {} })
  const write = requestLog?.writer(logId)
  const plan = planRun(agency, await models.provider(request.client_config), {
    message: request.message,
    history: await loadConversation(agency.loadThreads, {
      sent: request.chat_history,
      callbackMs: limits.callbackMs,
    }),
    recipient: request.recipient_agent,
    additionalInstructions: request.additional_instructions,
    userContext: { ...copyContext(agency.userContext), ...request.user_context },
    secrets: secretsOf(request.client_config),
    hooks: write === undefined ? undefined : runListener(write),
    streaming,
    maxTurns: limits.maxTurns,
  })
  const run = hub.start(plan, served)
  if (write !== undefined) void run.done.then((summary) => writeEnd(write, summary))
  return run
}
