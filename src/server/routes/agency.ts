import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describeAgency } from '../../agency/metadata.ts'
import { createNativeDialect, toResponseBody } from '../../dialects/native.ts'
import { AgencyError, shuttingDown } from '../../errors.ts'
import type { Run } from '../../runs/hub.ts'
import type { ServedAgency, Services } from '../../services.ts'
import { parseAgencyRequest, parseCancelRequest } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'
import { abandonWhenGone, writeFrames, writeStream } from '../event-stream.ts'
import { LOG_HEADER } from '../request-log.ts'
import { startRun } from '../start-run.ts'
import { registerAgui } from './agui.ts'

/** Clients gate on it: the version of the original whose wire is spoken. */
const WIRE_VERSION = '1.11.0'
const CANCEL_WAIT_MS = 60_000

type AgencyOf = (request: FastifyRequest) => ServedAgency

/** The endpoints of every agency. */
export function registerAgencies(app: FastifyInstance, services: Services): void {
  const bySegment = new Map(services.agencies.map((served) => [decodeURIComponent(served.path), served]))
  const odd: string[] = []
  for (const [segment, served] of bySegment) {
    if (ROUTER_RESERVED.test(segment)) odd.push(escapeForRegExp(segment))
    else registerAgency(app, services, `/${segment}`, () => served)
  }
  // The router leaves reserved characters encoded in literal paths and gives some a meaning; a parameter it decodes.
  const named: AgencyOf = (request) => bySegment.get((request.params as { agency: string }).agency) as ServedAgency
  if (odd.length > 0) registerAgency(app, services, `/:agency(^(?:${odd.join('|')})$)`, named)
}

const ROUTER_RESERVED = /[;/?:@&=+$,#%*()]/
const escapeForRegExp = (text: string) =>
  text.replace(/[^\p{L}\d_ -]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

function registerAgency(app: FastifyInstance, services: Services, base: string, agencyOf: AgencyOf): void {
  const { hub } = services

  const start = async (request: FastifyRequest, reply: FastifyReply, streaming: boolean): Promise<Run> => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const asked = parseAgencyRequest(request.body, served.preview.agentNames, services.limits)
    return startRun(services, served, asked, { streaming, logId: request.headers[LOG_HEADER], reply })
  }

  app.get(`${base}/get_metadata`, async (request, reply) =>
    sendJson(reply, 200, {
      ...describeAgency(agencyOf(request).preview),
      agency_swarm_version: WIRE_VERSION,
      allowed_local_file_dirs: await services.files.directories(),
    }),
  )

  if (services.agui) {
    registerAgui(app, { path: `${base}/get_response_stream`, services, agencyOf })
    return
  }

  app.post(`${base}/get_response`, async (request, reply) => {
    const run = await start(request, reply, false)
    const release = abandonWhenGone(reply, () => hub.abandon(run.id))
    const summary = await run.done.finally(release)
    const { failure, error } = summary
    if (error instanceof AgencyError && error.code === 'SHUTTING_DOWN') throw error // another server may take it
    if (failure !== undefined) return sendJson(reply, 500, { error: failure })
    return sendJson(reply, 200, toResponseBody(summary))
  })

  app.post(`${base}/get_response_stream`, async (request, reply) => {
    const dialect = createNativeDialect(services.streamScalars)
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
    return sendJson(reply, 200, {
      ok: ended,
      run_id,
      cancelled: ended,
      cancel_mode: mode,
      new_messages,
      timed_out: !ended,
    })
  })
}

/** A stream tells of files that cannot be had in a frame; everything else is an answer of its own. */
function fileFailure(error: unknown): AgencyError {
  if (error instanceof AgencyError && error.code === 'FILE_FAILED') return error
  throw error
}
