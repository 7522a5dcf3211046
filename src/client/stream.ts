/** A streamed run of the client: events, text, result, cancel. */
import type { StoredMessage } from '../wire/message.ts'
import { answerText, type CancelAnswer, type CancelMode, type RunResult } from './answers.ts'
import { ClientError } from './error.ts'
import { createEventReader, type Frame, type StreamEvent } from './events.ts'
import { type FrameReader, readFrames } from './frames.ts'
import type { Call, CallOptions, Connection } from './http.ts'
import { createTextReader } from './text.ts'

/** Options of `stream()`. */
export interface StreamOptions extends CallOptions {
  /** Called with every server-sent event before it is parsed, for inspectors and logs. */
  onFrame?: (frame: Frame) => void
}

interface RunStreamOptions {
  connection: Connection
  /** The `get_response_stream` request. */
  call: Call
  cancelPath: string
  onFrame: ((frame: Frame) => void) | undefined
  /** Called with the run's messages when they arrive. */
  onMessages: ((event: StreamEvent & { kind: 'messages' }) => void) | undefined
  onOver: (() => void) | undefined
}

/**
 * A streamed run. Read it once: with `for await (const event of stream)`, with `stream.text()`, or by awaiting
 * `stream.result` alone. It reads at most one chunk ahead of its reader. Leaving the loop early (`break`) closes the
 * connection, and the server then stops the run.
 */
export class RunStream implements AsyncIterable<StreamEvent> {
  readonly #options: RunStreamOptions
  readonly #connection = new AbortController()
  readonly #signal: AbortSignal
  readonly #reader: Promise<FrameReader>
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
  #messages: (StreamEvent & { kind: 'messages' }) | undefined
  #failed: string | undefined

  constructor(options: RunStreamOptions) {
    this.#options = options
    const { connection, call } = options
    this.#signal = call.signal ? AbortSignal.any([call.signal, this.#connection.signal]) : this.#connection.signal
    this.#reader = connection
      .open({ ...call, signal: this.#signal })
      .then((response) => readFrames(response, this.#signal, (frame) => this.#take(frame)))
    // A caller that uses only one of them must not get unhandled rejections from the others.
    for (const promise of [this.#reader, this.#result.promise, this.#finalMessages.promise]) promise.catch(() => {})
    this.#reader.catch((error: unknown) => this.#fail(error))
  }

  /** The run's id; undefined until the first event arrived. */
  get runId(): string | undefined {
    return this.#runId
  }

  /**
   * How the run ended. Rejects with a ClientError when the run failed (kind `failed`; `error.result` holds its messages), when
   * the stream broke off, and when its reader left. Reads the stream itself unless a reader has started when the answer begins.
   */
  get result(): Promise<RunResult> {
    this.#drain()
    return this.#result.promise
  }

  /** The messages to append to the history, also of failed and cancelled runs. Rejects when the stream ended without them. */
  get finalMessages(): Promise<StoredMessage[]> {
    this.#drain()
    return this.#finalMessages.promise
  }

  /** Only the text of the agent in the user's thread, piece by piece. Throws at its end when the run failed, as `result` does. */
  async *text(): AsyncGenerator<string, void, undefined> {
    const read = createTextReader()
    for await (const event of this) {
      const text = read(event)
      if (text !== '') yield text
    }
    await this.result
  }

  /**
   * Asks the server to stop the run and waits for its answer. The stream still ends with `messages`.
   * @param mode `immediate` stops at once, `after_turn` lets the current turn and its tools finish; default `immediate`
   * @returns undefined when there is nothing to stop: the run is over, or another process of the server has it
   * @throws ClientError when the request fails
   */
  async cancel(mode: CancelMode = 'immediate', options: CallOptions = {}): Promise<CancelAnswer | undefined> {
    while (this.#runId === undefined && !this.#over) await this.#fill()
    if (this.#over) return undefined
    const body = { run_id: this.#runId, cancel_mode: mode }
    const { connection, cancelPath: path } = this.#options
    try {
      return (await connection.json({ ...options, path, body })) as CancelAnswer
    } catch (error) {
      // The run ended before the cancel request arrived: not an error for the caller.
      if (error instanceof ClientError && error.kind === 'not_found') return undefined
      throw error
    }
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent, undefined, undefined> {
    if (this.#taken) throw new TypeError('This stream already has a reader: it can be iterated once.')
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

  /** Reads to the end for a caller that awaits the result without iterating. */
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
      if (!(await reader.read())) throw new ClientError('incomplete', 'The stream broke off before its end.')
    } catch (error) {
      this.#fail(error)
    }
  }

  #take(frame: Frame): void {
    if (this.#over) return
    this.#options.onFrame?.(frame)
    const event = this.#toEvent(frame)
    this.#waiting.push(event)
    if (event.kind === 'meta') this.#runId = event.run_id
    if (event.kind === 'error' && !event.nested) this.#failed = event.content
    if (event.kind === 'messages') {
      this.#messages = event
      this.#options.onMessages?.(event)
      this.#finalMessages.resolve(event.new_messages)
    }
    if (event.kind === 'end') this.#finish()
  }

  #finish(): void {
    const { kind: _, ...ending } = this.#messages ?? {
      kind: 'messages',
      new_messages: [],
      run_id: this.#runId ?? '',
      cancelled: false,
    }
    const result: RunResult = { ...ending, response: answerText(ending.new_messages) }
    this.#finalMessages.resolve(ending.new_messages)
    if (this.#failed === undefined) this.#result.resolve(result)
    else this.#result.reject(new ClientError('failed', this.#failed, { status: 200, result }))
    this.#close()
    void this.#reader.then((reader) => reader.awaitClose(() => this.#connection.abort()))
  }

  #leave(): void {
    this.#fail(new ClientError('aborted', 'The reader left the stream before its end.'))
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
    this.#options.onOver?.()
  }
}
