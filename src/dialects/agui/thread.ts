/** What all parts of the AG-UI writer share while they fold a run: ids, calls, snapshots and the threads of the run. */
import type { Speaker } from '../../runs/events.ts'
import type { AguiMessage, AguiPart, AguiRequest } from '../../wire/agui.ts'
import type { AguiEvent } from '../../wire/agui-events.ts'
import type { JsonObject } from '../../wire/json.ts'
import type { InputItem } from '../../wire/message.ts'
import { frame, toJson } from '../../wire/sse.ts'
import { Snapshots } from './snapshots.ts'

/** One thread of the run: the user's, or that of a send_message call. */
export interface Branch {
  /** Key of the call that opened the thread; `USERS` for the user's thread. */
  readonly key: string
  readonly parent: Branch | undefined
  /** Id of the sub-agent whose thread it is; undefined for the user's thread. */
  subagentRunId: string | undefined
  /** That agent, once it is a sub-agent. */
  subagent: Speaker | undefined
  /** End of every delta frame: the attribution as JSON. */
  tail: string
  /** Items that are being streamed, by their place in the response. */
  readonly open: Map<unknown, Streamed>
  /** The provider's id of a text -> the id it was sent with. */
  readonly texts: Map<unknown, string>
}

/** A text, call or reasoning item that is sent in deltas. */
export interface Streamed {
  readonly kind: 'text' | 'call' | 'code' | 'reasoning'
  readonly id: string
  /** Start of every delta frame, up to the delta. */
  readonly head: string
  /** True once a delta was sent. */
  started: boolean
  /** For reasoning: the text so far, for the snapshots. */
  text: string
  /** The agent it belongs to. */
  readonly metadata: JsonObject
}

/** A call that was sent and has no result yet. */
export interface Call {
  readonly toolCallId: string
  readonly messageId: string
  readonly branch: Branch
}

/** Key of the user's thread. */
export const USERS = ''
export const callKey = (agent: string | null, callId: unknown) => `${agent}\n${callId}`
export const event = (data: AguiEvent) => frame(toJson(data))

export const toMetadata = ({ agent, callerAgent, agentRunId, parentRunId }: Speaker): JsonObject => ({
  agent,
  callerAgent,
  agent_run_id: agentRunId,
  parent_run_id: parentRunId,
})

/** The state of one run's stream. */
export class AguiThread {
  readonly request: AguiRequest
  readonly branches = new Map<string, Branch>()
  readonly calls = new Map<string, Call>()
  /** Number of items being streamed. A snapshot cannot contain them yet, and a client would drop them on reading one. */
  openItems = 0
  readonly #runId: string
  readonly #messages: readonly AguiMessage[]
  readonly #snapshots: Snapshots
  #snapshotDue = false
  readonly #branchBySpeaker = new WeakMap<Speaker, Branch>()
  readonly #ids = new Set<string>()
  #madeIds = 0

  constructor(request: AguiRequest, runId: string, notes: readonly InputItem[]) {
    this.request = request
    this.#runId = runId
    this.#messages = withNotes(request.messages, runId, notes)
    const isOptional = ({ role }: AguiMessage) => role === 'reasoning' || role === 'activity'
    this.#snapshots = new Snapshots(
      request.events.reasoning ? this.#messages : this.#messages.filter((message) => !isOptional(message)),
    )
  }

  /** The thread in which an agent speaks; the user's thread for events that belong to no agent. */
  branch(who: Speaker | undefined): Branch {
    const cached = who && this.#branchBySpeaker.get(who)
    if (cached !== undefined) return cached
    const key = who?.parentRunId === undefined ? USERS : callKey(who.callerAgent, who.parentRunId)
    const branch = this.branches.get(key) ?? {
      key,
      parent: this.calls.get(key)?.branch,
      subagentRunId: undefined,
      subagent: undefined,
      tail: '}\n\n',
      open: new Map(),
      texts: new Map(),
    }
    this.branches.set(key, branch)
    if (who !== undefined) this.#branchBySpeaker.set(who, branch)
    return branch
  }

  /** Adds a message to the snapshots; `late` ones are in the closing snapshot only. */
  add(message: JsonObject, late = false): void {
    this.#snapshots.add(message, late)
    if (!late) this.#snapshotDue = true
  }

  /** Adds reasoning to the next snapshot. */
  addReasoning(message: JsonObject): void {
    this.#snapshots.add(message, false)
  }

  /** The result of a call: a message of the snapshots, and an event where the client takes it. */
  answer(who: Speaker, callId: unknown, content: string | AguiPart[], late = false): string {
    const key = callKey(who.agent, callId)
    const id = this.calls.get(key)?.toolCallId ?? String(callId)
    this.calls.delete(key)
    const attribution = { subagentRunId: this.branch(who).subagentRunId, metadata: toMetadata(who) }
    this.add({ id, role: 'tool', content, toolCallId: id, ...attribution }, late)
    if (!this.request.events.toolResults) return ''
    return event({ type: 'TOOL_CALL_RESULT', messageId: id, toolCallId: id, content, role: 'tool', ...attribution })
  }

  /** The id under which a call of the user's thread was sent, by any agent. */
  toolCallIdOf(callId: unknown): string {
    for (const [key, { toolCallId, branch }] of this.calls)
      if (branch.key === USERS && key.endsWith(`\n${callId}`)) return toolCallId
    return String(callId)
  }

  /** The snapshot that is due, once no item is being streamed. */
  takeSnapshot(): string {
    if (!this.#snapshotDue || this.openItems > 0) return ''
    this.#snapshotDue = false
    return this.#snapshots.take()
  }

  closingSnapshot(): string {
    return this.#snapshots.close()
  }

  /** The conversation as it is, also when it is known already. */
  snapshot(): string {
    this.#snapshotDue = false
    return this.#snapshots.repeat()
  }

  /** Never repeats an id that the other one gave. */
  avoidIdsOf(other: AguiThread): void {
    for (const id of other.#ids) this.#ids.add(id)
  }

  /** The provider's id, made unique where a provider repeats one: clients merge items with the same id. */
  newId(id: unknown): string {
    const wanted = typeof id === 'string' && id !== '' ? id : `${this.#runId}_${++this.#madeIds}`
    const isTaken = (candidate: string) =>
      this.#ids.has(candidate) || this.#messages.some((message) => message.id === candidate)
    let unique = wanted
    for (let count = 2; isTaken(unique); count++) unique = `${wanted}_${count}`
    this.#ids.add(unique)
    return unique
  }
}

/** The messages with the notes about files before the last one, so that the client's snapshots keep them. */
function withNotes(
  messages: readonly AguiMessage[],
  runId: string,
  notes: readonly InputItem[],
): readonly AguiMessage[] {
  if (notes.length === 0) return messages
  const id = `system_file_urls_${runId.replaceAll('-', '')}`
  const added = notes.map(({ content }, index) => ({
    id: index === 0 ? id : `${id}_${index + 1}`,
    role: 'system' as const,
    content: String(content),
  }))
  return messages.toSpliced(-1, 0, ...added)
}
