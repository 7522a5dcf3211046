/** MESSAGES_SNAPSHOT events of AG-UI. */
import type { AguiMessage } from '../../wire/agui.ts'
import type { JsonObject } from '../../wire/json.ts'
import { frame, toJson } from '../../wire/sse.ts'

/** Limit of all snapshots of a run together: `TIMES` the characters of the conversation plus `FREE_CHARS`. */
const TIMES = 4
const FREE_CHARS = 1024 * 1024

/**
 * The conversation as MESSAGES_SNAPSHOT events: the messages of the request, then those of the run. Each snapshot repeats the
 * whole conversation, so their total size is bounded. Skipping one loses nothing: other events carry the same content, and the
 * closing snapshot is complete.
 */
export class Snapshots {
  readonly #requestMessages: readonly AguiMessage[]
  #requestChars: number | undefined
  readonly #runMessages: { json: string; late: boolean }[] = []
  #runChars = 0
  #sentChars = 0
  /** Number of messages that are not in any snapshot yet. */
  #pending = 0
  /** Number of messages that only the closing snapshot has. */
  #late = 0

  constructor(requestMessages: readonly AguiMessage[]) {
    this.#requestMessages = requestMessages
  }

  /** Adds a message of the run; `late` ones appear in the closing snapshot only. */
  add(message: JsonObject, late: boolean): void {
    const json = toJson(message)
    this.#runMessages.push({ json, late })
    this.#runChars += json.length
    if (late) this.#late++
    else this.#pending++
  }

  /** The frame of a snapshot; empty when the size limit is reached. */
  take(): string {
    this.#requestChars ??= this.#requestJson().join().length
    const chars = this.#requestChars + this.#runChars
    if (this.#sentChars + chars > FREE_CHARS + TIMES * chars) return ''
    this.#sentChars += chars
    this.#pending = 0
    return this.#frame(this.#runMessages.filter(({ late }) => !late))
  }

  /** The frame of the closing snapshot; empty when the previous one was complete. */
  close(): string {
    return this.#pending + this.#late === 0 ? '' : this.#frame(this.#runMessages)
  }

  /** The frame of a snapshot of all that is known, whatever was sent before. */
  repeat(): string {
    this.#pending = 0
    this.#late = 0
    return this.#frame(this.#runMessages)
  }

  /** Serialized again for each snapshot, so that a waiting stream holds no second copy of its request. */
  #requestJson(): string[] {
    return this.#requestMessages.map(toJson)
  }

  #frame(runMessages: readonly { json: string }[]): string {
    const messages = [...this.#requestJson(), ...runMessages.map(({ json }) => json)]
    return frame(`{"type":"MESSAGES_SNAPSHOT","messages":[${messages.join()}]}`)
  }
}
