/** Writes the messages of a stored run to its thread. */
import { isDeepStrictEqual } from 'node:util'
import type { StoredMessage } from '../../wire/message.ts'
import type { LogChange } from './changes.ts'
import type { StoredLog } from './log.ts'

type MessageChange = NonNullable<LogChange['messages']>

/** Each save replaces what is there from the first message that differs. */
export class ThreadSaver {
  readonly #log: Pick<StoredLog, 'write'>
  #saved: readonly StoredMessage[]

  /** @param saved what the run has added to the thread so far */
  constructor(log: Pick<StoredLog, 'write'>, saved: readonly StoredMessage[]) {
    this.#log = log
    this.#saved = saved
  }

  /** What makes the thread hold these messages of the run; undefined when it does. */
  toChange(messages: readonly StoredMessage[]): MessageChange | undefined {
    let from = 0
    while (from < messages.length && from < this.#saved.length && isSame(messages[from], this.#saved[from])) from++
    return from === messages.length && from === this.#saved.length ? undefined : { from, list: messages.slice(from) }
  }

  async save(messages: readonly StoredMessage[]): Promise<void> {
    const change = this.toChange(messages)
    if (change === undefined) return
    await this.#log.write({ messages: change })
    this.#saved = messages
  }
}

const isSame = (a: unknown, b: unknown) => a === b || isDeepStrictEqual(a, b)
