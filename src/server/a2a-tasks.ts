/** Stored runs as the tasks of A2A: start, read, list, follow, stop, and answer what they wait for. */
import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ANSWER_LIMITS, MAX_MS } from '../base/limits.ts'
import type { A2aOptions } from '../dialects/a2a/card.ts'
import { A2aRefusal } from '../dialects/a2a/errors.ts'
import { readDecisions, toRunRequest, toTaskParts } from '../dialects/a2a/input.ts'
import { CONTEXT, changedAt, stateOf, type TaskParts, taskIdOf, toQuestion, toTask } from '../dialects/a2a/task.ts'
import { TaskView } from '../dialects/a2a/task-view.ts'
import type { Answers } from '../dialects/a2a/versions.ts'
import type { Owned, RunId, RunRecord } from '../runs/run-store.ts'
import type { StoredOrder } from '../runs/stored/order.ts'
import type { A2aMessage, ListParams, SendParams, Task, TaskArtifact, TaskMessage, TaskParams } from '../wire/a2a.ts'
import type { FrameText } from '../wire/sse.ts'
import { catchCode } from './chat-thread.ts'
import { signalOf, writeEvents } from './event-stream.ts'
import { readUntilPause } from './pauses.ts'
import { idempotencyOf } from './run-requests.ts'
import type { RunRoutes } from './run-routes.ts'
import { traceContextOf } from './start-run.ts'

/** A run may wait for its turn before its own time begins, in milliseconds. */
const WAIT_MORE_MS = 60_000
const CANCEL_WAIT_MS = 10_000
const PAGE_SIZE = 50
/** Most runs that one page of a list looks at, when a filter leaves many out. */
const MAX_LOOKED_AT = 1_000

/** The events of a run are no longer kept. */
const ifKept = catchCode('EVENTS_EXPIRED')

export class Tasks {
  readonly #context: RunRoutes
  readonly #options: A2aOptions

  constructor(context: RunRoutes, options: A2aOptions) {
    this.#context = context
    this.#options = options
  }

  /** Starts the run that answers a message, or decides what a run waits for. @throws A2aRefusal, RequestInvalid */
  async send(request: FastifyRequest, owned: Owned, params: SendParams): Promise<RunRecord> {
    const { message, configuration } = params
    if (configuration?.taskPushNotificationConfig != null) throw noPushNotifications()
    return message.taskId ? this.#continue(owned, message) : this.#start(request, owned, params)
  }

  async #start(request: FastifyRequest, owned: Owned, params: SendParams): Promise<RunRecord> {
    const { runs, limits, services, agencyOf } = this.#context
    const served = agencyOf(request)
    const { contextId, messageId } = params.message
    const { rules } = services.stored
    const order = toRunRequest(params, { agents: served.preview.agentNames, allow: this.#options.allow ?? [], rules })
    const { max_turns: maxTurns, max_cost: maxCost, ...asked } = order
    const threadId = contextId || randomUUID()
    const { run } = await runs.start({
      ...owned,
      request: asked,
      thread: served.keepsThreads ? null : { threadId, ifNotExists: 'create', strategy: 'enqueue' },
      maxTurns,
      maxCost,
      metadata: { protocol: 'a2a', message_id: messageId, ...(served.keepsThreads && { [CONTEXT]: threadId }) },
      traceContext: services.telemetry && traceContextOf(request),
      idempotency: await idempotencyOf(request, limits),
    })
    return run
  }

  async #continue(owned: Owned, message: A2aMessage): Promise<RunRecord> {
    const { runs } = this.#context
    const run = await this.read(owned, message.taskId as string)
    if (message.contextId && message.contextId !== taskIdOf(run).contextId)
      throw new A2aRefusal('INVALID_PARAMS', 'message.contextId: the task is one of another context.')
    if (run.endedAt !== null)
      throw new A2aRefusal('UNSUPPORTED_OPERATION', 'The task has ended. Send the message without its taskId.')
    if (run.status !== 'requires_action')
      throw new A2aRefusal(
        'UNSUPPORTED_OPERATION',
        'The task is working, and takes no message. Send it with the contextId alone: it is answered after the task.',
      )
    if (this.#options.approvals === false)
      throw new A2aRefusal('UNSUPPORTED_OPERATION', 'The task waits for a decision that is made elsewhere.')
    const id = idOf(run)
    const pending = await this.#pending(run)
    let decided = run
    for (const { approval_id, ...decision } of readDecisions(message)) {
      const meant = pending.filter(({ approvalId }) => approval_id == null || approvalId === approval_id)
      if (meant.length === 0)
        throw new A2aRefusal('INVALID_PARAMS', `No call of the task waits with the approval_id "${approval_id}".`)
      for (const { approvalId } of meant) {
        // Somebody else may have been faster: the caller sees what came of it.
        const admitted = await runs
          .decide({ ...id, approvalId, decision: toDecision(decision) })
          .catch(catchCode('APPROVAL_DECIDED', 'APPROVAL_EXPIRED'))
        decided = admitted?.run ?? decided
      }
    }
    return decided
  }

  /** @throws NOT_FOUND */
  read(owned: Owned, runId: string): Promise<RunRecord> {
    return this.#context.runs.store.read({ kind: 'run', ...owned, runId })
  }

  /** The run once it has ended or waits for its caller; undefined when the caller has left. */
  async settled(reply: FastifyReply, run: RunRecord): Promise<RunRecord | undefined> {
    const { runs, limits } = this.#context
    const signal = signalOf(reply)
    const ended = await runs.wait(idOf(run), Math.min(limits.runMs + WAIT_MORE_MS, MAX_MS), signal)
    return signal.aborted ? undefined : ended
  }

  /** The task with its answer so far. @param historyLength messages of its history. Default: all */
  async describe(run: RunRecord, historyLength?: number | null): Promise<Task> {
    return toTask(run, {
      ...(await this.#questionOf(run)),
      artifacts: await this.#artifactsOf(run),
      history: await this.#historyOf(run, historyLength ?? Number.POSITIVE_INFINITY),
    })
  }

  async list(owned: Owned, params: ListParams) {
    const { contextId, status, pageToken, statusTimestampAfter, historyLength, includeArtifacts } = params
    const size = params.pageSize ?? PAGE_SIZE
    const [cursor, before = '0'] = pageToken ? pageToken.split('.') : []
    const since = statusTimestampAfter ? Date.parse(statusTimestampAfter) : 0
    const fits = (run: RunRecord) =>
      changedAt(run) >= since && (status == null || status === 'TASK_STATE_UNSPECIFIED' || stateOf(run) === status)
    const { found, next } = await this.#find({ ...owned, threadId: contextId || undefined }, { size, cursor, fits })
    const tasks: Task[] = []
    for (const run of found)
      tasks.push(
        toTask(run, {
          ...(await this.#questionOf(run)),
          artifacts: includeArtifacts === true ? await this.#artifactsOf(run) : undefined,
          history: historyLength ? await this.#historyOf(run, historyLength) : undefined,
        }),
      )
    // Exact on the last page; before it, what is known so far.
    const totalSize = Number(before) + found.length
    return {
      tasks,
      nextPageToken: next === null ? '' : `${next}.${totalSize}`,
      pageSize: size,
      totalSize: next === null ? totalSize : totalSize + 1,
    }
  }

  /** Runs that fit, and the cursor after the last one that was looked at. */
  async #find(
    query: Owned & { threadId: string | undefined },
    { size, cursor, fits }: { size: number; cursor: string | undefined; fits: (run: RunRecord) => boolean },
  ): Promise<{ found: RunRecord[]; next: string | null }> {
    const found: RunRecord[] = []
    let next: string | null = cursor ?? null
    let lookedAt = 0
    do {
      const page: { data: RunRecord[]; next: string | null } = await this.#context.runs.store.read({
        kind: 'runs',
        ...query,
        limit: size - found.length,
        after: next,
      })
      found.push(...page.data.filter(fits))
      lookedAt += page.data.length
      next = page.next
    } while (next !== null && found.length < size && lookedAt < MAX_LOOKED_AT)
    return { found, next }
  }

  /** @throws NOT_FOUND, RUN_ENDED */
  async cancel(owned: Owned, runId: string): Promise<RunRecord> {
    const { endedAt } = await this.read(owned, runId)
    if (endedAt !== null) throw new A2aRefusal('TASK_NOT_CANCELABLE', 'The task has ended.')
    const { run } = await this.#context.runs.cancel({ ...owned, runId, mode: 'immediate', waitMs: CANCEL_WAIT_MS })
    return run
  }

  /** @throws A2aRefusal when there is nothing to follow */
  async subscribe(reply: FastifyReply, owned: Owned, { id }: TaskParams, answers: Answers): Promise<undefined> {
    const run = await this.read(owned, id)
    if (run.endedAt !== null)
      throw new A2aRefusal('UNSUPPORTED_OPERATION', 'The task has ended. GetTask has its result.')
    return this.stream(reply, run, answers)
  }

  /** Answers with the task as it is, then with what comes, up to its end or until it waits for its caller. */
  async stream(
    reply: FastifyReply,
    run: RunRecord,
    answers: Answers,
    historyLength?: number | null,
  ): Promise<undefined> {
    const { runs, services } = this.#context
    const { events, end } = readUntilPause(runs, idOf(run), signalOf(reply))
    const view = new TaskView({ ...taskIdOf(run), state: stateOf(run), toFrame: answers.frame, now: Date.now })
    const known = {
      ...(await this.#questionOf(run)),
      history: await this.#historyOf(run, historyLength ?? Number.POSITIVE_INFINITY),
    }
    const told = () => answers.frame({ task: toTask(run, { ...known, artifacts: view.artifacts }) })
    const question = async () => {
      const { question = [] } = await this.#questionOf(await this.read(idOf(run), run.runId))
      return view.status('TASK_STATE_INPUT_REQUIRED', question)
    }
    async function* frames(): AsyncGenerator<FrameText> {
      let isTold = run.lastEventId === 0
      if (isTold) yield told()
      for await (const batch of events) {
        const later = isTold ? batch : batch.filter(({ number }) => number > run.lastEventId)
        if (!isTold) view.frames(batch.filter(({ number }) => number <= run.lastEventId))
        if (!isTold && (batch.at(-1)?.number ?? 0) >= run.lastEventId) {
          isTold = true
          yield told()
        }
        yield view.frames(later)
      }
      if (end() === 'paused') yield await question()
    }
    await writeEvents(services, reply, frames(), (text) => text)
    return undefined
  }

  async #pending(run: RunRecord) {
    const query = { status: 'pending' as const, limit: ANSWER_LIMITS.calls }
    return (await this.#context.runs.store.read({ kind: 'approvals', ...idOf(run), ...query })).data
  }

  async #questionOf(run: RunRecord): Promise<Pick<TaskParts, 'question'>> {
    if (run.status !== 'requires_action') return {}
    return { question: toQuestion(await this.#pending(run), this.#options.approvals !== false) }
  }

  /** What the run has answered; its final answer alone when its events are no longer kept. */
  async #artifactsOf(run: RunRecord): Promise<TaskArtifact[]> {
    const view = new TaskView({ ...taskIdOf(run), state: stateOf(run), toFrame: () => '', now: Date.now })
    try {
      for await (const batch of this.#context.runs.replay(idOf(run), run.lastEventId)) view.frames(batch)
      return view.artifacts
    } catch (error) {
      ifKept(error)
      const answer = run.outcome?.response
      if (answer == null) return []
      return [{ artifactId: 'artifact-1', parts: [typeof answer === 'string' ? { text: answer } : { data: answer }] }]
    }
  }

  /** The message that the run answers; undefined when it is not asked for, or no longer kept. */
  async #historyOf(run: RunRecord, length: number): Promise<TaskMessage[] | undefined> {
    if (length === 0) return undefined
    const work = await this.#context.runs.store.read({ kind: 'work', ...idOf(run) }).catch(ifKept)
    const order = work?.plan as Partial<StoredOrder> | undefined
    if (order?.request === undefined) return undefined
    const { message, file_urls } = order.request
    const files = Object.entries(file_urls ?? {}).map(([filename, url]) => ({ url, filename }))
    const messageId = run.metadata.message_id ?? `${run.runId}-message`
    return [{ messageId, ...taskIdOf(run), role: 'ROLE_USER', parts: [...toTaskParts(message), ...files] }]
  }
}

export const noPushNotifications = () =>
  new A2aRefusal('PUSH_NOTIFICATION_NOT_SUPPORTED', 'This server sends no push notifications.')

const idOf = ({ agency, owner, runId }: RunRecord): RunId => ({ agency, owner, runId })

const toDecision = ({ decision, arguments: edited, reason }: ReturnType<typeof readDecisions>[number]) =>
  decision === 'approve'
    ? { kind: 'approve' as const, ...(edited == null ? {} : { arguments: edited }) }
    : { kind: 'reject' as const, ...(reason == null ? {} : { reason }) }
