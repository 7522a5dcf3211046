/** What a shared store is beside its tables: a queue that divides its runs, and the other processes. */
import type { JsonObject } from '../../wire/json.ts'
import type { RunId } from './records.ts'

/** Gives each claimable run to one process, and again to another when that one died. */
export interface RunQueue {
  /** Begins to give runs to this process, and shows others that it lives. @throws STORE_UNAVAILABLE */
  serve(worker: QueueWorker): Promise<void>
  /** Says that there may be runs, or room for them: a hint. */
  wake(): void
  /** Gives no more runs to this process. Those that it works on stay its own. */
  stop(): void
}

/** The other processes that use a shared store, which can be asked about what is not in it. */
export interface Processes {
  /**
   * Asks all of them: the one that has an answer takes the question, and gives it when it can.
   * @param ms how long to wait for the answer of a process that has taken the question
   * @returns undefined when nobody takes it; without an answer when that has not come in time
   * @throws OVERLOADED, STORE_UNAVAILABLE
   */
  ask(question: JsonObject, ms: number): Promise<{ answer: JsonObject | undefined } | undefined>
  onAsked(answerer: Answerer): void
}

/** Undefined: this process does not take the question. */
export type Answerer = (question: JsonObject) => Promise<JsonObject> | undefined

/** Counts for all processes that use a shared store together. */
export interface SharedCounts {
  /**
   * Counts one in the current window of a key, and begins one where there is none. Never rejects: while the store is away, each
   * process counts alone.
   */
  count(key: string, windowMs: number): Promise<{ count: number; leftMs: number }>
}

/** How the connections of a store can be used. */
export interface StoreDiagnosis {
  /** What answers, with its version. */
  server: string
  /**
   * Of the connection that has to have a session of its own: `kept` where it has, `changes` where a pooler gives each
   * transaction another one, `none` where no address for it was given.
   */
  session: 'kept' | 'changes' | 'none'
  /** Whether a lock in that session shows that the process lives; otherwise heartbeats do. */
  sessionLock: boolean
  /** What the options say of the other connections. */
  pooling: 'session' | 'transaction'
}

export type ReportTrouble = (message: string, error: unknown) => void

/** Who reads the streams of runs that end without a reader, in all processes that use a shared store. */
export interface SharedReaders {
  /** This process has readers of a run from now on. A hint: it is written soon, and again while the process lives. */
  join(runId: string): void
  /**
   * The readers of this process have left.
   * @param ms how long they have to come back, to any process; null: the run does not wait for readers any more
   */
  leave(runId: string, ms: number | null): void
  /** True when no other process has a reader, or waits longer for one to come back. @throws STORE_UNAVAILABLE */
  isAlone(runId: string): Promise<boolean>
  /** True while a run waits for a reader to come back to any process. @throws STORE_UNAVAILABLE */
  isLeft(runId: string): Promise<boolean>
  /** Begins to look for runs whose readers are gone together with the processes that had them. */
  open(watch: ReadersWatch): void
}

export interface ReadersWatch {
  /** How long the readers of a process that died have at least to come back to another, in milliseconds. */
  returnMs: number
  /** Several processes may find the same run. */
  onUnread(id: RunId): void
}

export interface QueueWorker {
  /** The name of the process in claims. */
  readonly name: string
  /** How long a run may take, in milliseconds; after a minute more it is given to another process. */
  readonly runMs: number
  /** How many more runs this process can take now. */
  room(): number
  /** Resolves when the run has left this process; a rejection gives it to another. */
  work(job: Job): Promise<void>
}

/** A run that a worker may claim, or one whose worker may have died. */
export interface Job {
  runId: string
  agency: string
  status: 'queued' | 'in_progress'
  attempt: number
  /** Of its last claim; 0 before the first. */
  fence: number
  worker: string | null
  pin: string | null
}
