/** The messages of one run: the history that it was given, and what it added. */
import { clean } from '../../messages/clean.ts'
import { threadOf } from '../../threads/isolation.ts'
import type { StoredMessage } from '../../wire/message.ts'

/** Messages that were added together. */
export interface TranscriptEntry {
  /** Rises with each entry; an entry is never changed. Gaps are possible after a restart. */
  readonly n: number
  readonly messages: readonly StoredMessage[]
  /** The agent thread that ended with these messages; undefined for messages that were stored while a thread went on. */
  readonly thread: string | undefined
}

/** What a provider found at its MCP servers is for the run itself: it is long, and the next run asks again. */
const LISTINGS = new Set<unknown>(['mcp_list_tools', 'openai_list_tools'])

/** The messages of one run in the order of storing. Messages are only ever appended. */
export class Transcript {
  readonly #history: readonly StoredMessage[]
  readonly #entries: TranscriptEntry[] = []
  readonly #added: StoredMessage[] = []
  #next = 0

  constructor(history: readonly StoredMessage[]) {
    this.#history = history
  }

  /** The number of the next entry. */
  get next(): number {
    return this.#next
  }

  add(messages: readonly StoredMessage[], thread?: string): TranscriptEntry {
    const entry = { n: this.#next, messages, thread }
    this.restore(entry)
    return entry
  }

  /** Adds an entry of an earlier attempt, under its own number. Entries come in the order of their numbers. */
  restore(entry: TranscriptEntry): void {
    this.#entries.push(entry)
    this.#added.push(...entry.messages)
    this.#next = entry.n + 1
  }

  /** What one agent thread may see of the history and of the entries before a number. */
  thread(agent: string, caller: string | null, before = Number.POSITIVE_INFINITY): StoredMessage[] {
    const added =
      before >= this.#next ? this.#added : this.#entries.flatMap(({ n, messages }) => (n < before ? messages : []))
    return threadOf([...this.#history, ...added], agent, caller)
  }

  /** The messages of these entries. */
  messagesOf(numbers: readonly number[]): StoredMessage[] {
    return this.#entries.filter(({ n }) => numbers.includes(n)).flatMap(({ messages }) => messages)
  }

  /** What callers get and store: whole calls, each id once. */
  newMessages(): StoredMessage[] {
    return this.#clean(this.#added)
  }

  /** The whole list as it would be if the run ended now; `pending` are items of agent threads that go on. */
  all(pending: readonly StoredMessage[]): StoredMessage[] {
    return [...this.#history, ...this.#clean([...this.#added, ...pending])]
  }

  /** An output may answer a call of the history. */
  #clean(added: readonly StoredMessage[]): StoredMessage[] {
    return clean([...this.#history, ...added.filter(isStored)], this.#history.length)
  }
}

const isStored = (message: StoredMessage) => !LISTINGS.has(message.type)
