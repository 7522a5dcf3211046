/** The shared parts of models over OpenAI's APIs: the call, retries, and reading streams of server-sent events. */
import { StringDecoder } from 'node:string_decoder'
import { createParser } from 'eventsource-parser'
import type { Charges } from '../../base/budget.ts'
import { AgencyError, errorText } from '../../base/errors.ts'
import { ANSWER_LIMITS, UPSTREAM_LIMITS, type UpstreamLimits } from '../../base/limits.ts'
import { modelFailed } from '../../base/model-errors.ts'
import { EventGuard, readJson, toBuffer } from '../../net/answers.ts'
import { isObject, type JsonObject } from '../../wire/json.ts'
import { JsonMeter } from '../../wire/json-meter.ts'
import { failureIn, isWebPage, webPageError } from '../ending.ts'
import type { EventBatch, Model, ModelResponse, TurnRequest } from '../model.ts'
import { withRetries } from '../retry.ts'
import { EventWatch, inTime, type Patience } from '../timeouts.ts'
import type { Post } from './post.ts'

/** Longer events are metered before they are parsed. */
const LONG_CHARS = 16_384

/**
 * Reads a provider's event stream: `onData` gets the data of each event, then the size of the network chunk they came in
 * is returned. A reader that stops pulling stops the network read. Plain functions, not a generator: a generator costs every chunk several
 * microtasks and keeps the last chunk alive while the stream is silent.
 * @throws MODEL_FAILED when the stream breaks or `onData` cannot read it; the signal's reason after an abort
 */
export function readSse(
  response: Response,
  { signal, patience, budget }: StreamWait,
  onData: (data: string) => void,
): AsyncIterableIterator<number> {
  const onEvent = ({ data }: { data: string }) => {
    if (/^\s*(:|$)/.test(data)) return // a keep-alive; some gateways write a comment as data
    begun = true
    watch.hear()
    if (data.length > LONG_CHARS) new JsonMeter(ANSWER_LIMITS.json).feed(data)
    onData(data)
  }
  const parser = createParser({ onEvent, maxBufferSize: ANSWER_LIMITS.eventBytes })
  const decoder = new StringDecoder('utf8')
  const chunks = (response.body as unknown as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const guard = new EventGuard(budget)
  let begun = false
  let ended = false
  /** The text before the first event: some gateways answer a streamed call with one JSON document. */
  let head = ''
  let failure: unknown
  const watch = new EventWatch(patience, (error) => {
    failure = error
    chunks.return?.().catch(() => {}) // wakes the reader that waits for the next one
  })
  const feed = (given: Uint8Array) => {
    const chunk = toBuffer(given)
    try {
      guard.read(chunk)
      const text = decoder.write(chunk)
      parser.feed(text)
      head = begun ? '' : head + text
      if (!begun) budget?.charge(text.length)
      if (head.length > ANSWER_LIMITS.eventBytes)
        failure = new Error(`it has no event within ${ANSWER_LIMITS.eventBytes} characters`)
    } catch (error) {
      failure = error
    }
    return chunk.byteLength
  }
  /** Ends an event that has no blank line after it, once; false when there is no such event, or it was cut off. */
  const endEvent = () => {
    if (ended) return false
    ended = true
    try {
      parser.feed('\n\n')
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
    return true
  }
  const close = async () => {
    watch.stop()
    guard.release()
    await chunks.return?.()
    return { done: true as const, value: undefined }
  }
  const sizes: AsyncIterableIterator<number> = {
    async next() {
      try {
        if (failure !== undefined) throw failure // after the events before it were returned
        watch.wait()
        const { done, value } = await chunks.next()
        if (failure !== undefined) throw failure
        if (done !== true) return { done: false, value: feed(value) }
        watch.stop()
        if (isWebPage(head)) throw webPageError()
        if (!begun && /^\s*[[{]/.test(head)) {
          onEvent({ data: head })
          return { done: false, value: 0 }
        }
        if (endEvent()) return { done: false, value: 0 }
      } catch (cause) {
        const error = failure ?? cause
        await close()
        signal.throwIfAborted()
        if (AgencyError.isInstance(error)) throw error // it has the provider's message already
        throw modelFailed(`The model's stream broke: ${errorText(error)}`, error)
      }
      signal.throwIfAborted()
      return { done: true, value: undefined }
    },
    return: close,
    [Symbol.asyncIterator]: () => sizes,
  }
  return sizes
}

/** The limits of reading one stream. */
export interface StreamWait {
  signal: AbortSignal
  patience: Patience
  /** Charged for bytes that are not parsed yet. */
  budget?: Charges | undefined
}

export interface ApiOptions {
  post: Post
  name: string
  /** The model's name in responses, and for its price. @default `name` */
  label?: string | undefined
  /** The provider's name in telemetry. OpenTelemetry uses `openai` for every server of this API. @default 'openai' */
  provider?: string
  /** `client_config.model_settings_extra_args`: merged into every body. */
  extraArgs?: JsonObject | undefined
  /** Sent with every call. */
  headers?: { readonly [name: string]: string } | undefined
  /** Timeouts. @default the server's */
  limits?: UpstreamLimits | undefined
  /** False: hosted tools are not sent to this address. @default true */
  hostedTools?: boolean | undefined
}

/** What differs between the Responses and Chat Completions APIs. */
export interface Api {
  runsHostedTools: boolean
  path: '/responses' | '/chat/completions'
  /** @param portable leaves out what only its provider can read: encrypted reasoning, and ids of items */
  buildBody(request: TurnRequest, stream: boolean, portable: boolean): Promise<JsonObject>
  /** True when the provider refused a part that `portable` leaves out: the call is then repeated once without it. */
  refusesState?(error: unknown): boolean
  readStream(response: Response, request: TurnRequest, wait: StreamWait): AsyncGenerator<EventBatch, void, undefined>
  /** Parses an answer; undefined for JSON that is not an answer of this API. */
  readAnswer(answer: JsonObject, request: TurnRequest): ModelResponse | undefined
}

/** A Model over one of OpenAI's APIs: `post` sends, `api` builds bodies and parses answers, retries happen here. */
export function apiModel(options: ApiOptions, api: Api): Model {
  const { post, name, label = name, provider = 'openai', headers: ownHeaders, hostedTools = true } = options
  const { upstreamFirstByteMs: firstMs, upstreamIdleMs: idleMs } = options.limits ?? UPSTREAM_LIMITS
  const call = async (request: TurnRequest, stream: boolean, signal: AbortSignal): Promise<Response> => {
    const { extraHeaders } = request.settings
    const headers = ownHeaders === undefined ? extraHeaders : { ...extraHeaders, ...ownHeaders }
    const send = async (portable: boolean) =>
      post(api.path, await api.buildBody(request, stream, portable), { signal, headers })
    try {
      return await send(false).catch((error: unknown) => {
        if (signal.aborted || api.refusesState?.(error) !== true) throw error
        return send(true)
      })
    } catch (error) {
      signal.throwIfAborted()
      throw modelFailed(errorText(error), error)
    }
  }
  const answer = async (request: TurnRequest, signal: AbortSignal): Promise<ModelResponse> => {
    const { body } = await call(request, false, signal)
    const chunks = (body ?? []) as unknown as AsyncIterable<Uint8Array>
    const head = { text: '' }
    const json = await readJson(withHead(chunks, head), request.budget).catch((error: unknown) => {
      signal.throwIfAborted()
      if (isWebPage(head.text)) throw webPageError()
      throw modelFailed(`The model's answer could not be read: ${errorText(error)}`, error)
    })
    const response = isObject(json) ? api.readAnswer(json, request) : undefined
    if (response !== undefined) return response
    const failure = failureIn(json, true)
    throw modelFailed(
      failure?.message ?? 'The model answered with something that is not an answer of its API.',
      failure,
    )
  }
  return {
    name: label,
    provider,
    runsHostedTools: api.runsHostedTools && hostedTools,
    streamTurn: (request, signal) =>
      beginning(() =>
        withRetries(
          async () => {
            const began = performance.now()
            const response = await call(request, true, signal)
            const rest = api.readStream(response, request, {
              signal,
              patience: { began, firstMs, idleMs },
              budget: request.budget,
            })
            return { first: await rest.next(), rest }
          },
          { signal, withinMs: firstMs, onRetry: request.onRetry },
        ),
      ),
    completeTurn: (request, signal) =>
      withRetries(() => inTime(firstMs, signal, (inner) => answer(request, inner)), {
        signal,
        withinMs: firstMs,
        onRetry: request.onRetry,
      }),
  }
}

/** Characters of an answer that are kept to find out what it is when it is not JSON. */
const HEAD_CHARS = 64

/** The same chunks; `head` gets the first characters. */
async function* withHead(chunks: AsyncIterable<Uint8Array>, head: { text: string }): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    if (head.text.length < HEAD_CHARS) head.text += toBuffer(chunk).toString('latin1', 0, HEAD_CHARS)
    yield chunk
  }
}

/** A stream that starts with its first `next()`, which resolves with the first batch. */
function beginning(
  start: () => Promise<{ first: IteratorResult<EventBatch>; rest: AsyncIterator<EventBatch> }>,
): AsyncIterableIterator<EventBatch> {
  let rest: AsyncIterator<EventBatch> | undefined
  const begin = async () => {
    const started = await start()
    rest = started.rest
    return started.first
  }
  const stream: AsyncIterableIterator<EventBatch> = {
    next: () => rest?.next() ?? begin(),
    async return() {
      await rest?.return?.()
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}

/** The body without unset fields: the provider has defaults for them. */
export const dropUnset = (body: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))

/** True for the mark behind the last event, `[DONE]`, however a gateway writes it. */
export const isEndMark = (data: string): boolean => /^\s*\[?done\b/i.test(data)
