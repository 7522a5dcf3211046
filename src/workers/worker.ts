/** A worker's end of the channel: asks the other workers through the primary, and answers them. */
import cluster from 'node:cluster'
import { createHash } from 'node:crypto'
import { AgencyError, errorText } from '../base/errors.ts'
import { overloaded } from '../base/request-errors.ts'
import { invalidOption, workerFailed } from '../base/start-errors.ts'
import { type Downward, type Listening, type Upward, unwrap, wrap } from './messages.ts'
import type { Answerer, Peers, QuestionKind, Questions } from './peers.ts'

/** The environment variable that tells a worker its number: 1, 2, 3, ... */
export const WORKER_VARIABLE = 'AGENCY_SWARM_WORKER'
/** The environment variable with a random secret that the workers of one primary share; it ends with the primary. */
export const SHARED_SECRET_VARIABLE = 'AGENCY_SWARM_WORKERS_SECRET'
/** Most questions and counts that wait for an answer. */
const MOST_WAITING = 1_000
/** How long the primary may take to count a request, in milliseconds. */
const COUNT_MS = 1_000
/** The longest answer, in characters: the primary holds it for a moment. */
const MOST_ANSWER_CHARS = 64 * 1024 * 1024
/** Longer names of callers are counted under their hash. */
const MOST_KEY_CHARS = 64

type Answerers = { [Kind in QuestionKind]?: Answerer<Kind> }

interface Question {
  answers: unknown[]
  /** The processes that have not answered; undefined until the primary has said whom it asks. */
  open: Set<number> | undefined
  /** False once somebody failed to answer. */
  complete: boolean
  enough: (answer: never) => boolean
  resolve(complete: boolean): void
}

/** This process as one of the workers that `serve({ workers })` started. */
export class WorkerChannel implements Peers {
  readonly number: number
  readonly #questions = new Map<number, Question>()
  readonly #counts = new Map<number, (counted: { count: number; leftMs: number }) => void>()
  readonly #answerers: Answerers = {}
  #lastId = 0
  #onStop: (how: 'stop' | 'retire') => void = () => {}

  constructor(number: number) {
    this.number = number
    process.on('message', (received) => {
      const message = unwrap<Downward>(received)
      if (message !== undefined) this.#take(message)
    })
  }

  /** @param onStop called when the primary tells this worker to end */
  listening(listening: Listening, onStop: (how: 'stop' | 'retire') => void): void {
    this.#onStop = onStop
    this.#send({ kind: 'listening', listening })
  }

  /** Tells the primary that somebody asks this worker alone to end. */
  leave(): void {
    this.#send({ kind: 'leaving' })
  }

  /** Tells the primary why this worker cannot serve, and ends the process: the primary throws the error. */
  fail(error: unknown): Promise<never> {
    const { code, statusCode: status, message } = AgencyError.isInstance(error) ? error : workerFailed(errorText(error))
    const { promise } = Promise.withResolvers<never>()
    process.send?.(wrap({ kind: 'failed', code, status, message }), () => process.exit(1))
    return promise
  }

  answer<Kind extends QuestionKind>(kind: Kind, answerer: Answerer<Kind>): void {
    Object.assign(this.#answerers, { [kind]: answerer })
  }

  async ask<Kind extends QuestionKind>(
    kind: Kind,
    asks: Questions[Kind]['asks'],
    { ms, enough = () => false }: { ms: number; enough?: (answer: Questions[Kind]['answer']) => boolean },
  ) {
    const id = this.#newId()
    const answers: Questions[Kind]['answer'][] = []
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#questions.set(id, { answers, open: undefined, complete: true, enough, resolve })
    const timer = setTimeout(resolve, ms, false)
    try {
      this.#send({ kind: 'ask', id, question: kind, asks })
      return { complete: await promise, answers }
    } finally {
      clearTimeout(timer)
      this.#questions.delete(id)
    }
  }

  async count(key: string, windowMs: number): Promise<{ count: number; leftMs: number }> {
    const id = this.#newId()
    const { promise, resolve, reject } = Promise.withResolvers<{ count: number; leftMs: number }>()
    this.#counts.set(id, resolve)
    const timer = setTimeout(
      () => reject(new Error(`The primary process did not count within ${COUNT_MS} ms.`)),
      COUNT_MS,
    )
    try {
      const short = key.length > MOST_KEY_CHARS ? createHash('sha256').update(key).digest('base64url') : key
      this.#send({ kind: 'count', id, key: short, windowMs })
      return await promise
    } finally {
      clearTimeout(timer)
      this.#counts.delete(id)
    }
  }

  /** @throws OVERLOADED */
  #newId(): number {
    if (this.#questions.size + this.#counts.size >= MOST_WAITING) throw overloaded('questions to other workers')
    return ++this.#lastId
  }

  #send(message: Upward): void {
    if (process.connected) process.send?.(wrap(message), () => {}) // without its primary this process ends
  }

  #take(message: Downward): void {
    switch (message.kind) {
      case 'stop':
      case 'retire':
        this.#onStop(message.kind)
        return
      case 'asked': {
        const question = this.#questions.get(message.id)
        if (question === undefined) return
        question.open = new Set(message.of)
        if (question.open.size === 0) question.resolve(true)
        return
      }
      case 'question':
        void this.#reply(message)
        return
      case 'answer':
        this.#note(message)
        return
      case 'gone':
        for (const question of this.#questions.values()) this.#strike(question, message.process)
        return
      case 'counted':
        this.#counts.get(message.id)?.(message)
        return
      default:
        message satisfies never
    }
  }

  async #reply({ from, id, question, asks }: Extract<Downward, { kind: 'question' }>): Promise<void> {
    const answerer = this.#answerers[question] as ((asks: unknown) => Promise<unknown>) | undefined
    // A worker that fails at a question has no answer to it; the reason is in the log of the worker that failed.
    const answer = await answerer?.(asks).catch(() => undefined)
    const json = answer === undefined ? undefined : JSON.stringify(answer)
    const fits = json === undefined || json.length <= MOST_ANSWER_CHARS
    this.#send({ kind: 'answer', to: from, id, json: fits ? json : undefined })
  }

  #note({ id, from, json }: Extract<Downward, { kind: 'answer' }>): void {
    const question = this.#questions.get(id)
    if (question === undefined) return
    if (json === undefined) question.complete = false
    else {
      const answer: unknown = JSON.parse(json)
      question.answers.push(answer)
      if (question.enough(answer as never)) question.resolve(true)
    }
    this.#strike(question, from)
  }

  /** A process has answered, or will not. */
  #strike({ open, resolve, complete }: Question, from: number): void {
    if (open?.delete(from) === true && open.size === 0) resolve(complete)
  }
}

/**
 * The channel of this process when `serve({ workers })` started it; undefined otherwise.
 * @throws INVALID_OPTION in a worker of another program's cluster, such as PM2's
 */
export function openChannel(): WorkerChannel | undefined {
  if (cluster.isPrimary) return undefined
  const number = Number(process.env[WORKER_VARIABLE])
  if (!(number >= 1))
    throw invalidOption(
      'This process is already a worker of another cluster, such as the cluster mode of PM2. Leave out workers, or start the program without that cluster.',
    )
  return new WorkerChannel(number)
}
