import type { AguiMessage } from '../wire/agui.ts'
import type { JsonObject } from '../wire/json.ts'
import { frame, toJson } from '../wire/sse.ts'

/** All snapshots of a run together may have this many times the characters of the conversation, and so many more. */
const TIMES = 4
const FREE_CHARS = 1024 * 1024

/**
 * The conversation as MESSAGES_SNAPSHOT events: what the request brought, then what the run added. Each repeats the whole,
 * so their sum is bounded. Skipping one loses nothing: other events say the same, and the closing snapshot is complete.
 */
export class Snapshots {
  readonly #brought: readonly AguiMessage[]
  #broughtChars: number | undefined
  readonly #said: { json: string; late: boolean }[] = []
  #saidChars = 0
  #sentChars = 0
  /** Messages that no snapshot has told of. */
  #untold = 0
  #late = 0

  constructor(brought: readonly AguiMessage[]) {
    this.#brought = brought
  }

  /** `late` messages wait for the closing snapshot. */
  add(message: JsonObject, late: boolean): void {
    const json = toJson(message)
    this.#said.push({ json, late })
    this.#saidChars += json.length
    if (late) this.#late++
    else this.#untold++
  }

  /** The frame of a snapshot; empty when snapshots have cost enough. */
  take(): string {
    this.#broughtChars ??= this.#broughtJson().join().length
    const chars = this.#broughtChars + this.#saidChars
    if (this.#sentChars + chars > FREE_CHARS + TIMES * chars) return ''
    this.#sentChars += chars
    this.#untold = 0
    return this.#frame(this.#said.filter(({ late }) => !late))
  }

  /** The closing snapshot; empty when the one before told everything. */
  close(): string {
    return this.#untold + this.#late === 0 ? '' : this.#frame(this.#said)
  }

  /** Made anew for each snapshot: a stream that waits should hold no second copy of its request. */
  #broughtJson(): string[] {
    return this.#brought.map(toJson)
  }

  #frame(said: readonly { json: string }[]): string {
    const messages = [...this.#broughtJson(), ...said.map(({ json }) => json)]
    return frame(`{"type":"MESSAGES_SNAPSHOT","messages":[${messages.join()}]}`)
  }
}
