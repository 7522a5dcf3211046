/** The runs, approvals and threads of one agency, as resources that the server keeps. */
import type { StoredMessage } from '../wire/message.ts'
import type { ThreadChange, ThreadRequest } from '../wire/runs.ts'
import type { TraceAnswer } from '../wire/traces.ts'
import type { Message } from './answers.ts'
import { asRequest } from './conversation.ts'
import { FollowedRun, type RunRequests } from './followed-run.ts'
import type { CallOptions, Connection } from './http.ts'
import { createListing, type Listing, withQuery } from './listing.ts'
import { Retries } from './retries.ts'
import type {
  Approval,
  ContinueBody,
  PauseBody,
  Run,
  RunCancelAnswer,
  RunMessage,
  SteerBody,
  SteerReceipt,
  Thread,
  Webhook,
} from './run-answers.ts'
import type {
  ApprovalFilter,
  ApproveOptions,
  CancelOptions,
  ChangeOptions,
  FollowOptions,
  PageOptions,
  RejectOptions,
  RunFilter,
  WebhookFilter,
} from './run-options.ts'
import { type Trace, toTrace } from './run-trace.ts'

/** The runs of an agency. Every method that sends a request rejects with a ClientError, with the server's `code`. */
export interface RunsClient<Answer = unknown> {
  /** Starts a run and resolves when the server has stored it. */
  start(message: RunMessage, options?: ChangeOptions): Promise<Run<Answer>>
  /**
   * Starts a run and follows its events. Sends the request at once.
   *
   * @example
   * ```ts
   * import { createClient } from 'agency-swarm-js/client'
   *
   * const { runs } = createClient({ baseUrl: 'http://localhost:8000' }).agency('my_agency')
   * const stream = runs.stream({ message: 'Hello', thread_id: 't-1' })
   * for await (const event of stream) if (event.kind === 'text') console.log(stream.view.text)
   * console.log((await stream.result()).status)
   * ```
   */
  stream(message: RunMessage, options?: FollowOptions & { idempotencyKey?: string }): FollowedRun<Answer>
  /** Follows a run, from its first event or from the one after number `after`. Connects at once. */
  events(runId: string, options?: FollowOptions & { after?: number }): FollowedRun<Answer>
  /** A run. With `wait`, answers when it has ended or waits for a decision, or after this many seconds, at most 60. */
  get(runId: string, options?: CallOptions & { wait?: number }): Promise<Run<Answer>>
  /**
   * What took place in a run, also in one that goes on: agents, model calls with what was sent and what came back, tool calls. The
   * server keeps traces with its option `traces`.
   */
  trace(runId: string, options?: CallOptions): Promise<Trace>
  /** The runs, newest first. */
  list(filter?: RunFilter & PageOptions, options?: CallOptions): Listing<Run<Answer>>
  /** Stops a run and waits for its end. `settled` is false when it has not ended in time; it still ends. */
  cancel(runId: string, options?: CancelOptions & ChangeOptions): Promise<RunCancelAnswer>
  /** Starts a run from the request of one that has ended. The server keeps requests as long as events. */
  retry(runId: string, options?: ChangeOptions): Promise<Run<Answer>>
  /** Lets a call run that waits for a decision. */
  approve(runId: string, approvalId: string, options?: ApproveOptions): Promise<Run<Answer>>
  /** Refuses a call that waits for a decision. The run goes on. */
  reject(runId: string, approvalId: string, options?: RejectOptions): Promise<Run<Answer>>
  /**
   * Sends a message to an agent of a live run: the agent reads it as a message of the user before its next model call. The event
   * `steer` of the run says when, or why not.
   */
  steer(runId: string, message: SteerBody, options?: ChangeOptions): Promise<SteerReceipt>
  /** Lets an agent of a live run, or the whole run, wait at its next turn boundary, for a bounded time. */
  pause(runId: string, branch?: PauseBody, options?: ChangeOptions): Promise<Run<Answer>>
  /** Lets what was paused go on. */
  continue(runId: string, branch?: ContinueBody, options?: ChangeOptions): Promise<Run<Answer>>
  /** Forgets a run that has ended. Its messages stay in the thread. */
  delete(runId: string, options?: CallOptions): Promise<void>
}

/** The calls of an agency that wait, or waited, for a person. */
export interface ApprovalsClient {
  /** Pending approvals, or those with the status of the filter, oldest first. */
  list(filter?: ApprovalFilter & PageOptions, options?: CallOptions): Listing<Approval>
}

/** The webhooks of the runs of an agency. */
export interface WebhooksClient {
  /** Webhooks that wait, were sent or were given up, newest first. */
  list(filter?: WebhookFilter & PageOptions, options?: CallOptions): Listing<Webhook>
  /** Sends a webhook again, with all its attempts. */
  redrive(webhookId: string, options?: CallOptions): Promise<Webhook>
}

/** The conversations of an agency that the server keeps. Every method that sends a request rejects with a ClientError. */
export interface ThreadsClient<Answer = unknown> {
  /** Makes a thread. A run with a new `thread_id` makes one too. */
  create(thread?: ThreadRequest, options?: ChangeOptions): Promise<Thread>
  /** The threads, newest first. */
  list(page?: PageOptions, options?: CallOptions): Listing<Thread>
  get(threadId: string, options?: CallOptions): Promise<Thread>
  /**
   * Sets entries of its metadata and leaves the others as they are; null removes one. Pages call `title` what they show as the
   * name of a conversation.
   */
  update(threadId: string, change: ThreadChange, options?: CallOptions): Promise<Thread>
  /** Forgets a thread with its runs. */
  delete(threadId: string, options?: CallOptions): Promise<void>
  /** The messages, oldest first. */
  messages(threadId: string, page?: PageOptions, options?: CallOptions): Listing<StoredMessage>
  /** Follows the live run of a thread from its first event; undefined when no run is live. */
  stream(threadId: string, options?: FollowOptions): Promise<FollowedRun<Answer> | undefined>
}

/** @param base the path of the agency */
export function createRuns(connection: Connection, base: string): { runs: RunsClient; follow: Follow } {
  const path = (runId: string, rest = '') => `${base}/runs/${encodeURIComponent(runId)}${rest}`
  const change = createChange<Run>(connection)
  const decide = (runId: string, approvalId: string, decision: object, options: ChangeOptions) =>
    change(path(runId, `/approvals/${encodeURIComponent(approvalId)}`), decision, options)

  const follow: Follow = (options, { begin, ...from }) => {
    const { headers = {} } = options
    const requests: RunRequests = {
      begin,
      events: (runId, after, signal) =>
        connection.open({
          headers,
          signal,
          path: withQuery(path(runId, '/events'), { starting_after: after || undefined }),
        }),
      get: (runId, signal) => runs.get(runId, { headers, signal }),
      cancel: (runId, own) => runs.cancel(runId, { headers, ...own }),
      approve: (runId, approvalId, own) => runs.approve(runId, approvalId, { headers, ...own }),
      reject: (runId, approvalId, own) => runs.reject(runId, approvalId, { headers, ...own }),
    }
    return new FollowedRun({ requests, follow: options, ...from })
  }

  const runs: RunsClient = {
    start: (message, options = {}) => change(`${base}/runs`, asRunBody(message), options),
    stream(message, { idempotencyKey = createKey(), ...options } = {}) {
      const call = { ...withKey(options, idempotencyKey), path: `${base}/runs` }
      const body = { ...asRunBody(message), stream: true }
      let sent = false
      const begin = async (signal: AbortSignal) => {
        const isFirst = !sent
        sent = true
        const response = await connection.open({ ...call, body, signal })
        return { response, isNew: isFirst && response.headers.get('idempotent-replayed') === null }
      }
      return follow(options, { begin })
    },
    events: (runId, { after, ...options } = {}) => follow(options, { runId, after }),
    get: async (runId, { wait, ...call } = {}) =>
      (await connection.json({ ...call, path: withQuery(path(runId), { wait }) })) as Run,
    trace: async (runId, call = {}) =>
      toTrace((await connection.json({ ...call, path: path(runId, '/trace') })) as TraceAnswer),
    list: (filter = {}, call = {}) => createListing(connection, `${base}/runs`, { ...filter }, call),
    cancel: (runId, { mode, waitMs, ...options } = {}) =>
      createChange<RunCancelAnswer>(connection)(path(runId, '/cancel'), { mode, wait_ms: waitMs }, options),
    retry: (runId, options = {}) => change(path(runId, '/retry'), {}, options),
    approve: (runId, approvalId, { arguments: edited, ...options } = {}) =>
      decide(runId, approvalId, { decision: 'approve', arguments: edited }, options),
    reject: (runId, approvalId, { reason, ...options } = {}) =>
      decide(runId, approvalId, { decision: 'reject', reason }, options),
    steer: (runId, message, options = {}) =>
      createChange<SteerReceipt>(connection)(path(runId, '/steer'), message, options),
    pause: (runId, branch = {}, options = {}) => change(path(runId, '/pause'), branch, options),
    continue: (runId, branch = {}, options = {}) => change(path(runId, '/continue'), branch, options),
    delete: async (runId, call = {}) => void (await connection.open({ ...call, path: path(runId), method: 'DELETE' })),
  }
  return { runs, follow }
}

export const createApprovals = (connection: Connection, base: string): ApprovalsClient => ({
  list: (filter = {}, call = {}) => createListing(connection, `${base}/approvals`, { ...filter }, call),
})

export const createWebhooks = (connection: Connection, base: string): WebhooksClient => ({
  list: (filter = {}, call = {}) => createListing(connection, `${base}/webhooks`, { ...filter }, call),
  redrive: async (webhookId, call = {}) => {
    const path = `${base}/webhooks/${encodeURIComponent(webhookId)}/redrive`
    return (await connection.json({ ...call, path, body: {} })) as Webhook
  },
})

export function createThreads(connection: Connection, base: string, follow: Follow): ThreadsClient {
  const path = (threadId: string, rest = '') => `${base}/threads/${encodeURIComponent(threadId)}${rest}`
  return {
    create: (thread = {}, options = {}) => createChange<Thread>(connection)(`${base}/threads`, thread, options),
    list: (page = {}, call = {}) => createListing(connection, `${base}/threads`, { ...page }, call),
    get: async (threadId, call = {}) => (await connection.json({ ...call, path: path(threadId) })) as Thread,
    update: async (threadId, change, call = {}) =>
      (await connection.json({ ...call, path: path(threadId), method: 'PATCH', body: change })) as Thread,
    delete: async (threadId, call = {}) =>
      void (await connection.open({ ...call, path: path(threadId), method: 'DELETE' })),
    messages: (threadId, page = {}, call = {}) =>
      createListing(connection, path(threadId, '/messages'), { ...page }, call),
    async stream(threadId, options = {}) {
      const open = (signal: AbortSignal) => connection.open({ ...options, path: path(threadId, '/stream'), signal })
      const first = new AbortController()
      const signal = options.signal ? AbortSignal.any([options.signal, first.signal]) : first.signal
      let opened: Response | undefined = await new Retries(options, options.signal).run(() => open(signal))
      if (opened.status === 204) return undefined
      const begin = async (connected: AbortSignal) => {
        connected.addEventListener('abort', () => first.abort())
        const response = opened ?? (await open(connected))
        opened = undefined
        return { response, isNew: false }
      }
      return follow(options, { begin })
    },
  }
}

/** Follows a run from an event on, or from what `begin` opens. */
type Follow = (
  options: FollowOptions,
  from: { begin?: RunRequests['begin']; runId?: string; after?: number | undefined },
) => FollowedRun

const asRunBody = (message: RunMessage) => asRequest(message as Message)

/** A POST that is repeated with the same key while the connection breaks. */
const createChange =
  <Answer>(connection: Connection) =>
  (path: string, body: object, { idempotencyKey = createKey(), ...options }: ChangeOptions): Promise<Answer> => {
    const call = { ...withKey(options, idempotencyKey), path, body }
    return new Retries(options, options.signal).run(() => connection.json(call)) as Promise<Answer>
  }

const withKey = ({ headers, signal, logId }: CallOptions, key: string): CallOptions => ({
  headers: { ...headers, 'idempotency-key': key },
  signal,
  ...(logId === undefined ? {} : { logId }),
})

/** 128 random bits. `crypto.randomUUID` is absent from pages that were not loaded over HTTPS. */
const createKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')
