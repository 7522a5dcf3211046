/** The client of an agency server: `createClient` and the interfaces it returns. */
import type { JsonObject } from '../wire/json.ts'
import type { AgencyAnswer, AgencyMetadata, Message, RequestBody } from './answers.ts'
import { asRequest, Conversation, type ConversationOptions } from './conversation.ts'
import { ClientError } from './error.ts'
import { type CallOptions, type ClientOptions, connect } from './http.ts'
import {
  type ApprovalsClient,
  createApprovals,
  createRuns,
  createThreads,
  createWebhooks,
  type RunsClient,
  type ThreadsClient,
  type WebhooksClient,
} from './runs.ts'
import type { AgencyName, AnswerOf, ToolInput, ToolName, ToolOutput } from './server-types.ts'
import { RunStream, type StreamOptions } from './stream.ts'
import { createTickets, type TicketsClient } from './tickets.ts'

/**
 * A client of one server. Every method that sends a request rejects with a ClientError. `Server` is the type of the server's
 * agencies, or of the options of `serve()`; the compiler then checks names, answers and arguments.
 */
export interface Client<Server = unknown> {
  /** One agency of the server, by its name in `serve({ agencies })`. Sends no request. */
  agency<Name extends AgencyName<Server>>(name: Name): AgencyClient<AnswerOf<Server, Name>>
  /** One standalone tool. Sends no request. */
  tool<Name extends ToolName<Server>>(name: Name): ToolClient<ToolInput<Server, Name>, ToolOutput<Server, Name>>
  /** The server's OpenAPI document. */
  openapi(options?: CallOptions): Promise<JsonObject>
  /** The names of the server's agencies, read from the OpenAPI document. */
  agencies(options?: CallOptions): Promise<string[]>
  /** The log of the request sent with this `logId`. The server deletes the log once it is read. */
  logs(id: string, options?: CallOptions): Promise<LogLine[]>
}

/** One agency of a server. Every method rejects with a ClientError. `Answer` is the answer type of the first entry agent. */
export interface AgencyClient<Answer = string> {
  /** Runs the agency and resolves with its answer. Set `Output`, the type of `response`, when another agent answers. */
  getResponse<Output = Answer>(message: Message, options?: CallOptions): Promise<AgencyAnswer<Output>>
  /**
   * Runs the agency and streams its events. Sends the request at once.
   *
   * @example
   * ```ts
   * import { createClient } from 'agency-swarm-js/client'
   *
   * const stream = createClient({ baseUrl: 'http://localhost:8000' }).agency('my_agency').stream('Hello')
   * for await (const event of stream) if (event.kind === 'text') process.stdout.write(event.text)
   * const { usage } = await stream.result
   * console.log(usage?.total_cost)
   * ```
   */
  stream(message: Message, options?: StreamOptions): RunStream
  /** The agency as a graph. */
  metadata(options?: CallOptions): Promise<AgencyMetadata>
  /**
   * Creates a conversation that keeps its history from turn to turn. Sends no request.
   *
   * @example
   * ```ts
   * import { createClient } from 'agency-swarm-js/client'
   *
   * const conversation = createClient({ baseUrl: 'http://localhost:8000' }).agency('my_agency').conversation()
   * await conversation.getResponse('My name is Ada.')
   * const { response } = await conversation.getResponse('What is my name?')
   * console.log(response, JSON.stringify(conversation))
   * ```
   */
  conversation(options?: ConversationOptions): Conversation<Answer>
  /** Runs that the server stores: they outlive their readers and its restarts. Not on servers of the Python original. */
  readonly runs: RunsClient<Answer>
  /** The calls that wait for a person. */
  readonly approvals: ApprovalsClient
  /** The webhooks of those runs. */
  readonly webhooks: WebhooksClient
  /** The conversations that the server keeps. */
  readonly threads: ThreadsClient<Answer>
  /** Rights for pages that must not have the token. */
  readonly tickets: TicketsClient
}

/** One standalone tool of a server. */
export interface ToolClient<Input = { [name: string]: unknown }, Output = unknown> {
  /** Runs the tool with these arguments and resolves with its result. */
  run<Result = Output>(...call: ToolCall<Input>): Promise<Result>
}
/** The arguments are optional when no field is required. */
type ToolCall<Input> =
  Record<never, never> extends Input ? [input?: Input, options?: CallOptions] : [input: Input, options?: CallOptions]

/** One line of a request's log. */
export interface LogLine {
  message: string
  details: { timestamp: string; level: string; [key: string]: unknown }
}

/**
 * Creates a client of an agency server: this one or the Python original. Sends no request.
 *
 * @example
 * ```ts
 * import { createClient } from 'agency-swarm-js/client'
 *
 * const client = createClient({ baseUrl: 'http://localhost:8000', token: process.env.APP_TOKEN })
 * const { response, new_messages } = await client.agency('my_agency').getResponse('Hello')
 * console.log(response, new_messages.length)
 * ```
 */
export function createClient<Server = unknown>(options: ClientOptions): Client<Server> {
  const connection = connect(options)

  const agency = (name: string): AgencyClient => {
    const base = `/${encodeURIComponent(name.trim().replaceAll(' ', '_'))}`
    const getResponse = async <Output>(body: RequestBody, call: CallOptions): Promise<AgencyAnswer<Output>> => {
      const answer = await connection.json({ ...call, path: `${base}/get_response`, body })
      const { error } = answer as { error?: unknown }
      if (typeof error === 'string') throw new ClientError('failed', error, { status: 200 }) // the server could not fetch a file; the original answers 200
      return answer as AgencyAnswer<Output>
    }
    const stream = (
      body: RequestBody,
      { onFrame, ...call }: StreamOptions,
      hooks: { onMessages?: ConstructorParameters<typeof RunStream>[0]['onMessages']; onOver?: () => void } = {},
    ) =>
      new RunStream({
        connection,
        call: { ...call, path: `${base}/get_response_stream`, body },
        cancelPath: `${base}/cancel_response_stream`,
        onFrame,
        onMessages: hooks.onMessages,
        onOver: hooks.onOver,
      })
    const { runs, follow } = createRuns(connection, base)
    return {
      getResponse: (message, call = {}) => getResponse(asRequest(message), call),
      stream: (message, call = {}) => stream(asRequest(message), call),
      metadata: async (call = {}) =>
        (await connection.json({ ...call, path: `${base}/get_metadata` })) as AgencyMetadata,
      conversation: (options = {}) => new Conversation({ getResponse, stream }, options),
      runs: runs as RunsClient<string>,
      approvals: createApprovals(connection, base),
      webhooks: createWebhooks(connection, base),
      threads: createThreads(connection, base, follow) as ThreadsClient<string>,
      tickets: createTickets(connection, base),
    }
  }

  const tool = (name: string): ToolClient => ({
    run: async <Output>(input = {}, call: CallOptions = {}) => {
      const answer = await connection.json({ ...call, path: `/tool/${encodeURIComponent(name)}`, body: input })
      return (answer as { response: Output }).response
    },
  })

  const openapi = async (call: CallOptions = {}) =>
    (await connection.json({ ...call, path: '/openapi.json' })) as JsonObject

  const agencies = async (call: CallOptions = {}): Promise<string[]> => {
    const { paths } = await openapi(call)
    return Object.keys(paths ?? {}).flatMap((path) => {
      const segment = /^\/([^/]+)\/get_metadata$/.exec(path)?.[1]
      return segment === undefined ? [] : [decode(segment)]
    })
  }

  const logs = async (id: string, call: CallOptions = {}) =>
    (await connection.json({ ...call, path: '/get_logs', body: { log_id: id } })) as LogLine[]

  return { agency, tool, openapi, agencies, logs } as Client<Server>
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}
