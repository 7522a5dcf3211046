/** Starts or follows a run and reports its events in batches. */
import {
  type AgencyClient,
  type CancelMode,
  ClientError,
  type FollowedRun,
  type FollowOptions,
  type Frame,
  type RequestBody,
} from 'agency-swarm-js/client'
import type { TimedEvent } from '../conversation/conversation.ts'

/** How long events are collected before the page is rendered again, in milliseconds. */
const BATCH_MS = 33

export interface RunListener {
  onEvents(events: readonly TimedEvent[]): void
  onFrames(frames: readonly { frame: Frame; atMs: number }[]): void
  /** The stream broke off, or never started. */
  onFailure(error: unknown): void
}

/** A reader of a stored run. */
export interface StoredRunListener extends RunListener {
  /** Another process has taken the run up: these events are what is still true of it. */
  onRestart(events: readonly TimedEvent[]): void
  /** The connection broke, and is being replaced. */
  onReconnect(): void
}

/** A run in progress. */
export interface LiveRun {
  /**
   * Asks the server to stop the run. When the server cannot stop a run that lives with its connection, `immediate` closes that;
   * otherwise the answer is false, and the run continues.
   */
  stop(mode: CancelMode): Promise<boolean>
}

/** Starts a run that lives with its connection. */
export function startRun(agency: AgencyClient, request: RequestBody, listener: RunListener): LiveRun {
  const connection = new AbortController()
  const { onFrame, push, flush } = collect(listener)
  const stream = agency.stream(request, { signal: connection.signal, onFrame })
  const read = async () => {
    try {
      for await (const event of stream) push({ event, at: Date.now() })
    } catch (error) {
      listener.onFailure(error)
    } finally {
      flush()
    }
  }
  void read()
  return {
    async stop(mode) {
      if (await isStopped(() => stream.cancel(mode))) return true
      if (mode === 'immediate') connection.abort()
      return mode === 'immediate'
    },
  }
}

/** Follows a stored run, over as many connections as it takes. */
export function followRun(
  open: (options: FollowOptions) => FollowedRun,
  listener: StoredRunListener,
): LiveRun & { leave(): void } {
  const leaving = new AbortController()
  const { onFrame, push, flush } = collect(listener)
  const stream = open({ signal: leaving.signal, onFrame, onRetry: () => listener.onReconnect() })
  let told: (TimedEvent & { id: number })[] = []
  const read = async () => {
    try {
      for await (const event of stream) {
        if (event.kind === 'attempt') {
          flush()
          told = told.filter(({ id }) => id <= event.void_after)
          listener.onRestart(told)
          continue
        }
        const timed = { event, at: Date.now(), id: event.id }
        told.push(timed)
        push(timed)
      }
    } catch (error) {
      if (!leaving.signal.aborted) listener.onFailure(error)
    } finally {
      flush()
    }
  }
  void read()
  return { stop: (mode) => isStopped(() => stream.cancel({ mode })), leave: () => leaving.abort() }
}

/** False when the server could not stop the run. */
async function isStopped(cancel: () => Promise<unknown>): Promise<boolean> {
  try {
    return ((await cancel()) as { ok?: boolean } | undefined)?.ok !== false
  } catch (error) {
    if (!(error instanceof ClientError)) throw error
    return false
  }
}

/** Collects events and frames, and passes them on together. */
function collect(listener: RunListener) {
  const startedAt = Date.now()
  const events: TimedEvent[] = []
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
  return {
    flush,
    push: (event: TimedEvent) => {
      events.push(event)
      soon()
    },
    onFrame: (frame: Frame) => {
      frames.push({ frame, atMs: Date.now() - startedAt })
      soon()
    },
  }
}
