import { createParser } from 'eventsource-parser'
import type { StoredMessage } from '../wire/message.ts'
import { answerText, type CancelAnswer, type CancelMode, type RunResult } from './answers.ts'
import { ClientError, interruption } from './error.ts'
import { createEventReader, type Frame, type StreamEvent } from './events.ts'
import type { Call, CallOptions, Connection } from './http.ts'
import { createTextReader } from './text.ts'

/** Options of `stream`. */
export interface StreamOptions extends CallOptions {
  /** Called with every server-sent event as it came, for inspectors and logs. */
  onFrame?: (frame: Frame) => void
}

/** No frame of a sane server is longer, in UTF-16 units. */
const MAX_FRAME = 64 * 1024 * 1024
/** How long a server may take to close a stream that said its end, in milliseconds. */
const CLOSE_MS = 1000

interface Opening {
  connection: Connection
  /** `get_response_stream` with its body. */
  call: Call
  cancelPath: string
  onFrame: ((frame: Frame) => void) | undefined
  /** Told what the run leaves, as soon as it is known. */
  onMessages: ((said: StreamEvent & { kind: 'messages' }) => void) | undefined
  onOver: (() => void) | undefined
}

/**
 * A run that is being watched. Iterate it once: `for await (const event of stream)`, or `stream.text()`, or await
 * `stream.result` alone. Nothing is read ahead of the reader by more than one chunk, and a reader that leaves (`break`)
 * closes the connection, by which the server stops the run.
 */
export class RunStream implements AsyncIterable<StreamEvent> {
  readonly #opening: Opening
  readonly #connection = new AbortController()
  readonly #signal: AbortSignal
  readonly #reader: Promise<ReadableStreamDefaultReader<Uint8Array>>
  readonly #decoder = new TextDecoder()
  readonly #parser = createParser({
    onEvent: ({ event, data }) => this.#take({ event, data }),
    onError: ({ type, message }) => {
      if (type === 'max-buffer-size-exceeded') throw new ClientError('bad_answer', `The stream is broken: ${message}`)
    },
    maxBufferSize: MAX_FRAME,
  })
  readonly #toEvent = createEventReader()
  readonly #waiting: StreamEvent[] = []
  readonly #result = Promise.withResolvers<RunResult>()
  readonly #finalMessages = Promise.withResolvers<StoredMessage[]>()
  #filling: Promise<void> | undefined
  #taken = false
  #draining = false
  #over = false
  #failure: { error: unknown } | undefined
  #runId: string | undefined
  #said: (StreamEvent & { kind: 'messages' }) | undefined
  #failed: string | undefined

  constructor(opening: Opening) {
    this.#opening = opening
    const { connection, call } = opening
    this.#signal = call.signal ? AbortSignal.any([call.signal, this.#connection.signal]) : this.#connection.signal
    this.#reader = connection.open({ ...call, signal: this.#signal }).then(readerOf)
    // Who only iterates must not be met by unhandled rejections, and the other way round.
    for (const promise of [this.#reader, this.#result.promise, this.#finalMessages.promise]) promise.catch(() => {})
    this.#reader.catch((error: unknown) => this.#fail(error))
  }

  /** Known once the first event has come. */
  get runId(): string | undefined {
    return this.#runId
  }

  /**
   * How the run ended; rejects when it failed (`kind: 'failed'`; `error.result` has what it left), when the stream broke
   * off and when its reader left. Reads the stream itself when nobody has begun to by the time the answer starts.
   */
  get result(): Promise<RunResult> {
    this.#drain()
    return this.#result.promise
  }

  /** What belongs into the history, of failed and cancelled runs too; rejects only when the stream never got to say it. */
  get finalMessages(): Promise<StoredMessage[]> {
    this.#drain()
    return this.#finalMessages.promise
  }

  /** Only the text of the agent in front of the user, piece by piece. Rejects at its end when the run failed, as `result` does. */
  async *text(): AsyncGenerator<string, void, undefined> {
    const read = createTextReader()
    for await (const event of this) {
      const text = read(event)
      if (text !== '') yield text
    }
    await this.result
  }

  /**
   * Asks the server to stop the run, and waits until it has; the stream then ends with `messages` as usual.
   * @param mode `immediate` (default) stops at once, `after_turn` lets the turn with its tools finish
   * @returns undefined when there is nothing to stop: the run is over, or lives in another process of the server
   * @throws ClientError when the server cannot be asked
   */
  async cancel(mode: CancelMode = 'immediate', options: CallOptions = {}): Promise<CancelAnswer | undefined> {
    while (this.#runId === undefined && !this.#over) await this.#fill()
    if (this.#over) return undefined
    const body = { run_id: this.#runId, cancel_mode: mode }
    const { connection, cancelPath: path } = this.#opening
    try {
      return (await connection.json({ ...options, path, body })) as CancelAnswer
    } catch (error) {
      // A run that ends while it is being stopped is no failure of the one who asked.
      if (error instanceof ClientError && error.kind === 'not_found') return undefined
      throw error
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent, undefined, undefined> {
    if (this.#taken) throw new TypeError('This stream is being read already: it can be iterated once.')
    this.#taken = true
    const next = async (): Promise<IteratorResult<StreamEvent, undefined>> => {
      for (;;) {
        const event = this.#waiting.shift()
        if (event !== undefined) return { done: false, value: event }
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#over) return { done: true, value: undefined }
        await this.#fill()
      }
    }
    return {
      next,
      return: async () => {
        this.#leave()
        return { done: true, value: undefined }
      },
    }
  }

  /** Reads to the end for whoever awaits the result and does not iterate. */
  #drain(): void {
    if (this.#draining) return
    this.#draining = true
    const read = async () => {
      await this.#reader.catch(() => {})
      if (this.#taken) return
      this.#taken = true
      while (!this.#over) {
        this.#waiting.length = 0
        await this.#fill()
      }
      this.#waiting.length = 0
    }
    void read()
  }

  /** Reads one more chunk. Never rejects. */
  #fill(): Promise<void> {
    this.#filling ??= this.#read().finally(() => {
      this.#filling = undefined
    })
    return this.#filling
  }

  async #read(): Promise<void> {
    try {
      const reader = await this.#reader
      const { done, value } = await reader.read().catch((error: unknown) => {
        throw interruption(error, this.#signal)
      })
      if (done) throw new ClientError('incomplete', 'The stream broke off before its end.')
      this.#parser.feed(this.#decoder.decode(value, { stream: true }))
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(frame: Frame): void {
    if (this.#over) return
    this.#opening.onFrame?.(frame)
    const event = this.#toEvent(frame)
    this.#waiting.push(event)
    if (event.kind === 'meta') this.#runId = event.run_id
    if (event.kind === 'error' && !event.nested) this.#failed = event.content
    if (event.kind === 'messages') {
      this.#said = event
      this.#opening.onMessages?.(event)
      this.#finalMessages.resolve(event.new_messages)
    }
    if (event.kind === 'end') this.#finish()
  }

  #finish(): void {
    const { kind: _, ...said } = this.#said ?? {
      kind: 'messages',
      new_messages: [],
      run_id: this.#runId ?? '',
      cancelled: false,
    }
    const result: RunResult = { ...said, response: answerText(said.new_messages) }
    this.#finalMessages.resolve(said.new_messages)
    if (this.#failed === undefined) this.#result.resolve(result)
    else this.#result.reject(new ClientError('failed', this.#failed, { status: 200, result }))
    this.#close()
    void this.#letClose()
  }

  /** A server that closes after its end keeps the connection for the next request; one that does not is left. */
  async #letClose(): Promise<void> {
    const late = setTimeout(() => this.#connection.abort(), CLOSE_MS)
    try {
      const reader = await this.#reader
      const { done } = await reader.read()
      if (!done) this.#connection.abort()
    } catch {
      // The stream was complete: how the connection ends is of no interest.
    } finally {
      clearTimeout(late)
    }
  }

  #leave(): void {
    this.#fail(new ClientError('aborted', 'The stream was left before its end.'))
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.#failure = { error }
    this.#close()
    this.#result.reject(error)
    this.#finalMessages.reject(error)
    this.#connection.abort()
  }

  #close(): void {
    this.#over = true
    this.#opening.onOver?.()
  }
}

function readerOf(response: Response): ReadableStreamDefaultReader<Uint8Array> {
  const type = response.headers.get('content-type') ?? ''
  if (response.body === null || !type.startsWith('text/event-stream'))
    throw new ClientError('bad_answer', `The answer is no event stream but ${type || 'nothing'}.`, {
      status: response.status,
    })
  return response.body.getReader()
}
