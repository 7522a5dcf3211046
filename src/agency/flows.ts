/** Communication flows: the forms users write, and the edges they become. */
import type { z } from 'zod'
import { invalidFlow } from '../base/start-errors.ts'
import { isToolName } from '../tools/names.ts'
import { Agent } from './agent.ts'
import { Chain } from './chain.ts'

/**
 * A flow in which one agent asks another and gets its answer. Subclass it to rename the tool or to require more fields:
 * `toolName` (must start with `send_message`), `description`, `extraParams` (a zod object the sender must fill in).
 */
export class SendMessage {
  declare private readonly kind: 'send-message'
  static toolName = 'send_message'
  static description =
    'Ask another agent of this agency and wait for its answer. Say all it needs to know: it sees only its own talk with you.'
  static extraParams: z.ZodObject | undefined = undefined
}

/**
 * A flow in which one agent hands the conversation to another. With `addReminder` (default true) the new agent gets a system
 * message that says it took over.
 */
export class Handoff {
  declare private readonly kind: 'handoff'
  static addReminder = true
}

export type SendMessageClass = typeof SendMessage
export type HandoffClass = typeof Handoff
export type FlowClass = SendMessageClass | HandoffClass

/** Creates a chain: with `flow(ceo, dev, qa)`, ceo may reach dev, and dev may reach qa. */
export const flow = <const Agents extends readonly Agent[]>(...agents: Agents): Chain<Agents[number]> =>
  new Chain(agents)

/** One entry of `communicationFlows`. */
export type CommunicationFlow =
  | Chain<Agent>
  | readonly [Agent, Agent]
  | readonly [Agent, Agent, FlowClass | readonly FlowClass[]]
  | readonly [Chain<Agent>, FlowClass | readonly FlowClass[]]

/** The answer type of an agent or agency, that is the type of its `finalOutput`; `unknown` for an untyped one. */
export type OutputOf<Source> = Source extends { readonly '~types'?: { readonly output: infer Output } }
  ? Output
  : unknown

/** The answer types of the agents that a handoff may reach. */
export type HandoffOutput<Flows> = '~none' extends keyof Flows
  ? never
  : Flows extends readonly (infer Flow)[]
    ? OutputOverFlow<Flow>
    : never
type OutputOverFlow<Flow> = Flow extends readonly [Agent, infer To, infer Via]
  ? OutputOverClass<To, Via>
  : Flow extends readonly [Chain<infer Each>, infer Via]
    ? OutputOverClass<Each, Via>
    : Flow extends UnmeasuredFlow
      ? OutputOverClass<Extract<Flow[number], Agent>, Exclude<Flow[number], Agent>>
      : never
type OutputOverClass<To, Via> = Via extends readonly (infer Each)[]
  ? OutputOverClass<To, Each>
  : Via extends HandoffClass
    ? OutputOf<To>
    : never

/** A flow built by code, such as `agents.map((agent) => [boss, agent])`; its length is checked at run time. */
type UnmeasuredFlow = readonly (Agent | FlowClass)[]

/** The flows of an agency that names none; a subclass may pass any to `super`. */
export type NoFlows = readonly CommunicationFlow[] & { readonly '~none'?: true }

/** A flow, or a value that may be mistaken for one. */
export type WrittenFlow = CommunicationFlow | readonly unknown[] | Agent

/** The flows unchanged, with an error message as the type of each entry that is not a flow, for the compiler to show. */
export type CheckedFlows<Flows> = '~none' extends keyof Flows
  ? unknown
  : {
      readonly [Index in keyof Flows]: Flows[Index] extends CommunicationFlow ? Flows[Index] : FlowMistake<Flows[Index]>
    }
type FlowMistake<Flow> = Flow extends UnmeasuredFlow
  ? number extends Flow['length']
    ? Flow
    : 'A communication flow joins two agents: [[a, b]]. For more write flow(a, b, c).'
  : Flow extends readonly [] | readonly [unknown]
    ? 'A communication flow joins two agents: [[a, b]].'
    : Flow extends Agent
      ? 'Each communication flow is a list of its own: [[a, b]].'
      : Flow extends readonly (string | Agent)[]
        ? 'A communication flow joins agents, not their names: [[a, b]].'
        : 'A communication flow is [a, b], [a, b, Class], flow(a, b, c), a.to(b) or [flow(a, b), Class].'

/** One directed connection between two agents. */
export type Edge =
  | { kind: 'send-message'; from: Agent; to: Agent; via: SendMessageClass }
  | { kind: 'handoff'; from: Agent; to: Agent; via: HandoffClass }

/** The fields of every send_message tool. */
const SEND_FIELDS = ['recipient_agent', 'message', 'additional_instructions']

const extendsClass = <T>(value: unknown, base: T): value is T =>
  typeof value === 'function' &&
  (value === base || (value as { prototype?: unknown }).prototype instanceof (base as never))

/**
 * Turns flows of every form into edges.
 * @throws INVALID_FLOW for a flow of an agent to itself, a chain of one, a class that is neither SendMessage nor Handoff,
 *   and a pair that is declared twice for the same kind.
 */
export function readFlows(flows: readonly CommunicationFlow[], fallback: SendMessageClass): Edge[] {
  if (!Array.isArray(flows)) throw invalidFlow(`communicationFlows is a list: [[a, b]]. ${FORMS}`)
  const edges: Edge[] = []
  const seen = new Set<string>()
  for (const entry of flows) {
    const { agents, classes } = readEntry(entry, fallback)
    if (agents.length < 2) throw invalidFlow('A communication flow needs at least two agents.')
    for (let index = 1; index < agents.length; index++) {
      const from = agents[index - 1] as Agent
      const to = agents[index] as Agent
      if (from === to) throw invalidFlow(`Agent "${from.name}" cannot have a communication flow to itself.`)
      for (const via of classes) {
        const edge = readEdge(from, to, via)
        const key = JSON.stringify([from.name, to.name, edge.kind])
        if (seen.has(key))
          throw invalidFlow(
            `The ${edge.kind} flow from "${from.name}" to "${to.name}" is declared twice. Keep one of them.`,
          )
        seen.add(key)
        edges.push(edge)
      }
    }
  }
  return edges
}

const FORMS = 'A communication flow is [a, b], [a, b, Class], flow(a, b, c), a.to(b) or [flow(a, b), Class].'

function readEntry(entry: CommunicationFlow, fallback: SendMessageClass) {
  if (entry instanceof Chain) return { agents: entry.agents, classes: [fallback] as readonly FlowClass[] }
  if (!Array.isArray(entry)) throw invalidFlow(`Each communication flow is a list of its own: [[a, b]]. ${FORMS}`)
  const [first, second, third] = entry as readonly [unknown, unknown, unknown]
  const many = (value: unknown): readonly FlowClass[] =>
    Array.isArray(value) ? value : [(value as FlowClass | undefined) ?? fallback]
  if (first instanceof Chain) return { agents: (first as Chain<Agent>).agents, classes: many(second) }
  if (first instanceof Agent && second instanceof Agent) return { agents: [first, second], classes: many(third) }
  throw invalidFlow(FORMS)
}

function readEdge(from: Agent, to: Agent, via: FlowClass): Edge {
  if (extendsClass(via, Handoff)) return { kind: 'handoff', from, to, via }
  if (via instanceof Agent)
    throw invalidFlow(
      `A flow of more than two agents is a chain: flow(${[from, to, via].map(({ name }) => name).join(', ')}).`,
    )
  if (!extendsClass(via, SendMessage))
    throw invalidFlow(
      `The flow from "${from.name}" to "${to.name}" names a class that extends neither SendMessage nor Handoff.`,
    )
  if (!via.toolName.startsWith('send_message'))
    throw invalidFlow(`The tool name "${via.toolName}" of a SendMessage class must start with "send_message".`)
  if (!isToolName(via.toolName))
    throw invalidFlow(
      `The tool name "${via.toolName}" of a SendMessage class is not valid: use at most 64 letters, digits, "_" or "-".`,
    )
  const taken = Object.keys(via.extraParams?.shape ?? {}).find((field) => SEND_FIELDS.includes(field))
  if (taken !== undefined)
    throw invalidFlow(
      `extraParams of the class ${via.name} has the field "${taken}", which every ${via.toolName} has. Rename it.`,
    )
  return { kind: 'send-message', from, to, via }
}
