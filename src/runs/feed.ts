/** The interface between a run, which appends its events, and the readers that follow it. */
import type { RunEvent } from './events.ts'

/** Events that were appended together. */
export interface Batch {
  /** The number of the first event. The events of a run are numbered 1, 2, 3, ... */
  readonly first: number
  readonly events: readonly RunEvent[]
}

/**
 * The live events of one run. `EventLog` keeps a window of them in memory for runs that end with their reader; a stored run
 * brings a feed that writes them to its store.
 */
export interface Feed {
  /**
   * Adds a batch of events at once. `bytes` is their size, for the bound on unread events. `scope` says which agent thread
   * they belong to (see `RunState.emit`).
   */
  append(events: readonly RunEvent[], bytes: number, scope?: string): void
  /**
   * Undefined while there is room for another batch. Otherwise a promise that resolves when there is room, or when the signal
   * aborts. `stalled` is called when no reader takes anything for `idleMs`.
   */
  room(signal: AbortSignal, idleMs: number, stalled: () => void): Promise<void> | undefined
  /** No event follows: readers end after the events that were appended. */
  seal(): void
}
