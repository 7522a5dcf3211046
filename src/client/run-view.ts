/** What the events of a run amount to, without those that never happened. */
import type { StoredMessage } from '../wire/message.ts'
import type { RunBranch, RunSteer } from '../wire/steering.ts'
import type { RequestedApproval, RunEvent, RunNotice } from './run-events.ts'
import { readText } from './text.ts'

type ItemEvent = RunEvent & { kind: 'item' }
type SteerEvent = RunEvent & { kind: 'steer' }
type BranchEvent = RunEvent & { kind: 'branch' }
type MessagesEvent = RunEvent & { kind: 'messages' }

/**
 * The state of a run after the events that were pushed. An `attempt` event takes back what its predecessors added and never
 * happened, so `text` may become shorter. `stream.view` is one; make your own for events that reach you in another way.
 *
 * @example
 * ```ts
 * import { createClient, RunView } from 'agency-swarm-js/client'
 *
 * const view = new RunView()
 * for await (const event of createClient({ baseUrl: 'http://localhost:8000' }).agency('my_agency').runs.stream('Hello')) {
 *   view.push(event)
 *   console.log(view.text)
 * }
 * ```
 */
export class RunView {
  #runId: string | undefined
  #lastEventId = 0
  #attempt = 1
  #queuePosition: number | null = null
  #text = ''
  /** Before each change of the text: the number of its event, the length of the text and the reader's state. */
  #changes: { id: number; length: number; streamed: boolean }[] = []
  readonly #reading = { streamed: false }
  #items: ItemEvent[] = []
  #requests: { id: number; approvals: RequestedApproval[] }[] = []
  #decisions: { id: number; approvalId: string }[] = []
  #steers: SteerEvent[] = []
  #branches: BranchEvent[] = []
  #failures: { id: number; content: string }[] = []
  #messages: MessagesEvent | undefined

  /** Undefined before the first event of the run. */
  get runId(): string | undefined {
    return this.#runId
  }
  /** The number of the newest event: the `after` with which `runs.events` goes on. */
  get lastEventId(): number {
    return this.#lastEventId
  }
  /** How many processes have taken the run up; 1 at first. */
  get attempt(): number {
    return this.#attempt
  }
  /** The place in the queue of the thread, 1 is next; null when the run does not wait. */
  get queuePosition(): number | null {
    return this.#queuePosition
  }
  /** All text so far of the agents that talk to the user. */
  get text(): string {
    return this.#text
  }
  /** The complete items so far: calls, outputs, messages, handoffs. */
  get items(): readonly ItemEvent[] {
    return this.#items
  }
  /** Why the run failed; undefined while it has not. */
  get failure(): string | undefined {
    return this.#failures.at(-1)?.content
  }
  /** The final messages; undefined until the run has ended. */
  get messages(): readonly StoredMessage[] | undefined {
    return this.#messages?.new_messages
  }
  /** Calls that wait for a decision. */
  get approvals(): readonly RequestedApproval[] {
    if (this.#messages !== undefined) return []
    const answered = new Set(this.#items.flatMap(({ name, call_id }) => (name === 'tool_output' ? [call_id] : [])))
    const decided = new Set(this.#decisions.map(({ approvalId }) => approvalId))
    return this.#requests
      .flatMap(({ approvals }) => approvals)
      .filter(({ approval_id, call_id }) => !decided.has(approval_id) && !answered.has(call_id))
  }

  /** Messages that were sent to agents of the run, each as its newest event tells it. */
  get steers(): readonly RunSteer[] {
    const byId = new Map<string, RunSteer>()
    for (const { id: _, kind: __, ...steer } of this.#steers)
      byId.set(steer.steer_id, { ...byId.get(steer.steer_id), ...steer })
    return [...byId.values()]
  }
  /** Agents that wait at a turn boundary until they are continued. */
  get paused(): readonly RunBranch[] {
    if (this.#messages !== undefined) return []
    const byAgent = new Map<string, RunBranch>()
    for (const { id: _, kind: __, ...branch } of this.#branches)
      byAgent.set(`${branch.call_id} ${branch.agent}`, branch)
    return [...byAgent.values()].filter(({ state }) => state === 'paused')
  }

  /** Adds an event. Events come in the order of their numbers. */
  push(event: RunEvent): void {
    const { id } = event
    this.#lastEventId = id
    switch (event.kind) {
      case 'meta':
        this.#runId = event.run_id
        break
      case 'queued':
        this.#queuePosition = event.position
        break
      case 'attempt':
        this.#attempt = event.attempt
        this.#drop(event.void_after)
        break
      case 'requires_action':
        this.#requests.push({ id, approvals: event.approvals })
        break
      case 'approval_decided':
        this.#decisions.push({ id, approvalId: event.approval_id })
        break
      case 'steer':
        this.#steers.push(event)
        break
      case 'branch':
        this.#branches.push(event)
        break
      case 'truncated':
        break
      case 'messages':
        this.#messages = event
        break
      case 'error':
        if (!event.nested) this.#failures.push({ id, content: event.content })
        break
      default:
        if (event.kind === 'agent') this.#queuePosition = null
        if (event.kind === 'item') this.#items.push(event)
        this.#read(event)
    }
  }

  #read(event: Exclude<RunEvent, { kind: RunNotice['kind'] }>): void {
    const { streamed } = this.#reading
    const text = readText(this.#reading, event)
    if (text === '' && streamed === this.#reading.streamed) return
    this.#changes.push({ id: event.id, length: this.#text.length, streamed })
    this.#text += text
  }

  /** Takes back what the events beyond a number have added. */
  #drop(after: number): void {
    const isKept = ({ id }: { id: number }) => id <= after
    const first = this.#changes.findIndex((change) => !isKept(change))
    const change = this.#changes[first]
    if (change !== undefined) {
      this.#text = this.#text.slice(0, change.length)
      this.#reading.streamed = change.streamed
      this.#changes.length = first
    }
    this.#items = this.#items.filter(isKept)
    this.#requests = this.#requests.filter(isKept)
    this.#decisions = this.#decisions.filter(isKept)
    this.#steers = this.#steers.filter(isKept)
    this.#branches = this.#branches.filter(isKept)
    this.#failures = this.#failures.filter(isKept)
  }
}
