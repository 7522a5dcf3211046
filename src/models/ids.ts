/** Creates ids of items and calls. */
import { randomBytes } from 'node:crypto'
import type { InputItem } from '../wire/message.ts'

/** A new id for an item that its provider gave none. */
export const newId = (prefix: string) => `${prefix}_${randomBytes(16).toString('hex')}`

/** False for a blank text, and for one with characters that stores change or refuse. */
const isUsable = (id: unknown): id is string =>
  typeof id === 'string' && id.trim() !== '' && id.isWellFormed() && !id.includes('\0')

/** The call ids of one answer, each unique in the conversation: providers refuse a repeated one. */
export class CallIds {
  readonly #input: readonly InputItem[]
  #taken: Set<unknown> | undefined

  /** @param input the conversation so far */
  constructor(input: readonly InputItem[] = []) {
    this.#input = input
  }

  /** The provider's id, or a new one where that is missing or in use. */
  take(id: unknown): string {
    this.#taken ??= new Set(this.#input.flatMap(({ type, call_id }) => (type === 'function_call' ? [call_id] : [])))
    const own = isUsable(id) && !this.#taken.has(id) ? id : newId('call')
    this.#taken.add(own)
    return own
  }
}
