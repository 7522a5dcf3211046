import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { copyContext } from '../../agency/context.ts'
import { describeAgency } from '../../agency/metadata.ts'
import { createNativeDialect, toResponseBody } from '../../dialects/native.ts'
import { AgencyError, errorText, shuttingDown } from '../../errors.ts'
import type { Run } from '../../runs/hub.ts'
import { planRun } from '../../runs/plan.ts'
import type { ServedAgency, Services } from '../../services.ts'
import { parseAgencyRequest, parseCancelRequest, secretsOf } from '../../wire/requests.ts'
import { sendJson } from '../error-handler.ts'
import { LOG_HEADER, runListener, writeEnd } from '../request-log.ts'

/** Clients gate on it: the version of the original whose wire is spoken. */
const WIRE_VERSION = '1.11.0'
const CANCEL_WAIT_MS = 60_000

const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  connection: 'keep-alive',
  'x-accel-buffering': 'no',
}

type CorsHeaders = (origin: string | undefined) => { [name: string]: string }
type AgencyOf = (request: FastifyRequest) => ServedAgency

/** The four endpoints of every agency. `corsHeaders` are for the stream, which is written past Fastify. */
export function registerAgencies(app: FastifyInstance, services: Services, corsHeaders: CorsHeaders): void {
  const bySegment = new Map(services.agencies.map((served) => [decodeURIComponent(served.path), served]))
  const odd: string[] = []
  for (const [segment, served] of bySegment) {
    if (ROUTER_RESERVED.test(segment)) odd.push(escapeForRegExp(segment))
    else registerAgency(app, services, `/${segment}`, () => served, corsHeaders)
  }
  // The router leaves reserved characters encoded in literal paths and gives some a meaning; a parameter it decodes.
  const named: AgencyOf = (request) => bySegment.get((request.params as { agency: string }).agency) as ServedAgency
  if (odd.length > 0) registerAgency(app, services, `/:agency(^(?:${odd.join('|')})$)`, named, corsHeaders)
}

const ROUTER_RESERVED = /[;/?:@&=+$,#%*()]/
const escapeForRegExp = (text: string) =>
  text.replace(/[^\p{L}\d_ -]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

function registerAgency(
  app: FastifyInstance,
  services: Services,
  base: string,
  agencyOf: AgencyOf,
  corsHeaders: CorsHeaders,
): void {
  const { hub, models, maxTurns } = services

  const start = async (httpRequest: FastifyRequest, streaming: boolean): Promise<Run> => {
    const served = agencyOf(httpRequest)
    if (services.stopping()) throw shuttingDown()
    const request = parseAgencyRequest(httpRequest.body, served.preview.agentNames)
    const agency = await served.make({ loadThreads: () => request.chat_history, saveThreads: () => {} })
    const write = services.requestLog?.writer(httpRequest.headers[LOG_HEADER])
    const plan = planRun(agency, await models.provider(request.client_config), {
      message: request.message,
      history: await load(agency.loadThreads, request.chat_history),
      recipient: request.recipient_agent,
      additionalInstructions: request.additional_instructions,
      userContext: { ...copyContext(agency.userContext), ...request.user_context },
      secrets: secretsOf(request.client_config),
      hooks: write === undefined ? undefined : runListener(write),
      streaming,
      maxTurns,
    })
    const run = hub.start(plan, served)
    if (write !== undefined) void run.done.then((summary) => writeEnd(write, summary))
    return run
  }

  app.get(`${base}/get_metadata`, async (request, reply) =>
    sendJson(reply, 200, {
      ...describeAgency(agencyOf(request).preview),
      agency_swarm_version: WIRE_VERSION,
      allowed_local_file_dirs: null,
    }),
  )

  app.post(`${base}/get_response`, async (request, reply) => {
    const run = await start(request, false)
    const release = abandonWhenGone(reply, () => hub.abandon(run.id))
    const summary = await run.done.finally(release)
    if (summary.failure !== undefined) return sendJson(reply, 500, { error: summary.failure })
    return sendJson(reply, 200, toResponseBody(summary))
  })

  app.post(`${base}/get_response_stream`, async (request, reply) => {
    const run = await start(request, true)
    await writeStream(services, request, reply, run, corsHeaders(request.headers.origin))
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

/** A store that fails must not fail the request that asked for the history it brought itself. */
async function load(
  loadThreads: ServedAgency['preview']['loadThreads'],
  sent: Awaited<ReturnType<typeof parseAgencyRequest>>['chat_history'],
) {
  const loaded = loadThreads === undefined ? sent : await loadThreads()
  return Array.isArray(loaded) ? loaded : sent
}

/** Calls back when the client hangs up before the answer is out; watched on the response, which also sees it after the body was read. */
function abandonWhenGone(reply: FastifyReply, abandon: () => void): () => void {
  const onClose = () => {
    if (!reply.raw.writableFinished) abandon()
  }
  reply.raw.on('close', onClose)
  return () => reply.raw.off('close', onClose)
}

async function writeStream(
  services: Services,
  request: FastifyRequest,
  reply: FastifyReply,
  run: Run,
  cors: { [name: string]: string },
) {
  const dialect = createNativeDialect(services.streamScalars)
  const out = reply.raw
  reply.hijack()
  const release = abandonWhenGone(reply, () => services.hub.abandon(run.id))
  out.writeHead(200, { ...SSE_HEADERS, ...cors })
  const writer = new TurnWriter(out)
  const heartbeat = setInterval(() => {
    if (!writer.wrote && !out.writableNeedDrain) out.write(': keepalive\n\n')
    writer.wrote = false
  }, services.heartbeatMs)
  try {
    writer.push(dialect.meta(run.id))
    for await (const events of run.events ?? []) {
      writer.push(dialect.frames(events))
      if (out.writableNeedDrain && !(await drained(out))) break
    }
    writer.end(dialect.end(run.id, await run.done))
  } catch (error) {
    services.hub.abandon(run.id)
    request.log.error(error instanceof AgencyError ? error : errorText(error))
    out.destroy()
  } finally {
    clearInterval(heartbeat)
    if (out.writableEnded) out.once('finish', release)
    else release()
  }
}

/** How much may gather for one write. */
const WRITE_CHARS = 65_536

/** Gathers what is said within one turn of the event loop into one write: a chunk of the model's is a chunk of ours. */
class TurnWriter {
  wrote = false
  #pending = ''
  readonly #out: NodeJS.WritableStream

  constructor(out: NodeJS.WritableStream) {
    this.#out = out
  }
  push(text: string): void {
    if (this.#pending === '') setImmediate(() => this.#flush())
    this.#pending += text
    if (this.#pending.length > WRITE_CHARS) this.#flush()
  }
  end(text: string): void {
    this.#out.end(this.#pending + text)
    this.#pending = ''
  }
  #flush(): void {
    if (this.#pending === '') return
    this.wrote = true
    this.#out.write(this.#pending)
    this.#pending = ''
  }
}

/** True when the socket takes more, false when it is gone. */
function drained(out: NodeJS.WritableStream & { destroyed?: boolean }): Promise<boolean> {
  if (out.destroyed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const done = (open: boolean) => {
      out.off('drain', onDrain)
      out.off('close', onClose)
      resolve(open)
    }
    const onDrain = () => done(true)
    const onClose = () => done(false)
    out.on('drain', onDrain)
    out.on('close', onClose)
  })
}
