/** Sub-agents of a run as data parts, one for each agent that works for another, replaced by its id as the agent goes on. */
import type { Speaker } from '../../runs/events.ts'
import type { AgencyAgentData } from '../../wire/ai-sdk-parts.ts'
import { chunk } from './chunks.ts'

interface Subagent {
  readonly who: Speaker
  readonly data: AgencyAgentData
  /** Length of the text that was sent last. */
  sent: number
  /** The text so far has ended: what follows is another message. */
  between: boolean
}

/** A text is sent again when it has grown by this many characters, and by a sixteenth of its length: never more than 17 times its size. */
const STEP_CHARS = 80

export class Subagents {
  readonly #byRun = new Map<string, Subagent>()

  readonly #toToolCallId: (callId: string) => string

  /** @param toToolCallId the id under which a call was shown */
  constructor(toToolCallId: (callId: string) => string) {
    this.#toToolCallId = toToolCallId
  }

  /** An agent starts. */
  enter(who: Speaker): string {
    return this.#byRun.has(who.agentRunId) ? '' : this.#show(this.#find(who))
  }

  addText(who: Speaker, delta: string): string {
    const agent = this.#find(who)
    const { data } = agent
    if (agent.between && data.text !== '') data.text += '\n\n'
    agent.between = false
    data.text += delta
    return data.text.length - agent.sent >= Math.max(STEP_CHARS, data.text.length / 16) ? this.#show(agent) : ''
  }

  /** A message of the agent is complete. */
  endText(who: Speaker): void {
    this.#find(who).between = true
  }

  callTool(who: Speaker, toolCallId: string, toolName: string): string {
    const agent = this.#find(who)
    if (agent.data.tools.some((tool) => tool.toolCallId === toolCallId && tool.state === 'running')) return ''
    agent.data.tools.push({ toolCallId, toolName, state: 'running' })
    return this.#show(agent)
  }

  answerTool(who: Speaker, toolCallId: string): string {
    const agent = this.#find(who)
    const call = agent.data.tools.find((tool) => tool.toolCallId === toolCallId && tool.state === 'running')
    if (call === undefined) return ''
    call.state = 'done'
    return this.#show(agent)
  }

  fail(who: Speaker, error: string): string {
    const agent = this.#find(who)
    agent.data.error = error
    return this.#end(agent, 'failed')
  }

  /** The call that the agents worked for has its answer. */
  endCall(caller: string, callId: unknown): string {
    return this.#endAll('done', ({ who }) => who.callerAgent === caller && who.parentRunId === callId)
  }

  /** The run is over: agents that still work do no longer. */
  endRun(): string {
    return this.#endAll('stopped', () => true)
  }

  #endAll(state: AgencyAgentData['state'], fits: (agent: Subagent) => boolean): string {
    let out = ''
    for (const agent of this.#byRun.values())
      if (agent.data.state === 'working' && fits(agent)) out += this.#end(agent, state)
    return out
  }

  #end(agent: Subagent, state: AgencyAgentData['state']): string {
    agent.data.state = state
    return this.#show(agent)
  }

  #find(who: Speaker): Subagent {
    const known = this.#byRun.get(who.agentRunId)
    if (known !== undefined) return known
    const { agent, callerAgent, parentRunId } = who
    const parentToolCallId = parentRunId === undefined ? null : this.#toToolCallId(parentRunId)
    const data: AgencyAgentData = { agent, callerAgent, parentToolCallId, state: 'working', text: '', tools: [] }
    const created = { who, data, sent: 0, between: false }
    this.#byRun.set(who.agentRunId, created)
    return created
  }

  #show(agent: Subagent): string {
    agent.sent = agent.data.text.length
    return chunk({ type: 'data-agent', id: agent.who.agentRunId, data: agent.data })
  }
}
