/** What the worker processes of one machine ask each other. */
import type { StoredMessage } from '../wire/message.ts'

/** A question of one worker to all others: kind -> what is asked, and what each of them answers. */
export interface Questions {
  /** Cancels a run, where it is known. Undefined messages: it has not ended in time. */
  cancel: {
    asks: { runId: string; owner: string; mode: 'immediate' | 'after_turn'; waitMs: number }
    answer: { found: false } | { found: true; newMessages?: StoredMessage[] | undefined }
  }
  /** Writes what is left of a request log to its file. */
  flushLog: { asks: { id: string }; answer: null }
  /** The metrics of a worker, as text for Prometheus. */
  metrics: { asks: object; answer: { worker: number; text: string } }
}
export type QuestionKind = keyof Questions

export type Answerer<Kind extends QuestionKind> = (asks: Questions[Kind]['asks']) => Promise<Questions[Kind]['answer']>

/** What the processes of a machine that serve the same agencies ask each other. */
export interface Peers {
  /** The number of this process: 1, 2, 3, ... */
  readonly number: number
  /**
   * Asks all others. Resolves when each has answered or ended, when one answer is `enough`, or after `ms`; `complete` says
   * that no answer is missing. @throws OVERLOADED
   */
  ask<Kind extends QuestionKind>(
    kind: Kind,
    asks: Questions[Kind]['asks'],
    until: { ms: number; enough?: (answer: Questions[Kind]['answer']) => boolean },
  ): Promise<{ answers: Questions[Kind]['answer'][]; complete: boolean }>
  /** How this process answers such questions. */
  answer<Kind extends QuestionKind>(kind: Kind, answerer: Answerer<Kind>): void
  /** Counts a request of a caller for all processes together. Rejects when it cannot be counted in time. */
  count(key: string, windowMs: number): Promise<{ count: number; leftMs: number }>
}
