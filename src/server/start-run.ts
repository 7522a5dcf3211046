/** Starts the run of an HTTP request: what the request has beside its body, and its line in the log. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ServedAgency } from '../agency/served.ts'
import type { Run } from '../runs/runner.ts'
import type { TraceContext } from '../runs/span.ts'
import { startServedRun } from '../runs/start.ts'
import type { Services } from '../services.ts'
import type { AgencyRequest } from '../wire/requests.ts'
import { budgetOf } from './body.ts'
import { signalOf } from './event-stream.ts'
import { LOG_HEADER } from './request-log.ts'

export interface HttpRequest {
  served: ServedAgency
  request: AgencyRequest
  /** The answer that the run is for: the run ends when its client leaves. */
  reply: FastifyReply
  streaming: boolean
  /** Whose run it is, of `ownerKey`. */
  owner: string
}

/** @throws what `startServedRun` throws; CLIENT_GONE when the client leaves while its files are prepared */
export async function startRun(
  services: Services,
  { served, request, reply, streaming, owner }: HttpRequest,
): Promise<Run> {
  const { requestLog, telemetry, noteRun } = services
  const run = await startServedRun(services, served, request, {
    streaming,
    owner,
    signal: signalOf(reply),
    log: requestLog?.writer(reply.request.headers[LOG_HEADER]),
    budget: budgetOf(reply.request),
    traceContext: telemetry && traceContextOf(reply.request),
  })
  noteRun?.(reply.request, { run, agency: served.path, agent: run.recipient, streaming })
  return run
}

/** The caller's own trace. */
export function traceContextOf({ headers }: FastifyRequest): TraceContext {
  const read = (name: string) => {
    const value = headers[name]
    return typeof value === 'string' ? value : undefined
  }
  return { traceparent: read('traceparent'), tracestate: read('tracestate') }
}
