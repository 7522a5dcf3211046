/** What a primary process and its workers tell each other over the channel that `node:cluster` opens. */
import type { ErrorCode } from '../base/errors.ts'
import type { QuestionKind } from './peers.ts'

/** Where a worker listens, and what the primary prints once all do. */
export interface Listening {
  url: string
  host: string
  port: number
  /** Undefined: nothing is printed. */
  banner: string | undefined
  warning: string | undefined
}

/** From a worker to the primary. */
export type Upward =
  | { kind: 'listening'; listening: Listening }
  | { kind: 'failed'; code: ErrorCode; status: number; message: string }
  /** The worker was asked to stop alone: it goes on until another one replaces it. */
  | { kind: 'leaving' }
  | { kind: 'ask'; id: number; question: QuestionKind; asks: unknown }
  /** @property json the answer; undefined: the worker could not give one */
  | { kind: 'answer'; to: number; id: number; json: string | undefined }
  | { kind: 'count'; id: number; key: string; windowMs: number }

/** From the primary to a worker. */
export type Downward =
  /** Drain and end. */
  | { kind: 'stop' }
  /** Another worker stands in: take no more connections, finish those that are open, and end. */
  | { kind: 'retire' }
  /** The processes that a question was passed on to. */
  | { kind: 'asked'; id: number; of: number[] }
  | { kind: 'question'; from: number; id: number; question: QuestionKind; asks: unknown }
  | { kind: 'answer'; from: number; id: number; json: string | undefined }
  | { kind: 'gone'; process: number }
  | { kind: 'counted'; id: number; count: number; leftMs: number }

/** Messages of this package are under this name, beside those that a program sends itself. */
const NAME = 'agency-swarm-js'

export const wrap = (message: Upward | Downward): object => ({ [NAME]: message })

/** The message in what came over the channel; undefined for one of the program's own. */
export const unwrap = <Message extends Upward | Downward>(received: unknown): Message | undefined =>
  typeof received === 'object' && received !== null && NAME in received ? (received[NAME] as Message) : undefined
