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

  /**
   * An agent starts to speak in a thread. The first one in the thread of a call is a sub-agent; after a handoff another agent speaks
   * in the same thread, and in that of the user its messages are the answer, which clients show beside no sub-agent.
   */
  enter(who: Speaker): string {
    const branch = this.#thread.branch(who)
    if (branch.key === USERS || branch.subagentRunId !== undefined) return ''
    const call = this.#thread.calls.get(branch.key)
    const subagentRunId = this.#thread.newId(who.agentRunId)
    setSubagent(branch, subagentRunId, who)
    if (!this.#thread.request.events.subagents) return ''
    return event({
      type: 'SUBAGENT_STARTED',
      subagentRunId,
      name: who.agent,
      description: who.description || undefined,
      parentSubagentRunId: branch.parent?.subagentRunId,
      parentToolCallId: call?.toolCallId,
      parentMessageId: call?.messageId,
    })
  }

  /** Closes a thread and the threads it opened. */
  close(branch: Branch, failure?: string): string {
    const { branches } = this.#thread
    branches.delete(branch.key)
    let out = ''
    for (const other of [...branches.values()]) if (other.parent === branch) out += this.close(other)
    return out + this.#items.endAll(branch) + this.#leave(branch, failure)
  }

  /** Ends what is open in all threads, which go on later: innermost first. */
  suspend(interruptIds: readonly string[]): string {
    let out = ''
    for (const branch of [...this.#thread.branches.values()].reverse()) {
      out += this.#items.endAll(branch)
      if (branch.subagentRunId === undefined || !this.#thread.request.events.subagents) continue
      const outcome = { type: 'suspended' as const, interruptIds: [...interruptIds] }
      out += event({ type: 'SUBAGENT_FINISHED', subagentRunId: branch.subagentRunId, outcome })
    }
    return out
  }

  /** Starts the sub-agents of all threads again. @param renew with new ids, where the client has seen the end of the old ones */
  resume(renew: boolean): string {
    let out = ''
    for (const branch of this.#thread.branches.values()) {
      const { subagent, subagentRunId, parent } = branch
      if (subagent === undefined || subagentRunId === undefined) continue
      if (renew) setSubagent(branch, this.#thread.newId(subagentRunId), subagent)
      if (!this.#thread.request.events.subagents) continue
      out += event({
        type: 'SUBAGENT_STARTED',
        subagentRunId: branch.subagentRunId as string,
        name: subagent.agent,
        description: subagent.description || undefined,
        parentSubagentRunId: parent?.subagentRunId,
      })
    }
    return out
  }

  #leave({ subagentRunId }: Branch, failure?: string): string {
    if (subagentRunId === undefined || !this.#thread.request.events.subagents) return ''
    if (failure === undefined) return event({ type: 'SUBAGENT_FINISHED', subagentRunId })
    return event({ type: 'SUBAGENT_ERROR', subagentRunId, message: failure })
  }
}

function setSubagent(branch: Branch, subagentRunId: string, who: Speaker): void {
  branch.subagentRunId = subagentRunId
  branch.subagent = who
  branch.tail = `,"subagentRunId":${toJson(subagentRunId)}}\n\n`
}
