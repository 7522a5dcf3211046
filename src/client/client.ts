import type { JsonObject } from '../wire/json.ts'
import type { AgencyAnswer, AgencyMetadata, Message, RequestBody } from './answers.ts'
import { asRequest, Conversation, type ConversationOptions } from './conversation.ts'
import { ClientError } from './error.ts'
import { type CallOptions, type ClientOptions, connect } from './http.ts'
import type { AgencyName, AnswerOf, ToolInput, ToolName, ToolOutput } from './server-types.ts'
import { RunStream, type StreamOptions } from './stream.ts'

/**
 * One server. Every method that asks it rejects with a ClientError. `Server` is the type of its agencies, or of the options of
 * `serve()`: names, answers and arguments are then checked by the compiler.
 */
export interface Client<Server = unknown> {
  /** One agency of the server, by its name in `serve({ agencies })`. No request is made. */
  agency<Name extends AgencyName<Server>>(name: Name): AgencyClient<AnswerOf<Server, Name>>
  /** One standalone tool. */
  tool<Name extends ToolName<Server>>(name: Name): ToolClient<ToolInput<Server, Name>, ToolOutput<Server, Name>>
  /** The server's OpenAPI document. */
  openapi(options?: CallOptions): Promise<JsonObject>
  /** The names of the server's agencies, read from that document. */
  agencies(options?: CallOptions): Promise<string[]>
  /** The log of the request that was sent with `logId`; the server then forgets it. */
  logs(id: string, options?: CallOptions): Promise<LogLine[]>
}

/** Every method rejects with a ClientError. `Answer` is what the agency's first entry agent answers. */
export interface AgencyClient<Answer = string> {
  /** Runs the agency and gives its answer when it is done. `Output` is the type of `response` where another agent gives it. */
  getResponse<Output = Answer>(message: Message, options?: CallOptions): Promise<AgencyAnswer<Output>>
  /** Runs the agency and tells what happens. The request goes out at once. */
  stream(message: Message, options?: StreamOptions): RunStream
  /** The agency as a graph. */
  metadata(options?: CallOptions): Promise<AgencyMetadata>
  /** Keeps the history over turns. */
  conversation(options?: ConversationOptions): Conversation<Answer>
}

/** One standalone tool of a server. */
export interface ToolClient<Input = { [name: string]: unknown }, Output = unknown> {
  /** Runs the tool with its arguments and gives what it returned. */
  run<Own = Output>(...call: ToolCall<Input>): Promise<Own>
}
/** The arguments may be left out where none is required. */
type ToolCall<Input> =
  Record<never, never> extends Input ? [input?: Input, options?: CallOptions] : [input: Input, options?: CallOptions]

/** A line of a request's log. */
export interface LogLine {
  message: string
  details: { timestamp: string; level: string; [key: string]: unknown }
}

/** A client of an agency server, this one or the Python original. Makes no request by itself. */
export function createClient<Server = unknown>(options: ClientOptions): Client<Server> {
  const connection = connect(options)

  const agency = (name: string): AgencyClient => {
    const base = `/${encodeURIComponent(name.trim().replaceAll(' ', '_'))}`
    const getResponse = async <Output>(body: RequestBody, call: CallOptions): Promise<AgencyAnswer<Output>> => {
      const answer = await connection.json({ ...call, path: `${base}/get_response`, body })
      const { error } = answer as { error?: unknown }
      if (typeof error === 'string') throw new ClientError('failed', error, { status: 200 }) // files that could not be had
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
    return {
      getResponse: (message, call = {}) => getResponse(asRequest(message), call),
      stream: (message, call = {}) => stream(asRequest(message), call),
      metadata: async (call = {}) =>
        (await connection.json({ ...call, path: `${base}/get_metadata` })) as AgencyMetadata,
      conversation: (more = {}) => new Conversation({ getResponse, stream }, more),
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
