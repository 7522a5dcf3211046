import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describeAgency } from '../../agency/metadata.ts'
import { AgencyError, shuttingDown } from '../../base/errors.ts'
import { WIRE_VERSION } from '../../base/version.ts'
import { createNativeDialect, toResponseBody } from '../../dialects/native.ts'
import type { Run } from '../../runs/hub.ts'
import type { ServedAgency, Services } from '../../services.ts'
import { parseAgencyRequest, parseCancelRequest } from '../../wire/requests.ts'
import type { CancelResponse, Metadata } from '../../wire/responses.ts'
import { sendJson } from '../error-handler.ts'
import { abandonWhenGone, writeFrames, writeStream } from '../event-stream.ts'
import { LOG_HEADER } from '../request-log.ts'
import { startRun } from '../start-run.ts'
import { registerAgui } from './agui.ts'

const CANCEL_WAIT_MS = 60_000

type AgencyOf = (request: FastifyRequest) => ServedAgency

/** The endpoints of every agency. */
export function registerAgencies(app: FastifyInstance, services: Services): void {
  const bySegment = new Map(services.agencies.map((served) => [segmentOf(served), served]))
  const named: AgencyOf = (request) => bySegment.get((request.params as { agency: string }).agency) as ServedAgency
  const routes = routesOf(services.agencies)
  for (const base of new Set(routes.values())) {
    const [served] = services.agencies.filter((one) => routes.get(segmentOf(one)) === base)
    registerAgency(app, services, base, base.startsWith('/:') ? named : () => served as ServedAgency)
  }
}

/**
 * Where the router keeps each agency, by its segment. It leaves reserved characters encoded in literal paths and gives
 * some a meaning, but decodes a parameter: agencies that have such characters share one.
 */
export function routesOf(agencies: readonly ServedAgency[]): ReadonlyMap<string, string> {
  const segments = agencies.map(segmentOf)
  const odd = segments.filter((segment) => ROUTER_RESERVED.test(segment)).map(escapeForRegExp)
  const shared = `/:agency(^(?:${odd.join('|')})$)`
  return new Map(segments.map((segment) => [segment, ROUTER_RESERVED.test(segment) ? shared : `/${segment}`]))
}

const segmentOf = (served: ServedAgency) => decodeURIComponent(served.path)
const ROUTER_RESERVED = /[;/?:@&=+$,#%*()]/
const escapeForRegExp = (text: string) =>
  text.replace(/[^\p{L}\d_ -]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

function registerAgency(app: FastifyInstance, services: Services, base: string, agencyOf: AgencyOf): void {
  const { hub } = services
  const dialect = createNativeDialect(services.streamScalars)

  const start = async (request: FastifyRequest, reply: FastifyReply, streaming: boolean): Promise<Run> => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const asked = parseAgencyRequest(request.body, served.preview.agentNames, services.requestRules)
    return startRun(services, served, asked, { streaming, logId: request.headers[LOG_HEADER], reply })
  }

  app.get(`${base}/get_metadata`, async (request, reply) => {
    const answer: Metadata = {
      ...describeAgency(agencyOf(request).preview),
      agency_swarm_version: WIRE_VERSION,
      allowed_local_file_dirs: await services.files.directories(),
    }
    return sendJson(reply, 200, answer)
  })

  if (services.agui !== undefined) {
    registerAgui(app, { path: `${base}/get_response_stream`, services, agencyOf })
    return
  }

  app.post(`${base}/get_response`, async (request, reply) => {
    const run = await start(request, reply, false)
    const release = abandonWhenGone(reply, () => hub.abandon(run.id))
    const summary = await run.done.finally(release)
    const { failure, error } = summary
    if (error instanceof AgencyError && error.statusCode === 503) throw error // another server may take it
    if (failure !== undefined) return sendJson(reply, 500, { error: failure })
    return sendJson(reply, 200, toResponseBody(summary))
  })

  app.post(`${base}/get_response_stream`, async (request, reply) => {
    const run = await start(request, reply, true).catch(fileFailure)
    if (run instanceof AgencyError) writeFrames(reply, dialect.refuse(services.redact(run.message)))
    else await writeStream(services, reply, run, dialect)
  })

  app.post(`${base}/cancel_response_stream`, async (request, reply) => {
    const { run_id, cancel_mode } = parseCancelRequest(request.body)
    const mode = cancel_mode ?? 'immediate'
    const summary = await hub.cancel(run_id, agencyOf(request), mode, CANCEL_WAIT_MS)
    const ended = summary !== undefined
    const new_messages = summary?.newMessages ?? []
    const answer: CancelResponse = {
      ok: ended,
      run_id,
      cancelled: ended,
      cancel_mode: mode,
      new_messages,
      timed_out: !ended,
    }
    return sendJson(reply, 200, answer)
  })
}

/** A stream tells of files that cannot be had in a frame; everything else is an answer of its own. */
function fileFailure(error: unknown): AgencyError {
  if (error instanceof AgencyError && error.code === 'FILE_FAILED') return error
  throw error
}
