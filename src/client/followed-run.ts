/** A run as a resource as its reader sees it: its events over any number of connections, its state, its result. */

import { ClientError } from './error.ts'
import type { Frame } from './events.ts'
import { type FrameReader, readFrames } from './frames.ts'
import type { CallOptions } from './http.ts'
import { Retries } from './retries.ts'
import type { Run, RunCancelAnswer } from './run-answers.ts'
import { createRunEventReader, type RunEvent } from './run-events.ts'
import type { ApproveOptions, CancelOptions, FollowOptions, RejectOptions } from './run-options.ts'
import { RunView } from './run-view.ts'

const SILENCE_MS = 45_000
/** The least that a server's `retry:` may ask for, in milliseconds. */
const MIN_RETRY_MS = 100
/** Most characters of events that are held back; beyond that they are shown although an `attempt` may take them back. */
const MAX_HELD = 64 * 1024 * 1024

/** The requests of a followed run. Each rejects with a ClientError. */
export interface RunRequests {
  /** The event stream from its first frame, of a run whose id is not known yet. */
  begin?: ((signal: AbortSignal) => Promise<{ response: Response; isNew: boolean }>) | undefined
  events(runId: string, after: number, signal: AbortSignal): Promise<Response>
  get(runId: string, signal: AbortSignal | undefined): Promise<Run>
  cancel(runId: string, options: CancelOptions & CallOptions): Promise<RunCancelAnswer>
  approve(runId: string, approvalId: string, options: ApproveOptions): Promise<Run>
  reject(runId: string, approvalId: string, options: RejectOptions): Promise<Run>
}

interface FollowedRunOptions {
  requests: RunRequests
  follow: FollowOptions
  runId?: string | undefined
  /** The number of the last event that the reader has. */
  after?: number | undefined
}

/**
 * A run that is followed. Read its events once, with `for await (const event of stream)`, or only await `stream.result()`. A
 * connection that breaks is replaced, and the events go on where they stopped. Leaving the loop closes the connection; the run
 * goes on. `Output` is the type of its answer.
 */
export class FollowedRun<Output = unknown> implements AsyncIterable<RunEvent> {
  /** What the events amount to that the loop has been given; without those that never happened. */
  readonly view = new RunView()
  readonly #requests: RunRequests
  readonly #follow: FollowOptions
  readonly #left = new AbortController()
  readonly #signal: AbortSignal
  readonly #retries: Retries
  readonly #toEvent = createRunEventReader()
  readonly #ended = Promise.withResolvers<void>()
  #runId: string | undefined
  #connection: Promise<FrameReader | undefined>
  #abortConnection = () => {}
  #filling: Promise<void> | undefined
  #waiting: RunEvent[] = []
  #waitingChars = 0
  /** The number of the newest event that was received. */
  #received: number
  #attempt = 1
  /** False when the reader began after the first event: attempts may have begun before that. */
  #knowsAttempts: boolean
  /** Every waiting event up to this number happened. */
  #final = 0
  /** How far the events go that were stored before this connection; undefined until it is known. Of a new run nothing was. */
  #stored: { attempt: number; lastEventId: number } | undefined
  #taken = false
  #over = false
  #failure: { error: unknown } | undefined

  constructor({ requests, follow, runId, after = 0 }: FollowedRunOptions) {
    this.#requests = requests
    this.#follow = follow
    this.#runId = runId
    this.#received = after
    this.#knowsAttempts = after === 0
    this.#signal = follow.signal ? AbortSignal.any([follow.signal, this.#left.signal]) : this.#left.signal
    this.#retries = new Retries(follow, this.#signal)
    this.#ended.promise.catch(() => {}) // a caller may read the events alone
    this.#connection = this.#connect()
    this.#connection.catch((error: unknown) => this.#fail(error))
  }

  /** The run's id; undefined until the first event arrived. */
  get runId(): string | undefined {
    return this.#runId
  }

  /**
   * The run once it has ended, also when it was cancelled. Reads the events itself unless a reader has started when the answer
   * begins. A run that waits for a decision is waited for.
   * @throws ClientError; kind `failed` when the run failed, with its `code` and the `run`
   */
  async result(): Promise<Run<Output>> {
    await this.#connection.catch(() => {})
    if (!this.#taken) await this.#drain()
    await this.#ended.promise.catch((error: unknown) => {
      if (!(error instanceof ClientError && error.code === 'EVENTS_EXPIRED')) throw error // the run itself is kept longer
    })
    const runId = await this.#knowRunId()
    const { signal } = this.#follow
    const run = await new Retries(this.#follow, signal).run(() => this.#requests.get(runId, signal))
    if (run.status !== 'failed') return run as Run<Output>
    const { code, message } = run.error ?? { code: undefined, message: 'The run failed.' }
    throw new ClientError('failed', message, { status: 200, code, run })
  }

  /** Stops the run and waits for its end. @throws ClientError; code `RUN_ENDED` when it has ended already */
  async cancel(options: CancelOptions & CallOptions = {}): Promise<RunCancelAnswer> {
    return this.#requests.cancel(await this.#knowRunId(), options)
  }

  /** Lets a call run that waits for a decision. @throws ClientError; code `APPROVAL_DECIDED` or `APPROVAL_EXPIRED` */
  async approve(approvalId: string, options: ApproveOptions = {}): Promise<Run<Output>> {
    return (await this.#requests.approve(await this.#knowRunId(), approvalId, options)) as Run<Output>
  }

  /** Refuses a call that waits for a decision. @throws ClientError; code `APPROVAL_DECIDED` or `APPROVAL_EXPIRED` */
  async reject(approvalId: string, options: RejectOptions = {}): Promise<Run<Output>> {
    return (await this.#requests.reject(await this.#knowRunId(), approvalId, options)) as Run<Output>
  }

  [Symbol.asyncIterator](): AsyncIterator<RunEvent, undefined, undefined> {
    if (this.#taken) throw new TypeError('This stream already has a reader: it can be iterated once.')
    this.#taken = true
    const next = async (): Promise<IteratorResult<RunEvent, undefined>> => {
      for (;;) {
        const event = this.#shift()
        if (event !== undefined) {
          this.view.push(event)
          return { done: false, value: event }
        }
        if (this.#failure !== undefined) throw this.#failure.error
        if (this.#over) return { done: true, value: undefined }
        await this.#fill()
      }
    }
    return {
      next,
      return: async () => {
        this.#fail(new ClientError('aborted', 'The reader left the stream before its end.'))
        return { done: true, value: undefined }
      },
    }
  }

  async #drain(): Promise<void> {
    const events = this[Symbol.asyncIterator]()
    while (!this.#over) await events.next().catch(() => {}) // `#ended` has the error
    for (let event = this.#shift(); event !== undefined; event = this.#shift()) this.view.push(event)
  }

  async #knowRunId(): Promise<string> {
    while (this.#runId === undefined && !this.#over) await this.#fill()
    if (this.#runId !== undefined) return this.#runId
    throw this.#failure?.error ?? new ClientError('bad_answer', 'The stream ended without the id of its run.')
  }

  // ---- what is received

  #shift(): RunEvent | undefined {
    const [event] = this.#waiting
    return event !== undefined && (event.id <= this.#final || !this.#isHolding()) ? this.#waiting.shift() : undefined
  }

  /**
   * True while the events that wait may be void: the run has been taken up again since, and the `attempt` that says what is
   * void is among the events to come.
   */
  #isHolding(): boolean {
    if (this.#over || this.#waitingChars > MAX_HELD) return false
    if (this.#stored === undefined) return true
    const { attempt, lastEventId } = this.#stored
    return this.#attempt < attempt && (this.#knowsAttempts || this.#received < lastEventId)
  }

  #take(frame: Frame): void {
    if (this.#over) return
    this.#follow.onFrame?.(frame)
    const event = this.#toEvent(frame)
    if (event.id <= this.#received) return // a stream from its first frame repeats what is known
    this.#received = event.id
    if (event.kind === 'meta') this.#runId = event.run_id
    if (event.kind === 'attempt') {
      this.#waiting = this.#waiting.filter(({ id }) => id <= event.void_after)
      this.#attempt = event.attempt
      this.#knowsAttempts = true
      this.#final = event.id
    }
    if (this.#waiting.length === 0 || event.kind === 'attempt') this.#waitingChars = 0
    this.#waitingChars += frame.data.length
    this.#waiting.push(event)
    if (event.kind === 'end') this.#end()
  }

  /** Reads one more chunk. Never rejects. */
  #fill(): Promise<void> {
    this.#filling ??= this.#read()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#filling = undefined
      })
    return this.#filling
  }

  async #read(): Promise<void> {
    const reader = await this.#connection
    if (this.#over) return
    if (reader === undefined) return this.#end()
    try {
      if (!(await this.#withinSilence(reader.read())))
        throw new ClientError('incomplete', 'The stream broke off before its end.')
      if (!this.#over && this.#stored === undefined && this.#runId !== undefined) await this.#learnStored(this.#runId)
      this.#retries.reset()
      if (this.#over) void reader.awaitClose(this.#abortConnection)
    } catch (error) {
      if (this.#over) return
      this.#abortConnection()
      await this.#retries.wait(error)
      this.#connection = this.#connect()
      this.#connection.catch(() => {}) // the next read has the error; there is none when the reader leaves
    }
  }

  async #learnStored(runId: string): Promise<void> {
    const { attempt, last_event_id: lastEventId } = await this.#requests.get(runId, this.#signal)
    this.#stored = { attempt, lastEventId }
  }

  // ---- connections

  /** Opens a connection; undefined when there are no more events. */
  #connect(): Promise<FrameReader | undefined> {
    return this.#retries.run(async () => {
      const connection = new AbortController()
      this.#abortConnection = () => connection.abort()
      const response = await this.#withinSilence(this.#open(AbortSignal.any([this.#signal, connection.signal])))
      this.#retries.isAnswered = true
      if (response.status === 204) return undefined
      return readFrames(
        response,
        this.#signal,
        (frame) => this.#take(frame),
        (retryMs) => {
          this.#retries.baseMs = Math.max(retryMs, MIN_RETRY_MS)
        },
      )
    })
  }

  async #open(signal: AbortSignal): Promise<Response> {
    this.#stored = undefined
    const { begin, events } = this.#requests
    if (this.#runId !== undefined) return events(this.#runId, this.#received, signal)
    if (begin === undefined) throw new TypeError('A run without an id needs a request that begins it.')
    const { response, isNew } = await begin(signal)
    if (isNew) this.#stored = { attempt: 1, lastEventId: 0 }
    return response
  }

  async #withinSilence<T>(work: Promise<T>): Promise<T> {
    let silent = false
    const { silenceMs = SILENCE_MS } = this.#follow
    const abort = this.#abortConnection
    const timer = setTimeout(() => {
      silent = true
      abort()
    }, silenceMs)
    try {
      return await work
    } catch (error) {
      if (silent && !this.#signal.aborted)
        throw new ClientError('network', `Nothing arrived for ${silenceMs} ms.`, { cause: error })
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  // ---- the end

  #end(): void {
    this.#over = true
    this.#ended.resolve()
  }

  #fail(error: unknown): void {
    if (this.#over) return
    if (this.#isHolding()) this.#waiting = this.#waiting.filter(({ id }) => id <= this.#final)
    this.#over = true
    this.#failure = { error }
    this.#ended.reject(error)
    this.#left.abort()
  }
}
