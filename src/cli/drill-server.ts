/** What a drill needs of a server that may go away at any moment: patience, and the times of its absence. */
import { setTimeout as sleep } from 'node:timers/promises'
import { readFrames } from '../client/frames.ts'
import type { Call, Connection } from '../client/http.ts'
import { ClientError, type Frame } from '../client/index.ts'

/** Between two tries of a server that is away, in milliseconds. */
const RETRY_MS = 100

/** A server under a drill. */
export class DrilledServer {
  readonly #connection: Connection
  /** When the drill gives up, on the clock of `performance.now()`. */
  readonly #until: number
  #awaySince: number | undefined
  /** How long the server did not answer, each time, in milliseconds. */
  readonly absences: number[] = []
  /** Connections of readers that were cut on purpose, or broke. */
  readonly connections = { cut: 0, broken: 0 }

  constructor(connection: Connection, ms: number) {
    this.#connection = connection
    this.#until = performance.now() + ms
  }

  get isOver(): boolean {
    return performance.now() >= this.#until
  }

  /** Repeats a request while the server is away. @throws ClientError for a refusal, and when the time of the drill is over */
  async patiently<Result>(request: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        const result = await request()
        this.#isBack()
        return result
      } catch (error) {
        if (!isAway(error) || this.isOver) throw error
        this.#awaySince ??= performance.now()
        await sleep(RETRY_MS)
      }
    }
  }

  #isBack(): void {
    if (this.#awaySince !== undefined) this.absences.push(Math.round(performance.now() - this.#awaySince))
    this.#awaySince = undefined
  }

  json = (call: Call): Promise<unknown> => this.patiently(() => this.#connection.json(call))
  open = (call: Call): Promise<Response> => this.patiently(() => this.#connection.open(call))

  /**
   * The events of a run to their end, over as many connections as it takes.
   * @param cutAfter frames after which the connection is cut each time; undefined: never
   */
  async readEvents(path: string, cutAfter?: number): Promise<{ frames: Frame[]; firstMs: number }> {
    const began = performance.now()
    const frames: Frame[] = []
    let firstMs = 0
    while (!this.isOver) {
      const abort = new AbortController()
      const last = frames.at(-1)?.id
      const headers = last === undefined ? {} : { 'last-event-id': last }
      const response = await this.open({ path: `${path}/events?view=native`, headers, signal: abort.signal })
      if (response.status === 204) return { frames, firstMs }
      let left = cutAfter ?? Number.POSITIVE_INFINITY
      const take = (frame: Frame) => {
        if (left-- <= 0) return // after the cut
        if (frames.push(frame) === 1) firstMs = performance.now() - began
      }
      try {
        const reader = readFrames(response, abort.signal, take)
        while (left > 0 && frames.at(-1)?.event !== 'end' && (await reader.read()));
        if (frames.at(-1)?.event === 'end') return { frames, firstMs }
        this.connections[left > 0 ? 'broken' : 'cut']++
      } catch (error) {
        if (!isAway(error)) throw error
        this.connections.broken++
      } finally {
        abort.abort()
      }
    }
    return { frames, firstMs }
  }
}

/** True while the server, or the proxy before it, has no answer. */
const isAway = (error: unknown) =>
  error instanceof ClientError &&
  (['network', 'incomplete', 'rate_limited', 'unavailable'].includes(error.kind) ||
    [502, 504].includes(error.status ?? 0))
