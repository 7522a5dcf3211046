/** Starts a run and reports its events in batches. */
import {
  type AgencyClient,
  type CancelMode,
  ClientError,
  type Frame,
  type RequestBody,
  type StreamEvent,
} from 'agency-swarm-js/client'

/** How long events are collected before the page is rendered again, in milliseconds. */
const BATCH_MS = 33

export interface RunListener {
  onEvents(events: readonly { event: StreamEvent; at: number }[]): void
  onFrames(frames: readonly { frame: Frame; atMs: number }[]): void
  /** The stream broke off, or never started. */
  onFailure(error: unknown): void
}

/** A run in progress. */
export interface LiveRun {
  /**
   * Asks the server to stop the run. When the server cannot, `immediate` closes the connection, which also stops the run;
   * `after_turn` returns false, and the run continues.
   */
  stop(mode: CancelMode): Promise<boolean>
}

/** Starts a run and passes its events to the listener in batches. */
export function startRun(agency: AgencyClient, request: RequestBody, listener: RunListener): LiveRun {
  const connection = new AbortController()
  const startedAt = Date.now()
  const events: { event: StreamEvent; at: number }[] = []
  const frames: { frame: Frame; atMs: number }[] = []
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (frames.length > 0) listener.onFrames(frames.splice(0))
    if (events.length > 0) listener.onEvents(events.splice(0))
  }
  const soon = () => {
    timer ??= setTimeout(flush, BATCH_MS)
  }
  const stream = agency.stream(request, {
    signal: connection.signal,
    onFrame: (frame) => {
      frames.push({ frame, atMs: Date.now() - startedAt })
      soon()
    },
  })
  const read = async () => {
    try {
      for await (const event of stream) {
        events.push({ event, at: Date.now() })
        soon()
      }
    } catch (error) {
      listener.onFailure(error)
    } finally {
      flush()
    }
  }
  void read()
  return {
    async stop(mode) {
      try {
        const answer = await stream.cancel(mode)
        if (answer?.ok !== false) return true
      } catch (error) {
        if (!(error instanceof ClientError)) throw error
      }
      if (mode === 'immediate') connection.abort()
      return mode === 'immediate'
    },
  }
}
