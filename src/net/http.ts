import type { Agent, Dispatcher } from 'undici'
import type { Charges } from '../base/budget.ts'
import { ANSWER_LIMITS, UPSTREAM_LIMITS, type UpstreamLimits } from '../base/limits.ts'
import { ModelTimeout } from '../base/model-errors.ts'
import { AnswerGuard, EventGuard, forEachChunk, WEB_COPIES } from './answers.ts'
import { type Breakable, createDecoder, decoded } from './decoder.ts'
import { Pieces } from './pieces.ts'
import { traceHeaders } from './trace-headers.ts'

/** Unread bytes beyond which the network read pauses, and the largest piece handed out at once. */
const WINDOW_BYTES = 65_536
/** What is read of a refusal, and how long at most: then it ends with what there is. */
const MAX_REFUSAL_BYTES = 65_536
const MAX_REFUSAL_MS = 5_000

/**
 * A `fetch` for the `openai` client over undici's callbacks: no web streams, bytes handed out as they arrive, the
 * socket paused while nobody reads and destroyed at once on abort.
 * @param trusted the operator vouches for the addresses, so that a trace may go on there
 */
export function createFetch(
  agent: () => Promise<Agent>,
  { trusted = false, limits = UPSTREAM_LIMITS }: { trusted?: boolean; limits?: UpstreamLimits } = {},
) {
  return async (url: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { origin, pathname, search } = new URL(String(url))
    const dispatcher = await agent()
    const request: Dispatcher.DispatchOptions = {
      origin,
      path: pathname + search,
      method: (init.method ?? 'GET') as Dispatcher.HttpMethod,
      headers: { ...traceHeaders(trusted), ...toRecord(init.headers) },
      body: (init.body ?? null) as string | Uint8Array | null,
    }
    init.signal?.throwIfAborted()
    return send(dispatcher, request, { url: String(url), signal: init.signal ?? undefined, limits })
  }
}

/**
 * The same fetch for libraries that want web standards: the answer's body is a stream, read from the socket only as it is
 * asked for. Such libraries gather what they parse, so it is bounded here.
 * @param budget charged with what is not parsed yet
 */
export function toWebFetch(fetch: ReturnType<typeof createFetch>, budget?: Charges): typeof globalThis.fetch {
  return async (url, init) => {
    const { status, headers, body } = (await fetch(url, init)) as unknown as Answer
    const reader = body[Symbol.asyncIterator]()
    const guard = isEventStream(headers) ? new EventGuard(budget, WEB_COPIES) : new AnswerGuard(budget)
    const stream = new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await reader.next()
          if (done) return controller.close()
          try {
            guard.read(value)
          } catch (error) {
            body.fail(error)
            throw error
          }
          controller.enqueue(value)
        },
        cancel: (reason) => body.fail(reason),
      },
      { highWaterMark: 0 },
    )
    const empty = status === 204 || status === 205 || status === 304
    if (empty) body.fail(undefined)
    return new Response(empty ? null : stream, { status, headers: [...headers] })
  }
}

const isEventStream = (headers: ReceivedHeaders) => /^text\/event-stream\b/i.test(headers.get('content-type') ?? '')

function toRecord(given: RequestInit['headers'] = {}): { [name: string]: string } {
  const record: { [name: string]: string } = {}
  for (const [name, value] of Symbol.iterator in given ? given : Object.entries(given)) {
    const key = String(name).toLowerCase()
    if (key !== 'content-length' && key !== 'connection') record[key] = String(value)
  }
  return record
}

/** A function of its own, so that an open stream holds on to nothing but what it needs. */
function send(
  dispatcher: Agent,
  request: Dispatcher.DispatchOptions,
  { url, signal, limits }: { url: string; signal: AbortSignal | undefined; limits: UpstreamLimits },
): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const body = new Body()
  let began = 0
  let tooLate: NodeJS.Timeout | undefined
  const giveUp = (reason: unknown) => {
    body.fail(reason)
    reject(reason)
  }
  const onAbort = () => giveUp(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const settle = () => {
    clearTimeout(tooLate)
    signal?.removeEventListener('abort', onAbort)
  }
  dispatcher.dispatch(request, {
    onRequestStart(controller) {
      began = performance.now()
      body.attach(controller)
    },
    onResponseStart(controller, status, fields) {
      if (status < 200) {
        // No answer yet. Each one sets the dispatcher's own limit back, so one of ours goes on.
        tooLate ??= setTimeout(
          () => giveUp(new ModelTimeout('headers', 'Headers Timeout Error')),
          began + limits.upstreamFirstByteMs - performance.now(),
        )
        return
      }
      clearTimeout(tooLate)
      controller.rawHeaders = null // parts of the first chunk from the socket, which they would keep whole
      if (status >= 400) body.endWithin(Math.min(MAX_REFUSAL_MS, limits.upstreamIdleMs), MAX_REFUSAL_BYTES)
      try {
        resolve(answer(url, status, new ReceivedHeaders(fields), body))
      } catch (error) {
        giveUp(error) // an encoding that is not known
      }
    },
    onResponseData: (_controller, chunk) => body.push(chunk),
    onResponseEnd() {
      settle()
      body.end()
    },
    onResponseError(_controller, error) {
      settle()
      giveUp(asTimeout(error))
    },
  })
  return promise
}

/** The dispatcher's own limits are ours: it got them from us. */
function asTimeout(error: Error & { code?: string }): Error {
  if (error.code === 'UND_ERR_HEADERS_TIMEOUT') return new ModelTimeout('headers', error.message)
  return error.code === 'UND_ERR_BODY_TIMEOUT' ? new ModelTimeout('event', error.message) : error
}

type Fields = { [name: string]: string | string[] | undefined }

/** The part of `Headers` that readers of an answer use, without its cost. */
class ReceivedHeaders {
  readonly #fields: Fields
  constructor(fields: Fields) {
    this.#fields = fields
  }
  get(name: string): string | null {
    const value = this.#fields[name.toLowerCase()]
    return value === undefined ? null : String(value)
  }
  has(name: string): boolean {
    return this.get(name) !== null
  }
  *entries(): Generator<[string, string]> {
    for (const [name, value] of Object.entries(this.#fields)) if (value !== undefined) yield [name, String(value)]
  }
  [Symbol.iterator]() {
    return this.entries()
  }
}

/** What an answer is made of behind its face of a Response. */
interface Answer {
  status: number
  headers: ReceivedHeaders
  body: Breakable
}

/** The part of a Response that the client and our parser use. */
function answer(url: string, status: number, headers: ReceivedHeaders, raw: Body): Response {
  const encoding = headers.get('content-encoding')
  const decoder = encoding === null ? undefined : createDecoder(encoding)
  const body = decoder === undefined ? raw : decoded(raw, decoder)
  const text = async () => {
    const pieces = new Pieces()
    await forEachChunk(body, ANSWER_LIMITS.eventBytes, (chunk) => pieces.add(chunk))
    return pieces.whole().toString('utf8')
  }
  const response = {
    ok: status >= 200 && status < 300,
    status,
    statusText: '',
    url,
    headers,
    body,
    text,
    json: async () => JSON.parse(await text()),
  }
  return response as unknown as Response
}

/** Bytes on their way from the socket to one reader. */
class Body implements AsyncIterable<Buffer> {
  #waiting: Buffer[] = []
  #bytes = 0
  #controller: Dispatcher.DispatchController | undefined
  #finished = false
  #error: unknown
  #wake: (() => void) | undefined
  /** Bytes that are still taken. */
  #left = Number.POSITIVE_INFINITY
  #cutLater: NodeJS.Timeout | undefined

  attach(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#finished) controller.abort(new Error('aborted'))
  }
  push(chunk: Buffer): void {
    if (this.#finished) return
    this.#waiting.push(chunk)
    this.#bytes += chunk.length
    this.#left -= chunk.length
    if (this.#left <= 0) this.#cut()
    else if (this.#bytes > WINDOW_BYTES) this.#controller?.pause()
    this.#wake?.()
  }
  end(): void {
    this.#finished = true
    clearTimeout(this.#cutLater)
    this.#wake?.()
  }
  /** It ends after this time or this many bytes, with what has come until then. */
  endWithin(ms: number, bytes: number): void {
    this.#left = bytes
    this.#cutLater = setTimeout(() => this.#cut(), ms)
  }
  #cut(): void {
    this.end()
    this.#controller?.abort(new Error('enough'))
  }
  fail(error: unknown): void {
    if (this.#finished) return
    this.#error = error ?? new Error('aborted')
    this.#finished = true
    clearTimeout(this.#cutLater)
    this.#controller?.abort(error instanceof Error ? error : new Error('aborted'))
    this.#wake?.()
  }
  #take(): Buffer {
    let count = 0
    let bytes = 0
    while (
      count < this.#waiting.length &&
      (count === 0 || bytes + (this.#waiting[count] as Buffer).length <= WINDOW_BYTES)
    )
      bytes += (this.#waiting[count++] as Buffer).length
    const taken = this.#waiting.splice(0, count)
    this.#bytes -= bytes
    if (this.#bytes <= WINDOW_BYTES && this.#controller?.paused) this.#controller.resume()
    return taken.length === 1 ? (taken[0] as Buffer) : Buffer.concat(taken)
  }
  /** No generator: one would hold on to what it yielded last while the socket is silent. */
  [Symbol.asyncIterator](): AsyncIterator<Buffer, undefined> {
    return {
      next: async () => {
        for (;;) {
          if (this.#error !== undefined) throw this.#error
          if (this.#waiting.length > 0) return { done: false, value: this.#take() }
          if (this.#finished) return { done: true, value: undefined }
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          this.#wake = undefined
        }
      },
      return: async () => {
        this.fail(new Error('The reader left.'))
        return { done: true, value: undefined }
      },
    }
  }
}
