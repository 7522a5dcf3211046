/** Questions to the other processes on a database, about what is not in it: asked by notification, answered by a row. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { overloaded } from '../../base/request-errors.ts'
import type { Answerer, Processes } from '../../runs/run-store.ts'
import type { JsonObject } from '../../wire/json.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'

/** How long to wait for a process that takes a question, and how often it is asked until then, in milliseconds. */
const TAKE_MS = 1_000
const ASK_AGAIN_MS = 300
/** How often the answer is looked for, in milliseconds, beside the notification that it is there. */
const LOOK_MS = 500
/** Most questions of this process that wait. */
const MOST_WAITING = 100
/** PostgreSQL takes 8,000 bytes. */
const MOST_CHARS = 2_000
/** How much longer than its asker waits an answer is kept, in milliseconds. */
const KEPT_MS = 60_000

type Notice = { ask: string; question: JsonObject; until: number } | { told: string }

export class Questions implements Processes {
  readonly #pool: Pool
  readonly #channel: string
  readonly #waiting = new Map<string, () => void>()
  /** Questions that this process is answering: they are asked more than once. */
  readonly #taken = new Set<string>()
  #answerer: Answerer | undefined

  constructor(pool: Pool, session: Session | undefined) {
    this.#pool = pool
    this.#channel = `${pool.schema}_ask`
    session?.listen(this.#channel, (text) => this.#receive(text))
  }

  onAsked(answerer: Answerer): void {
    this.#answerer = answerer
  }

  async ask(question: JsonObject, ms: number): Promise<{ answer: JsonObject | undefined } | undefined> {
    if (this.#waiting.size >= MOST_WAITING) throw overloaded('questions to other workers')
    if (JSON.stringify(question).length > MOST_CHARS) return undefined
    const id = randomUUID()
    const began = Date.now()
    let wake = Promise.withResolvers<void>()
    this.#waiting.set(id, () => wake.resolve())
    try {
      for (let isTaken = false; ; ) {
        wake = Promise.withResolvers()
        if (!isTaken) await this.#notify({ ask: id, question, until: began + ms })
        const enough = new AbortController()
        await Promise.race([wake.promise, delay(isTaken ? LOOK_MS : ASK_AGAIN_MS, undefined, enough).catch(() => {})])
        enough.abort()
        const row = await this.#read(id)
        isTaken = row !== undefined
        if (row?.answer != null) return { answer: JSON.parse(row.answer) }
        const waited = Date.now() - began
        if (waited >= ms) return isTaken ? { answer: undefined } : undefined
        if (!isTaken && waited >= TAKE_MS) return undefined
      }
    } finally {
      this.#waiting.delete(id)
      await this.#pool
        .execute(`DELETE FROM ${this.#pool.schema}.answers WHERE id = $1 OR expires_at < $2`, [id, Date.now()])
        .catch(() => {}) // the next question removes it
    }
  }

  async #read(id: string): Promise<{ answer: string | null } | undefined> {
    const { rows } = await this.#pool.execute(`SELECT answer FROM ${this.#pool.schema}.answers WHERE id = $1`, [id])
    return rows[0]
  }

  #receive(text: string): void {
    const notice = readNotice(text)
    if (notice === undefined) return
    if ('told' in notice) this.#waiting.get(notice.told)?.()
    else if (!this.#taken.has(notice.ask) && !this.#waiting.has(notice.ask)) {
      const answer = this.#answerer?.(notice.question)
      if (answer !== undefined) void this.#tell(notice.ask, answer, notice.until).catch(() => {}) // its asker stops waiting
    }
  }

  /** Says that an answer will come, and what it is. */
  async #tell(id: string, answer: Promise<JsonObject>, until: number): Promise<void> {
    this.#taken.add(id)
    answer.catch(() => {}) // while its row is being made
    const put = (text: string | null) =>
      this.#pool.execute(
        `INSERT INTO ${this.#pool.schema}.answers (id, answer, expires_at) VALUES ($1, $2, $3)
          ON CONFLICT (id) DO UPDATE SET answer = excluded.answer`,
        [id, text, until + KEPT_MS],
      )
    try {
      await put(null)
      await this.#notify({ told: id })
      await put(JSON.stringify(await answer))
      await this.#notify({ told: id })
    } finally {
      this.#taken.delete(id)
    }
  }

  async #notify(notice: Notice): Promise<void> {
    await this.#pool.execute('SELECT pg_notify($1, $2)', [this.#channel, JSON.stringify(notice)])
  }
}

/** Undefined for a text that is not ours: everybody may send to a channel. */
function readNotice(text: string): Notice | undefined {
  try {
    const notice: Notice = JSON.parse(text)
    return 'told' in notice || typeof notice.question === 'object' ? notice : undefined
  } catch {
    return undefined
  }
}
