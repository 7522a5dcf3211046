/** The agents that speak in the threads of a run: SUBAGENT_STARTED, SUBAGENT_FINISHED, SUBAGENT_ERROR. */
import type { Speaker } from '../../runs/events.ts'
import { toJson } from '../../wire/sse.ts'
import type { StreamedItems } from './streamed-items.ts'
import { type AguiThread, type Branch, event, USERS } from './thread.ts'

export class Subagents {
  readonly #thread: AguiThread
  readonly #items: StreamedItems

  constructor(thread: AguiThread, items: StreamedItems) {
    this.#thread = thread
    this.#items = items
  }

  /** An agent starts to speak in a thread: as a sub-agent, or after a handoff. */
  enter(who: Speaker): string {
    const branch = this.#thread.branch(who)
    const { key, handoff, subagentRunId: before } = branch
    if (handoff === undefined && (key === USERS || before !== undefined)) return '' // the entry agent, or another attempt
    const left = this.#leave(branch)
    const call = handoff ?? this.#thread.calls.get(key)
    const subagentRunId = this.#thread.newId(who.agentRunId)
    branch.handoff = undefined
    branch.subagentRunId = subagentRunId
    branch.tail = `,"subagentRunId":${toJson(subagentRunId)}}\n\n`
    if (!this.#thread.request.events.subagents) return left
    const started = event({
      type: 'SUBAGENT_STARTED',
      subagentRunId,
      name: who.agent,
      description: who.description || undefined,
      parentSubagentRunId: before ?? branch.parent?.subagentRunId,
      parentToolCallId: call?.toolCallId,
      parentMessageId: call?.messageId,
    })
    return left + started
  }

  /** Closes a thread and the threads it opened. */
  close(branch: Branch, failure?: string): string {
    const { branches } = this.#thread
    branches.delete(branch.key)
    let out = ''
    for (const other of [...branches.values()]) if (other.parent === branch) out += this.close(other)
    return out + this.#items.endAll(branch) + this.#leave(branch, failure)
  }

  #leave({ subagentRunId }: Branch, failure?: string): string {
    if (subagentRunId === undefined || !this.#thread.request.events.subagents) return ''
    if (failure === undefined) return event({ type: 'SUBAGENT_FINISHED', subagentRunId })
    return event({ type: 'SUBAGENT_ERROR', subagentRunId, message: failure })
  }
}
