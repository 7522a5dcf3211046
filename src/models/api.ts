import { StringDecoder } from 'node:string_decoder'
import { createParser } from 'eventsource-parser'
import type OpenAI from 'openai'
import { errorText, modelFailed } from '../errors.ts'
import { isObject, type JsonObject } from '../wire/json.ts'
import type { EventBatch, Model, ModelResponse, TurnRequest } from './model.ts'
import { withRetries } from './retry.ts'

/** The largest single event a provider may send, in characters. */
const MAX_EVENT_CHARS = 64 * 1024 * 1024
/** The largest answer a provider may stream, in bytes. */
const MAX_STREAM_BYTES = 256 * 1024 * 1024

/**
 * Reads a provider's event stream: `onData` gets the data of each event, then the size of the network chunk they came in
 * is yielded. Whoever stops pulling stops the network read.
 * @throws MODEL_FAILED when the stream breaks or `onData` cannot read it; the signal's reason after an abort
 */
export async function* readSse(
  response: Response,
  signal: AbortSignal,
  onData: (data: string) => void,
): AsyncGenerator<number> {
  const parser = createParser({ onEvent: ({ data }) => onData(data), maxBufferSize: MAX_EVENT_CHARS })
  const decoder = new StringDecoder('utf8')
  const chunks = (response.body as unknown as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  let bytes = 0
  let failure: unknown
  /** The size of the next chunk, undefined after the last; a function of its own, so that a silent stream holds no chunk. */
  const feed = async () => {
    const { done, value: chunk } = await chunks.next()
    if (done === true) return undefined
    try {
      parser.feed(decoder.write(chunk))
      bytes += chunk.byteLength
      if (bytes > MAX_STREAM_BYTES) failure = new Error(`it is longer than ${MAX_STREAM_BYTES} bytes`)
    } catch (error) {
      failure = error
    }
    return chunk.byteLength
  }
  try {
    for (let size = await feed(); size !== undefined; size = await feed()) {
      yield size // what stood before the failure is kept
      if (failure !== undefined) throw failure
    }
  } catch (error) {
    signal.throwIfAborted()
    throw modelFailed(`The model's stream broke: ${errorText(error)}`, error)
  } finally {
    await chunks.return?.()
  }
  signal.throwIfAborted()
}

export interface ApiOptions {
  /** Made on first use, because importing the client costs start-up time. */
  client: () => Promise<OpenAI>
  name: string
  /** What the response is said to come from and priced as. Default: `name`. */
  label?: string | undefined
  /** What telemetry calls the provider. Default `openai`, as its conventions have it for everything that speaks this API. */
  provider?: string
  /** `client_config.model_settings_extra_args`: merged into every body. */
  extraArgs?: JsonObject | undefined
  /** Sent with every call. */
  headers?: { readonly [name: string]: string } | undefined
  /** The address is a caller's: tools that a provider runs may carry keys of ours and do not go there. */
  foreign?: boolean
}

/** What one of a provider's APIs has of its own. */
export interface Api {
  runsHostedTools: boolean
  send(client: OpenAI, body: JsonObject, options: { signal: AbortSignal }): { asResponse(): Promise<Response> }
  buildBody(request: TurnRequest, stream: boolean): JsonObject
  readStream(response: Response, request: TurnRequest, signal: AbortSignal): AsyncGenerator<EventBatch, void, undefined>
  /** Undefined for an answer of another kind. */
  readAnswer(answer: JsonObject, request: TurnRequest): ModelResponse | undefined
}

/** A Model over the `openai` client, which keeps authentication and base URLs; retries are ours, bodies and parsing the API's. */
export function apiModel(options: ApiOptions, api: Api): Model {
  const { client, name, label = name, provider = 'openai', headers: ownHeaders, foreign = false } = options
  const call = async (request: TurnRequest, stream: boolean, signal: AbortSignal): Promise<Response> => {
    try {
      const { extraHeaders } = request.settings
      const headers = ownHeaders === undefined ? extraHeaders : { ...extraHeaders, ...ownHeaders }
      const options = headers === undefined ? { signal } : { signal, headers }
      return await api.send(await client(), api.buildBody(request, stream), options).asResponse()
    } catch (error) {
      signal.throwIfAborted()
      throw modelFailed(errorText(error), error)
    }
  }
  const answer = async (request: TurnRequest, signal: AbortSignal): Promise<ModelResponse> => {
    const json: unknown = await (await call(request, false, signal)).json().catch((error: unknown) => {
      signal.throwIfAborted()
      throw modelFailed(`The model's answer could not be read: ${errorText(error)}`, error)
    })
    const response = isObject(json) ? api.readAnswer(json, request) : undefined
    if (response === undefined) throw modelFailed('The model answered with something that is no answer of its API.')
    return response
  }
  return {
    name: label,
    provider,
    runsHostedTools: api.runsHostedTools && !foreign,
    async *streamTurn(request, signal) {
      const stream = await withRetries(
        async () => begin(api.readStream(await call(request, true, signal), request, signal)),
        signal,
      )
      try {
        if (!stream.ended) yield stream.takeFirst()
        yield* stream.rest
      } finally {
        await stream.rest.return(undefined) // a consumer that left at the first batch
      }
    },
    completeTurn: (request, signal) => withRetries(() => answer(request, signal), signal),
  }
}

/** A stream whose first batch has come. */
async function begin(rest: AsyncGenerator<EventBatch, void, undefined>) {
  let first = (await rest.next()).value ?? undefined
  return {
    rest,
    ended: first === undefined,
    /** Gives it away, so that an open stream does not hold on to it. */
    takeFirst: (): EventBatch => {
      const taken = first as EventBatch
      first = undefined
      return taken
    },
  }
}

/** A body without the fields that are not set: they are left to the provider. */
export const dropUnset = (body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
