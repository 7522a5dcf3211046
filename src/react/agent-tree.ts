/** The events of a run as a tree: agents, what they say, the tools that they call, and the agents that those calls reach. */
import { itemText } from '../client/answers.ts'
import type { RunEvent } from '../client/run-events.ts'

/** One stretch of an agent's work. `key` is stable. */
export interface AgentWork {
  readonly key: string
  /** Null when a guardrail answers. */
  readonly agent: string | null
  readonly parts: readonly AgentPart[]
}
/** A piece of an agent's work, in the order in which it happened. */
export type AgentPart = TextPart | ToolPart | HandoffPart | FailurePart
/** What an agent says; it grows while it streams. */
export interface TextPart {
  readonly kind: 'text'
  readonly key: string
  readonly text: string
}
/** A call of a tool. `agents` are those that it asked, for a message to another agent. */
export interface ToolPart {
  readonly kind: 'tool'
  /** The `call_id`. */
  readonly key: string
  readonly name: string
  /** As the model wrote them: JSON. */
  readonly arguments: string
  /** Undefined while the call runs. */
  readonly output: unknown
  readonly agents: readonly AgentWork[]
}
/** The agent hands the conversation over. */
export interface HandoffPart {
  readonly kind: 'handoff'
  readonly key: string
  /** The agent that now has the conversation. */
  readonly target: string
}
/** The run, or a sub-agent, has failed. */
export interface FailurePart {
  readonly kind: 'failure'
  readonly key: string
  readonly text: string
}

type Draft<Part> = { -readonly [Name in keyof Part]: Part[Name] }
interface WorkNode {
  own: Omit<AgentWork, 'parts'>
  parts: PartNode[]
  parent: PartNode | undefined
  /** Text is added to the last part while it is open. */
  open: boolean
  streamed: boolean
  made: AgentWork | undefined
}
interface PartNode {
  own: Draft<AgentPart>
  agents: WorkNode[]
  parent: WorkNode
  made: AgentPart | undefined
}

/** Folds the events of a run. What has not changed stays the same object from snapshot to snapshot. */
export class AgentTree {
  #events: RunEvent[] = []
  #roots: WorkNode[] = []
  #works = new Map<string, WorkNode>()
  #calls = new Map<string, PartNode>()
  #made: readonly AgentWork[] | undefined

  push(event: RunEvent): void {
    if (event.kind === 'attempt') {
      const kept = this.#events.filter(({ id }) => id <= event.void_after)
      this.#events = []
      this.#roots = []
      this.#works = new Map()
      this.#calls = new Map()
      this.#made = undefined
      for (const one of kept) this.push(one)
      return
    }
    if (this.#fold(event)) this.#events.push(event)
  }

  snapshot(): readonly AgentWork[] {
    this.#made ??= this.#roots.map(makeWork)
    return this.#made
  }

  /** True when this stretch of work is in the tree. */
  has(agentRunId: string | undefined): boolean {
    return agentRunId !== undefined && this.#works.has(agentRunId)
  }

  /** Adds an event; false when the tree does not show it. */
  #fold(event: RunEvent): boolean {
    switch (event.kind) {
      case 'agent':
        this.#workOf(event)
        return true
      case 'model':
        if (event.event.type !== 'response.created') return false
        this.#workOf(event).streamed = false
        return true
      case 'text':
        this.#addText(this.#workOf(event), event.id, event.text)
        return true
      case 'item':
        return this.#foldItem(event)
      case 'error': {
        const work = event.nested ? this.#calls.get(event.parent_run_id ?? '')?.agents.at(-1) : this.#roots.at(-1)
        if (work === undefined) return false
        this.#add(work, { kind: 'failure', key: `${event.id}`, text: event.content })
        return true
      }
      default:
        return false
    }
  }

  #foldItem(event: RunEvent & { kind: 'item' }): boolean {
    const { id, name, item, call_id: callId } = event
    const work = this.#workOf(event)
    switch (name) {
      case 'tool_called':
      case 'tool_search_called': {
        const [tool, sent] = [item.name ?? item.type, item.arguments]
        const key = callId ?? `${id}`
        const own = { kind: 'tool', key, name: String(tool), agents: [], output: undefined } as const
        this.#calls.set(
          key,
          this.#add(work, { ...own, arguments: typeof sent === 'string' ? sent : JSON.stringify(sent ?? {}) }),
        )
        return true
      }
      case 'tool_output': {
        const call = this.#calls.get(callId ?? '')
        if (call?.own.kind !== 'tool') return false
        call.own.output = event.output ?? item.output ?? null
        this.#touch(call)
        return true
      }
      case 'handoff_occured':
        this.#add(work, { kind: 'handoff', key: `${id}`, target: event.target_agent ?? '' })
        return true
      case 'message_output_created':
        if (!work.streamed) this.#addText(work, id, itemText(item))
        work.open = false
        return true
      default:
        return false
    }
  }

  #workOf(event: { id: number; agent: string | null; agent_run_id?: string; parent_run_id?: string }): WorkNode {
    const key = event.agent_run_id ?? `${event.agent}`
    const known = this.#works.get(key)
    if (known !== undefined) return known
    const parent = event.parent_run_id === undefined ? undefined : this.#calls.get(event.parent_run_id)
    const work: WorkNode = {
      own: { key, agent: event.agent },
      parts: [],
      parent,
      open: false,
      streamed: false,
      made: undefined,
    }
    this.#works.set(key, work)
    ;(parent?.agents ?? this.#roots).push(work)
    this.#touch(work)
    return work
  }

  #addText(work: WorkNode, id: number, text: string): void {
    if (text === '') return
    const last = work.parts.at(-1)
    work.streamed = true
    if (work.open && last?.own.kind === 'text') {
      last.own.text += text
      this.#touch(last)
    } else {
      this.#add(work, { kind: 'text', key: `${id}`, text })
      work.open = true
    }
  }

  #add(work: WorkNode, own: Draft<AgentPart>): PartNode {
    const part: PartNode = { own, agents: [], parent: work, made: undefined }
    work.parts.push(part)
    work.open = false
    this.#touch(part)
    return part
  }

  /** Makes a node anew with the next snapshot, and those above it. */
  #touch(node: WorkNode | PartNode | undefined): void {
    this.#made = undefined
    for (let one = node; one !== undefined; one = one.parent) one.made = undefined
  }
}

function makeWork(work: WorkNode): AgentWork {
  work.made ??= { ...work.own, parts: work.parts.map(makePart) }
  return work.made
}

function makePart(part: PartNode): AgentPart {
  part.made ??= part.own.kind === 'tool' ? { ...part.own, agents: part.agents.map(makeWork) } : { ...part.own }
  return part.made
}
