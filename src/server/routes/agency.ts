/** The endpoints of agencies: metadata, answers, streams, cancel. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { describeAgency } from '../../agency/metadata.ts'
import type { ServedAgency } from '../../agency/served.ts'
import { AgencyError } from '../../base/errors.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import { WIRE_VERSION } from '../../base/version.ts'
import type { Dialect } from '../../dialects/dialect.ts'
import { toResponseBody } from '../../dialects/native/writer.ts'
import type { Run } from '../../runs/runner.ts'
import type { Services } from '../../services.ts'
import type { AguiRequest } from '../../wire/agui.ts'
import { streamSchemas } from '../../wire/events.ts'
import { RUN_ID, STREAM_EXAMPLES } from '../../wire/examples.ts'
import { type AgencyRequest, agencyRequestSchema, cancelRequest, parseCancelRequest } from '../../wire/requests.ts'
import { agencyResponse, type CancelResponse, cancelResponse, type Metadata, metadata } from '../../wire/responses.ts'
import { cancelRun } from '../cancel-run.ts'
import { sendJson } from '../error-handler.ts'
import { writeFrames, writeStream } from '../event-stream.ts'
import {
  answerOf,
  BODY_REFUSALS,
  bodyOf,
  type Endpoint,
  NOT_STARTED,
  type Operations,
  streamOf,
} from '../operations.ts'
import { describeRuns } from '../run-operations.ts'
import { runnerOwnerOf } from '../run-requests.ts'
import { createRunRoutes, type RunRoutes } from '../run-routes.ts'
import { startRun } from '../start-run.ts'
import { operations as aguiOperations } from './agui.ts'
import { registerSteering } from './run-steering.ts'
import { registerRuns } from './runs.ts'
import { registerThreads } from './threads.ts'
import { registerTickets } from './tickets.ts'

const CANCEL_WAIT_MS = 60_000

type AgencyOf = (request: FastifyRequest) => ServedAgency

/** Adds the routes of a further protocol below an agency. */
export type RegisterDoor = (app: FastifyInstance, base: string, context: RunRoutes) => void
/** Answers AG-UI requests that go on with a stored run; false for any other. */
type Resume = (context: RunRoutes, request: FastifyRequest, reply: FastifyReply, body: AguiRequest) => Promise<boolean>

export interface AgencyProtocols {
  doors: readonly RegisterDoor[]
  /** Set where the stream endpoint speaks AG-UI. */
  resumeAgui: Resume | undefined
}

export function registerAgencies(app: FastifyInstance, services: Services, protocols: AgencyProtocols): void {
  for (const { base, context } of routeAgencies(services)) {
    registerAgency(app, base, context, protocols.resumeAgui)
    for (const register of protocols.doors) register(app, base, context)
  }
}

/** The paths of the router below which agencies are, each with what their routes share. */
export function routeAgencies(services: Services): { base: string; context: RunRoutes }[] {
  const bySegment = new Map(services.agencies.map((served) => [segmentOf(served), served]))
  const named: AgencyOf = (request) => bySegment.get((request.params as { agency: string }).agency) as ServedAgency
  const routes = routesOf(services.agencies)
  return [...new Set(routes.values())].map((base) => {
    const [served] = services.agencies.filter((one) => routes.get(segmentOf(one)) === base)
    return { base, context: createRunRoutes(services, base.startsWith('/:') ? named : () => served as ServedAgency) }
  })
}

/**
 * The path that the router has for each agency, by the agency's segment. The router leaves reserved characters of literal paths
 * encoded, and some have a meaning to it, but it decodes parameters: agencies with such characters share one parameter.
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

function registerAgency(app: FastifyInstance, base: string, context: RunRoutes, resumeAgui: Resume | undefined): void {
  const { services, agencyOf } = context
  const { native, agui } = services.dialects
  app.get(`${base}/get_metadata`, async (request, reply) => {
    const answer: Metadata = {
      ...describeAgency(agencyOf(request).preview),
      agency_swarm_version: WIRE_VERSION,
      allowed_local_file_dirs: await services.files.directories(),
    }
    return sendJson(reply, 200, answer)
  })
  registerRuns(app, base, context)
  registerSteering(app, base, context)
  registerThreads(app, base, context)
  registerTickets(app, base, context)
  const path = `${base}/get_response_stream`
  if (agui !== undefined) {
    const before = resumeAgui?.bind(undefined, context)
    registerStream(app, services, { path, agencyOf, dialect: agui, before })
    return
  }
  registerStream(app, services, { path, agencyOf, dialect: native })
  registerAnswer(app, services, { path: `${base}/get_response`, agencyOf, dialect: native })
  app.post(`${base}/cancel_response_stream`, async (request, reply) => {
    const owner = await runnerOwnerOf(services, request, agencyOf(request))
    const { run_id, cancel_mode } = parseCancelRequest(request.body)
    const mode = cancel_mode ?? 'immediate'
    const { newMessages } = await cancelRun(services, { runId: run_id, owner, mode, waitMs: CANCEL_WAIT_MS })
    const ended = newMessages !== undefined
    const new_messages = newMessages ?? []
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

interface RunRoute<Body> {
  path: string
  agencyOf: AgencyOf
  dialect: Dialect<Body>
  /** Answers requests that start no run; false for any other. */
  before?: ((request: FastifyRequest, reply: FastifyReply, body: Body) => Promise<boolean>) | undefined
}

/** An endpoint that streams the events of a run in one protocol. */
function registerStream<Body>(app: FastifyInstance, services: Services, route: RunRoute<Body>): void {
  const { path, agencyOf, dialect, before } = route
  app.post(path, async (request, reply) => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const owner = await runnerOwnerOf(services, request, served)
    const body = await dialect.read(request.body, served)
    if ((await before?.(request, reply, body)) === true) return
    let run: Run
    try {
      const order = dialect.toRunRequest(body, served)
      run = await startRun(services, { served, request: order, reply, streaming: true, owner })
    } catch (error) {
      if (!AgencyError.isInstance(error)) throw error
      const frames = dialect.refuse({ code: error.code, message: services.redact(error.message) }, body)
      if (frames === undefined) throw error
      return writeFrames(reply, frames)
    }
    await writeStream(services, reply, run, dialect.writer(body))
  })
}

/** The endpoint that answers with the result of a run. */
function registerAnswer(app: FastifyInstance, services: Services, route: RunRoute<AgencyRequest>): void {
  const { path, agencyOf, dialect } = route
  app.post(path, async (request, reply) => {
    const served = agencyOf(request)
    if (services.stopping()) throw shuttingDown()
    const owner = await runnerOwnerOf(services, request, served)
    const body = await dialect.read(request.body, served)
    try {
      const run = await startRun(services, { served, request: body, reply, streaming: false, owner })
      const summary = await run.done
      const { failure, error } = summary
      if (AgencyError.isInstance(error) && error.statusCode === 503) throw error // another server may take it
      if (failure !== undefined) return sendJson(reply, 500, { error: failure })
      return sendJson(reply, 200, toResponseBody(summary))
    } catch (error) {
      if (!AgencyError.isInstance(error) || error.code !== 'FILE_FAILED') throw error
      services.telemetry?.refused(error.code)
      return sendJson(reply, 200, { error: services.redact(error.message) }) // with this status in the original
    }
  })
}

const METADATA: Endpoint = {
  path: '/get_metadata',
  method: 'get',
  id: 'get_metadata',
  operation: { summary: 'The agency as a graph', responses: { 200: answerOf('Agents, tools and flows.', 'Metadata') } },
}
const RESPONSE: Endpoint = {
  path: '/get_response',
  method: 'post',
  id: 'get_response',
  operation: {
    summary: 'Run the agency and return its answer',
    requestBody: bodyOf('ModifiedRequest', { message: 'Hello' }),
    responses: {
      200: answerOf(
        'The answer, or the reason why the files of the request could not be attached.',
        'AgencyResponse',
        'Failure',
      ),
      ...BODY_REFUSALS,
      500: answerOf('The run failed.', 'Failure'),
    },
  },
}
const RESPONSE_STREAM: Endpoint = {
  path: '/get_response_stream',
  method: 'post',
  id: 'get_response_stream',
  operation: {
    summary: 'Run the agency and stream its events',
    requestBody: bodyOf('ModifiedRequest', { message: 'Hello' }),
    responses: {
      200: streamOf(
        'Server-sent events: `meta` with the run_id, then the events of the agents (texts are in `data.data.delta`), then `messages` with the new messages, then `end`. When files cannot be attached: one error, then `end`.',
        'StreamFrame',
        { examples: STREAM_EXAMPLES },
      ),
      ...BODY_REFUSALS,
      500: NOT_STARTED,
    },
  },
}
const CANCEL: Endpoint = {
  path: '/cancel_response_stream',
  method: 'post',
  id: 'cancel_response_stream',
  operation: {
    summary: 'Cancel a streamed run',
    requestBody: bodyOf('CancelRequest', { run_id: RUN_ID, cancel_mode: 'immediate' }),
    responses: {
      200: answerOf('The run has ended, or is still ending after 60 s (`timed_out`).', 'CancelResponse'),
      404: answerOf('No such run is running.', 'Detail'),
      ...BODY_REFUSALS,
    },
  },
}

/** The endpoints of one agency, with paths below the agency's own. */
export function operations({ dialects, stored }: Pick<Services, 'dialects' | 'stored'>): Operations {
  const runs = describeRuns(stored.traces)
  const own =
    dialects.agui === undefined
      ? {
          schemas: [agencyRequestSchema, cancelRequest, agencyResponse, ...streamSchemas, cancelResponse],
          endpoints: [RESPONSE, RESPONSE_STREAM, CANCEL],
        }
      : aguiOperations
  return {
    schemas: [...new Set([...own.schemas, ...runs.schemas, metadata])],
    endpoints: [METADATA, ...own.endpoints, ...runs.endpoints],
  }
}
