/** What an MCP session has sent lately, for hosts that lost their connection. */
import type { EventStore, JSONRPCMessage } from '@modelcontextprotocol/server'
import { type Budget, weigh } from '../base/budget.ts'

const MAX_EVENTS = 1_000
const MAX_BYTES = 4 * 1024 * 1024

interface SentEvent {
  id: string
  stream: string
  message: JSONRPCMessage
  bytes: number
}

/** The newest events of a session. Older ones are forgotten; a host that asks for them is refused. */
export class RecentEvents implements EventStore {
  readonly #budget: Budget
  readonly #events: SentEvent[] = []
  #last = 0
  #bytes = 0

  /** @param budget charged for the events; closed with the session */
  constructor(budget: Budget) {
    this.#budget = budget
  }

  has(id: string): boolean {
    return this.#events.some((event) => event.id === id)
  }

  async storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const event = { id: String(++this.#last), stream, message, bytes: weigh(message) }
    if (event.bytes <= MAX_BYTES && this.#makeRoom(event.bytes)) this.#events.push(event)
    return event.id
  }

  async replayEventsAfter(
    id: string,
    { send }: { send: (id: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const index = this.#events.findIndex((event) => event.id === id)
    const stream = this.#events[index]?.stream
    if (stream === undefined) throw new Error(`The event ${id} is not kept.`)
    for (const event of this.#events.slice(index + 1))
      if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message) // the first event of a stream is empty
    return stream
  }

  /** Forgets old events until another one fits. False when the process has no room for it. */
  #makeRoom(bytes: number): boolean {
    while (this.#events.length >= MAX_EVENTS || this.#bytes + bytes > MAX_BYTES) this.#forgetOldest()
    while (true)
      try {
        this.#budget.charge(bytes)
        this.#bytes += bytes
        return true
      } catch {
        if (this.#events.length === 0) return false // the event is sent all the same, but cannot be sent again
        this.#forgetOldest()
      }
  }

  #forgetOldest(): void {
    const bytes = this.#events.shift()?.bytes ?? 0
    this.#bytes -= bytes
    this.#budget.release(bytes)
  }
}
