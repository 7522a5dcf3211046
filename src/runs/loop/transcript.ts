import { clean } from '../../messages/clean.ts'
import { threadOf } from '../../threads/isolation.ts'
import type { StoredMessage } from '../../wire/message.ts'

/** What a provider found at its MCP servers is for the run itself: it is long, and the next run asks again. */
const LISTINGS = new Set<unknown>(['mcp_list_tools', 'openai_list_tools'])

/** The messages of one run: the history it came with and what it added, in the order of storing. */
export class MessageStore {
  readonly #history: readonly StoredMessage[]
  readonly #added: StoredMessage[] = []

  constructor(history: readonly StoredMessage[]) {
    this.#history = history
  }
  add(...messages: StoredMessage[]): void {
    this.#added.push(...messages)
  }
  /** What one conversation may see. */
  thread(agent: string, caller: string | null): StoredMessage[] {
    return threadOf([...this.#history, ...this.#added], agent, caller)
  }
  /** What callers get and store: whole calls, each id once. */
  newMessages(): StoredMessage[] {
    return this.#clean(this.#added)
  }
  /** The whole list as it would be if the run ended now; `pending` are items of conversations that go on. */
  all(pending: readonly StoredMessage[]): StoredMessage[] {
    return [...this.#history, ...this.#clean([...this.#added, ...pending])]
  }
  /** An output may answer a call of the history. */
  #clean(added: readonly StoredMessage[]): StoredMessage[] {
    return clean([...this.#history, ...added.filter(isStored)], this.#history.length)
  }
}

const isStored = (message: StoredMessage) => !LISTINGS.has(message.type)
