/** The stream that `getResponseStream()` returns: events, text, result, cancel. */
import { toData } from '../dialects/native/writer.ts'
import type { CancelMode } from '../runs/execute.ts'
import type { Run } from '../runs/runner.ts'
import type { StreamEvent } from '../wire/events.ts'

/** A started run; `result` settles when it ends and rejects when it failed. */
export interface StartedRun<Result> {
  run: Pick<Run, 'events' | 'stop'>
  result: Promise<Result>
}

/**
 * A streamed run with one reader: the event log keeps only a window of events, so an event that was read is gone. Awaiting
 * the result reads, too, and drops the events. Leaving the loop early stops the run.
 */
export class WatchedRun<Result> implements AsyncIterable<StreamEvent> {
  readonly #started: Promise<StartedRun<Result>>
  readonly #result: Promise<Result>
  #taken = false
  #draining = false

  constructor(started: Promise<StartedRun<Result>>) {
    this.#started = started
    this.#result = started.then(({ result }) => result)
    this.#result.catch(() => {}) // a caller that only iterates gets no unhandled rejection
  }

  get finalResult(): Promise<Result> {
    if (!this.#draining) {
      this.#draining = true
      void this.#drain()
    }
    return this.#result
  }

  cancel(mode: CancelMode = 'immediate'): void {
    void this.#started.then(({ run }) => run.stop(mode)).catch(() => {}) // the failure is in the result
  }

  textStream(): AsyncIterableIterator<string> {
    let events: AsyncIterator<StreamEvent> | undefined
    const texts: AsyncIterableIterator<string> = {
      next: async () => {
        events ??= this[Symbol.asyncIterator]()
        for (;;) {
          const { done, value } = await events.next()
          if (done === true) return { done, value: undefined }
          const text = readText(value)
          if (text !== undefined) return { done: false, value: text }
        }
      },
      return: async () => {
        if (events === undefined && !this.#taken) events = this[Symbol.asyncIterator]()
        await events?.return?.()
        return { done: true, value: undefined }
      },
      [Symbol.asyncIterator]: () => texts,
    }
    return texts
  }

  [Symbol.asyncIterator](): AsyncIterator<StreamEvent, undefined, undefined> {
    if (this.#taken)
      throw new TypeError(
        'This stream already has a reader: iterate it once, use textStream(), or await finalResult, which reads it too.',
      )
    this.#taken = true
    const events = this.#events()
    let left = false
    return {
      next: () => (left ? Promise.resolve({ done: true, value: undefined }) : events.next()),
      return: async () => {
        left = true
        await this.#leave()
        return { done: true, value: undefined }
      },
    }
  }

  async *#events(): AsyncGenerator<StreamEvent, undefined, undefined> {
    const { run } = await this.#started
    for await (const { events } of run.events ?? [])
      for (const event of events) if (event.kind !== 'started' && event.kind !== 'ended') yield toData(event)
    await this.#result
    return undefined
  }

  /** Stops the run and waits for its end, so that the next call finds the complete conversation. */
  async #leave(): Promise<void> {
    const started = await this.#started.catch(() => undefined)
    started?.run.stop('immediate')
    await started?.run.events?.[Symbol.asyncIterator]().return?.()
    await this.#result.catch(() => {}) // the caller left the loop; finalResult still reports a failure
  }

  /** Reads to the end for a caller that awaits the result without iterating. */
  async #drain(): Promise<void> {
    const started = await this.#started.catch(() => undefined)
    if (this.#taken || started === undefined) return
    this.#taken = true
    for await (const _ of started.run.events ?? []);
  }
}

/** A piece of text of the agent in the user's thread; undefined for every other event. */
function readText(event: StreamEvent): string | undefined {
  if (event.type !== 'raw_response_event' || event.callerAgent !== null) return undefined
  return event.data.type === 'response.output_text.delta' ? String(event.data.delta) : undefined
}
