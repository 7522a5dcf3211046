/** `/v1/responses`: runs, ephemeral or stored, as responses. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { AgencyError, notFound, responseNotFound } from '../../base/errors.ts'
import { shuttingDown } from '../../base/request-errors.ts'
import type { ModelTarget } from '../../dialects/openai/models.ts'
import {
  conversationOf,
  createResponse,
  readEcho,
  readResponseId,
  responseIdOf,
  toEcho,
  toMetadata,
  toResponseId,
} from '../../dialects/openai/response-object.ts'
import {
  type ApprovalAnswer,
  type Earlier,
  readApprovals,
  toAgencyRequest,
} from '../../dialects/openai/responses-input.ts'
import { ResponseWriter } from '../../dialects/openai/responses-writer.ts'
import type { RunId, RunRecord } from '../../runs/run-store.ts'
import { createDecoder, type NumberedEvent } from '../../runs/stored/events.ts'
import type { StoredOrder } from '../../runs/stored/order.ts'
import type { Services } from '../../services.ts'
import type { InputItem, StoredMessage } from '../../wire/message.ts'
import { refuse } from '../../wire/openai.ts'
import {
  type OpenAiResponse,
  parseResponseRequest,
  type ResponseInputItem,
  type ResponseRequest,
  responseQuery,
  withoutHostedTools,
} from '../../wire/openai-responses.ts'
import { parseQuery } from '../../wire/runs.ts'
import { sendJson } from '../error-handler.ts'
import { signalOf, writeEvents, writeStream } from '../event-stream.ts'
import { logIdOf } from '../request-log.ts'
import { idempotencyOf, ownerOf, runnerOwnerOf } from '../run-requests.ts'
import { CODED } from '../run-routes.ts'
import { startRun, traceContextOf } from '../start-run.ts'

const MAX_TIMER_MS = 2 ** 31 - 1
/** A run may wait for its turn before its own time begins. */
const WAIT_MORE_MS = 60_000
const CANCEL_WAIT_MS = 10_000

export interface ResponseRoutes {
  services: Services
  /** The agency that a model's name stands for. @throws NOT_FOUND */
  targetOf(model: string): ModelTarget
}

export function registerResponses(v1: FastifyInstance, { services, targetOf }: ResponseRoutes): void {
  const responses = new Responses(services)

  v1.post('/responses', CODED, async (request, reply) => {
    if (services.stopping()) throw shuttingDown()
    const given = services.doors.openai?.ignoresHostedTools === true ? withoutHostedTools(request.body) : request.body
    const sent = parseResponseRequest(given, services.requestRules)
    checkState(sent)
    const target = targetOf(sent.model)
    const body = await responses.withReferences(request, sent)
    const approvals = readApprovals(body)
    if (approvals !== undefined) return responses.decide(request, reply, body, approvals)
    return body.store === false
      ? responses.runOnce(request, reply, body, target)
      : responses.run(request, reply, body, target)
  })

  v1.get('/responses/:id', CODED, async (request, reply) => {
    const { stream, starting_after: after } = parseQuery(responseQuery, request.query)
    const id = await responses.idOf(request)
    const record = await responses.read(id)
    if (stream === 'true') return responses.stream(reply, record, { after })
    return sendJson(reply, 200, await responses.describe(record))
  })

  v1.post('/responses/:id/cancel', CODED, async (request, reply) => {
    const id = await responses.idOf(request)
    const record = await responses.read(id)
    if (readEcho(record.metadata)?.background !== true)
      refuse(['response_id'], 'only a response with background: true can be cancelled')
    return sendJson(reply, 200, await responses.cancel(record))
  })

  v1.delete('/responses/:id', CODED, async (request, reply) => {
    const id = await responses.idOf(request)
    await responses.read(id)
    await services.stored.runs.store.write({ kind: 'deleteRun', ...id })
    const { id: named } = request.params as { id: string }
    return sendJson(reply, 200, { id: named, object: 'response', deleted: true })
  })
}

/** @throws RequestInvalid for fields that exclude each other */
function checkState(body: ResponseRequest): void {
  const conversation = conversationOf(body)
  if (conversation !== undefined && body.previous_response_id != null)
    refuse(['previous_response_id'], 'a response continues another one or a conversation, not both')
  if (body.store !== false) return
  if (body.background === true) refuse(['background'], 'a background response is stored; leave out store: false')
  if (conversation !== undefined)
    refuse(['conversation'], 'a response of a conversation is stored; leave out store: false')
}

class Responses {
  readonly #services: Services

  constructor(services: Services) {
    this.#services = services
  }

  get #runs() {
    return this.#services.stored.runs
  }

  /** The run that the path names. @throws NOT_FOUND, NOT_IDENTIFIED */
  idOf(request: FastifyRequest): Promise<RunId> {
    return this.#toRunId(request, (request.params as { id: string }).id)
  }

  async #toRunId(request: FastifyRequest, responseId: string): Promise<RunId> {
    const owner = await ownerOf(this.#services.stored.identify, request)
    const found = readResponseId(this.#services.agencies, responseId)
    if (found === undefined) throw responseNotFound(responseId)
    return { ...found, owner }
  }

  /** @throws NOT_FOUND */
  async read(id: RunId): Promise<RunRecord> {
    const record = await this.#runs.store.read({ kind: 'run', ...id })
    if (readEcho(record.metadata) === undefined) throw notFound('run')
    return record
  }

  /** The request with the items of earlier responses in place of references to them. @throws RequestInvalid for an unknown one */
  async withReferences(request: FastifyRequest, body: ResponseRequest): Promise<ResponseRequest> {
    if (typeof body.input === 'string') return body
    const outputs = new Map<string, OpenAiResponse['output']>()
    const input: ResponseInputItem[] = []
    for (const [index, item] of body.input.entries()) {
      if (item.type !== 'item_reference') {
        input.push(item)
        continue
      }
      const responseId = responseIdOf(item.id) ?? ''
      const output = outputs.get(responseId) ?? (await this.#outputOf(request, responseId))
      outputs.set(responseId, output)
      const found = output.find(({ id }) => id === item.id)
      input.push(found ?? refuse(['input', index, 'id'], 'no kept response has this item; send the item itself'))
    }
    return { ...body, input }
  }

  /** The output of a kept response; empty when there is none. */
  async #outputOf(request: FastifyRequest, responseId: string): Promise<OpenAiResponse['output']> {
    try {
      return (await this.describe(await this.read(await this.#toRunId(request, responseId)))).output
    } catch (error) {
      if (!AgencyError.isInstance(error) || error.code !== 'NOT_FOUND') throw error
      return []
    }
  }

  /** A response that is not kept: its client's leaving ends it. */
  async runOnce(request: FastifyRequest, reply: FastifyReply, body: ResponseRequest, target: ModelTarget) {
    const services = this.#services
    const { served } = target
    const order = toAgencyRequest(body, target, await this.#earlierOf(request, body, target))
    const owner = await runnerOwnerOf(services, request, served)
    const run = await startRun(services, { served, request: order, reply, streaming: true, owner })
    reply.header('x-request-id', run.id)
    const response = createResponse(toResponseId({ runId: run.id, agency: served.path }), Date.now(), toEcho(body))
    if (body.stream === true) return writeStream(services, reply, run, new ResponseWriter({ response }))
    const writer = new ResponseWriter({ response, after: Number.POSITIVE_INFINITY })
    for await (const batch of run.events ?? []) writer.frames(batch)
    await run.done
    return sendJson(reply, 200, writer.response)
  }

  /** A response that is kept. */
  async run(request: FastifyRequest, reply: FastifyReply, body: ResponseRequest, target: ModelTarget) {
    const { served } = target
    const owner = await ownerOf(this.#services.stored.identify, request)
    const echo = toEcho(body)
    const threadId = conversationOf(body)
    const { run: record } = await this.#runs.start({
      agency: served.path,
      owner,
      request: toAgencyRequest(body, target, await this.#earlierOf(request, body, target)),
      thread: threadId === undefined ? null : { threadId, ifNotExists: 'create', strategy: 'reject' },
      metadata: toMetadata(echo),
      unreadMs: body.stream === true && body.background !== true ? 0 : null,
      traceContext: this.#services.telemetry && traceContextOf(request),
      logId: logIdOf(request),
      idempotency: await idempotencyOf(request, this.#services.limits),
    })
    return this.#answer(reply, record, body)
  }

  /** Decides what a run waits for; the rest of it is the answer. */
  async decide(request: FastifyRequest, reply: FastifyReply, body: ResponseRequest, approvals: ApprovalAnswer[]) {
    const id = await this.#previousOf(request, body)
    const { lastEventId: since } = await this.read(id)
    let record: RunRecord | undefined
    for (const { approvalId, approve, reason } of approvals) {
      const decision = approve ? { kind: 'approve' as const } : { kind: 'reject' as const, ...(reason && { reason }) }
      record = (await this.#runs.decide({ ...id, approvalId, decision })).run
    }
    return this.#answer(reply, record as RunRecord, body, since)
  }

  async #answer(reply: FastifyReply, record: RunRecord, body: ResponseRequest, since?: number) {
    reply.header('x-request-id', record.runId)
    const background = body.background === true
    if (body.stream === true) return this.stream(reply, record, { since })
    if (background) return sendJson(reply, 200, await this.describe(record))
    const signal = signalOf(reply)
    const { runMs } = this.#services.limits
    const ended = await this.#runs.wait(idOf(record), Math.min(runMs + WAIT_MORE_MS, MAX_TIMER_MS), signal)
    if (signal.aborted) this.#stop(record)
    return sendJson(reply, 200, await this.describe(ended, since))
  }

  #stop(record: RunRecord): void {
    void this.#runs.cancel({ ...idOf(record), mode: 'immediate', waitMs: 0 }).catch(() => {}) // it may have ended
  }

  /** The response of a cancelled run, also when it had been cancelled before; of any other ended run as it is. */
  async cancel(record: RunRecord): Promise<OpenAiResponse> {
    if (record.endedAt !== null) return this.describe(record)
    const { run } = await this.#runs
      .cancel({ ...idOf(record), mode: 'immediate', waitMs: CANCEL_WAIT_MS })
      .catch(async (error: unknown) => {
        if (AgencyError.isInstance(error) && error.code === 'RUN_ENDED') return { run: await this.read(record) }
        throw error
      })
    return { ...(await this.describe(run)), status: run.endedAt === null ? 'in_progress' : statusOf(run) }
  }

  /** The stream of a response: replayed after an event, then live. */
  async stream(
    reply: FastifyReply,
    record: RunRecord,
    { after, since }: { after?: number | undefined; since?: number | undefined },
  ): Promise<undefined> {
    const runs = this.#runs
    await runs.store.read({ kind: 'events', ...idOf(record), after: 0, limit: 1 }) // 410 while there is still a status to send
    const writer = new ResponseWriter({ response: await this.#begin(record), after, since })
    const leave = runs.readers.join(idOf(record), record.unreadMs)
    const signal = signalOf(reply)
    try {
      const source = this.#untilPause(record, since, signal)
      await writeEvents(this.#services, reply, source, (events) =>
        events === 'paused' ? writer.pause() : writer.framesOf(events),
      )
    } finally {
      leave(!signal.aborted)
    }
    return undefined
  }

  /** The events of a run up to its end, or to the moment when it waits for approvals. */
  async *#untilPause(
    record: RunRecord,
    since = 0,
    signal: AbortSignal,
  ): AsyncGenerator<readonly NumberedEvent[] | 'paused'> {
    const pause = new AbortController()
    const { runMs } = this.#services.limits
    let watching = false
    let last = 0
    const until = AbortSignal.any([signal, pause.signal])
    for await (const events of this.#runs.follow(idOf(record), 0, until)) {
      last = events.at(-1)?.number ?? last
      yield events
      if (watching || !events.some(({ number, event }) => event.kind === 'requires_action' && number > since)) continue
      watching = true
      const waited = this.#runs.wait(idOf(record), Math.min(runMs + WAIT_MORE_MS, MAX_TIMER_MS), until)
      void waited.then(({ status }) => status === 'requires_action' && pause.abort()).catch(() => {}) // follow reports it
    }
    if (!pause.signal.aborted) return
    yield* this.#pages(record, last)
    yield 'paused'
  }

  /** The stored events of a run after a number. */
  async *#pages(record: RunRecord, after: number): AsyncGenerator<readonly NumberedEvent[]> {
    const decode = createDecoder()
    for (let last = after; ; ) {
      const { events } = await this.#runs.store.read({ kind: 'events', ...idOf(record), after: last, limit: 500 })
      if (events.length === 0) return
      yield await decode(events)
      last = events.at(-1)?.number ?? last
    }
  }

  /** The response of a stored run, without output. */
  async #begin(record: RunRecord): Promise<OpenAiResponse> {
    const echo = readEcho(record.metadata)
    if (echo === undefined) throw notFound('run')
    return createResponse(toResponseId(record), record.createdAt, echo)
  }

  /** A stored run as a response. Its output is there when it has ended or waits for approvals. */
  async describe(record: RunRecord, since?: number): Promise<OpenAiResponse> {
    const response = await this.#begin(record)
    if (record.status === 'queued' || record.status === 'in_progress') return { ...response, status: record.status }
    const writer = new ResponseWriter({ response, after: Number.POSITIVE_INFINITY, since })
    try {
      for await (const events of this.#pages(record, 0)) writer.framesOf(events)
    } catch (error) {
      if (!AgencyError.isInstance(error) || error.code !== 'EVENTS_EXPIRED') throw error
      return { ...response, status: statusOf(record), output: keptOutput(response.id, record) }
    }
    return { ...writer.response, status: statusOf(record) }
  }

  /** @throws RequestInvalid when there is no such response */
  async #previousOf(request: FastifyRequest, { previous_response_id: previous }: ResponseRequest): Promise<RunId> {
    if (previous == null) return refuse(['previous_response_id'], 'decisions name the response that asked for them')
    try {
      const id = await this.#toRunId(request, previous)
      await this.read(id)
      return id
    } catch (error) {
      if (!AgencyError.isInstance(error) || error.code !== 'NOT_FOUND') throw error
      throw responseNotFound(previous, 'previous')
    }
  }

  /** What a request continues; undefined for a beginning. @throws RequestInvalid */
  async #earlierOf(
    request: FastifyRequest,
    body: ResponseRequest,
    { served }: ModelTarget,
  ): Promise<Earlier | undefined> {
    const conversation = conversationOf(body)
    if (conversation !== undefined) {
      const owner = await ownerOf(this.#services.stored.identify, request)
      const query = { agency: served.path, owner, threadId: conversation, limit: 1 }
      const [last] = (await this.#runs.store.read({ kind: 'runs', ...query })).data
      return { history: [], calls: callsOf(last) }
    }
    if (body.previous_response_id == null) return undefined
    const id = await this.#previousOf(request, body)
    if (id.agency !== served.path) refuse(['previous_response_id'], 'that response is one of another agency')
    const record = await this.read(id)
    if (record.endedAt === null) refuse(['previous_response_id'], 'that response has not ended')
    const work = await this.#runs.store.read({ kind: 'work', ...id })
    const { request: sent } = work.plan as unknown as Partial<StoredOrder>
    if (sent === undefined) throw responseNotFound(body.previous_response_id, 'previous')
    const before = work.history.length > 0 ? work.history : sent.chat_history
    const added = (record.outcome?.new_messages ?? []) as StoredMessage[]
    return { history: [...before, ...added], calls: callsOf(record) }
  }
}

const idOf = ({ agency, owner, runId }: RunRecord): RunId => ({ agency, owner, runId })

const callsOf = (record: RunRecord | undefined): readonly InputItem[] =>
  (record?.outcome?.client_calls ?? []) as InputItem[]

/** A run that waits for approvals has said what it has to say until then. */
const statusOf = ({ status }: RunRecord): OpenAiResponse['status'] =>
  status === 'requires_action' ? 'completed' : status

/** The answer of a run whose events are no longer kept. */
function keptOutput(id: string, { outcome }: RunRecord): OpenAiResponse['output'] {
  const answer = outcome?.response
  if (answer == null) return []
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer)
  const content = [{ type: 'output_text', text, annotations: [], logprobs: [] }]
  return [{ id: id.replace(/^resp/, 'msg'), type: 'message', role: 'assistant', status: 'completed', content }]
}
