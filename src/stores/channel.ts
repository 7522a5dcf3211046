/** What carries the events of runs between processes beside the database. */
import type { RunNews } from '../runs/run-store.ts'

/**
 * Carries what was committed of a run to the processes in which it is read. It may lose what it was given: the database is the
 * truth, and readers find a gap by the numbers of events. Never slows a writer down.
 */
export interface EventChannel {
  /** Begins to connect. @throws PACKAGE_MISSING */
  open(watch: ChannelWatch): Promise<void>
  /** Resolves with the number of processes that took it. Rejects when it could not be given to anybody, within a second. */
  send(runId: string, news: RunNews): Promise<number>
  /** @returns what ends it */
  listen(runId: string, take: (news: RunNews) => void): () => void
  close(): void
}

export interface ChannelWatch {
  /** News may have been missed: of that run, or of all. */
  onGap(runId?: string): void
  /** Said once for each outage. */
  onTrouble(message: string, error: unknown): void
}
