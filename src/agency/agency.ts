import { duplicateName, errorText, invalidOption, invalidTool, unknownAgent } from '../errors.ts'
import type { OutputSchema, ToolSchema } from '../models/model.ts'
import { refuseUnknown } from '../options.ts'
import { asTool, type ToolLike } from '../tools/base-tool.ts'
import { schemaOf } from '../tools/define.ts'
import { FILE_SEARCH_RESULTS, stubFor, WEB_SEARCH_SOURCES } from '../tools/hosted.ts'
import { onceEach } from '../tools/once-each.ts'
import { toPortable } from '../tools/portable-schema.ts'
import { asStrict } from '../tools/strict.ts'
import type { FunctionTool, HostedTool, Tool } from '../tools/tool.ts'
import type { StoredMessage } from '../wire/message.ts'
import { Agent } from './agent.ts'
import { handoffSchema, handoffToolNames, sendMessageSchema } from './communication-tools.ts'
import {
  type CommunicationFlow,
  type Edge,
  type HandoffClass,
  readFlows,
  SendMessage,
  type SendMessageClass,
} from './flows.ts'
import type { RunHooks } from './hooks.ts'
import { AGENCY_MOVED } from './moved-options.ts'
import { readText } from './text-file.ts'

/** Gives a conversation: the flat list of all its messages, in the order of storing. */
export type LoadThreads = () => StoredMessage[] | Promise<StoredMessage[]>
/** Keeps a conversation: gets the flat list of all its messages. */
export type SaveThreads = (messages: StoredMessage[]) => void | Promise<void>

/** Options of `new Agency(entry, options)`; all may be left out. */
export interface AgencyOptions<
  // biome-ignore lint/suspicious/noExplicitAny: options of any agency
  Context extends object = any,
  Flows = readonly CommunicationFlow[],
> {
  /** Shown in the metadata and used as the path when served. */
  name?: string
  /** Who may talk to whom. Default: nobody. */
  communicationFlows?: Flows
  /** Put before every agent's own instructions: a text, or the path of a file as in an agent's `instructions`. */
  sharedInstructions?: string | URL
  /** Given to every agent. */
  sharedTools?: readonly ToolLike<Context>[]
  /** Shared by in-process runs; served requests start from a copy. */
  userContext?: Context
  /** Gives the conversation so far; called when a run starts. When it throws, the run does not start (THREADS_FAILED). */
  loadThreads?: LoadThreads
  /**
   * Gets the whole flat list after the user's message and at each border of turns, sub-agents' too, and is awaited before
   * anybody sees the turn's end. One call at a time; what it throws is logged, and the next call brings the whole list again.
   */
  saveThreads?: SaveThreads
  /** The class of flows that name none. */
  sendMessageToolClass?: SendMessageClass
  /** Listeners of every run of this agency. */
  hooks?: RunHooks<Context>
}

const OPTIONS = new Set<string>([
  'name',
  'communicationFlows',
  'sharedInstructions',
  'sharedTools',
  'userContext',
  'loadThreads',
  'saveThreads',
  'sendMessageToolClass',
  'hooks',
] satisfies (keyof AgencyOptions)[])

/** A send_message tool of one sender: every recipient it reaches, by name. */
export interface SendRoute {
  via: SendMessageClass
  recipients: ReadonlyMap<string, Agent>
}

/** What one agent can do inside its agency, worked out once. */
export interface Role {
  agent: Agent
  /** Own tools, then shared ones. */
  all: readonly Tool[]
  /** Those of them that run here, by name. */
  tools: ReadonlyMap<string, FunctionTool>
  /** Those that the model's provider runs. */
  hosted: readonly HostedTool[]
  /** What stands for these on a model that cannot run them, by name. */
  stubs: ReadonlyMap<string, FunctionTool>
  /** What the provider is asked to add to its answers. */
  include: readonly string[]
  sends: ReadonlyMap<string, SendRoute>
  handoffs: ReadonlyMap<string, { target: Agent; via: HandoffClass }>
  /** Some tool is not always enabled. */
  conditional: boolean
  /** As sent to the model: tools that run here, send_message tools, handoffs. */
  schemas: readonly ToolSchema[]
  /** What the final answer has to fit. */
  outputSchema: OutputSchema | undefined
}

/** The graph of an agency: who may talk to whom. Built once, never changed by a request. */
export class AgencyGraph {
  readonly name: string | undefined
  readonly sharedInstructions: string
  readonly entryPoints: readonly Agent[]
  readonly edges: readonly Edge[]
  readonly userContext: { [key: string]: unknown }
  readonly loadThreads: LoadThreads | undefined
  readonly saveThreads: SaveThreads | undefined
  readonly hooks: RunHooks | undefined
  readonly #roles: ReadonlyMap<string, Role>

  constructor(entry: Agent | readonly Agent[], options: AgencyOptions = {}) {
    refuseUnknown('Agency', options, OPTIONS, AGENCY_MOVED)
    this.entryPoints = (Array.isArray(entry) ? entry : [entry]) as readonly Agent[]
    if (this.entryPoints.length === 0 || !this.entryPoints.every((agent) => agent instanceof Agent))
      throw invalidOption('An Agency needs an entry agent: new Agency(agent, options) or new Agency([a, b], options).')
    this.name = options.name
    this.sharedInstructions = readText(
      options.sharedInstructions ?? '',
      options.name === undefined ? 'an agency' : `agency "${options.name}"`,
      'sharedInstructions',
    )
    this.userContext = options.userContext ?? {}
    this.loadThreads = options.loadThreads
    this.saveThreads = options.saveThreads
    this.hooks = options.hooks
    this.edges = readFlows(options.communicationFlows ?? [], options.sendMessageToolClass ?? SendMessage)
    const shared = (options.sharedTools ?? []).map(asTool)
    const agents = new Map<string, Agent>()
    for (const agent of [...this.entryPoints, ...this.edges.flatMap((edge) => [edge.from, edge.to])]) {
      if ((agents.get(agent.name) ?? agent) !== agent)
        throw duplicateName(
          `Two different agents are called "${agent.name}". Names have to be unique inside an agency.`,
        )
      agents.set(agent.name, agent)
    }
    this.#roles = new Map([...agents.values()].map((agent) => [agent.name, buildRole(agent, shared, this.edges)]))
  }

  get agents(): readonly Agent[] {
    return [...this.#roles.values()].map((role) => role.agent)
  }
  get agentNames(): readonly string[] {
    return [...this.#roles.keys()]
  }

  /**
   * What one agent can do here.
   * @internal
   * @throws UNKNOWN_AGENT (422), naming the known ones
   */
  role(name: string): Role {
    const role = this.#roles.get(name)
    if (role === undefined) throw unknownAgent(name, this.agentNames)
    return role
  }
}

function buildRole(agent: Agent, shared: readonly Tool[], edges: readonly Edge[]): Role {
  const all = onceEach([...agent.tools, ...shared], `Agent "${agent.name}"`)
  const tools = new Map(all.filter((tool) => tool.kind === 'function').map((tool) => [tool.name, tool]))
  const hosted = all.filter((tool) => tool.kind === 'hosted')
  const stubs = new Map(
    hosted
      .map(stubFor)
      .filter(({ name }) => !tools.has(name))
      .map((stub) => [stub.name, stub]),
  )
  const own = edges.filter((edge) => edge.from === agent)
  const sends = readSends(own.filter((edge) => edge.kind === 'send-message'))
  const transfers = own.filter((edge) => edge.kind === 'handoff')
  const names = handoffToolNames(transfers.map(({ to }) => to))
  const handoffs = new Map(transfers.map(({ to, via }, index) => [names[index] as string, { target: to, via }]))
  for (const name of [...sends.keys(), ...handoffs.keys()])
    if (tools.has(name))
      throw duplicateName(`Agent "${agent.name}" has a tool "${name}", the name of one of its communication tools.`)
  const schemas: ToolSchema[] = [
    ...[...tools.values()].map(toSchema),
    ...[...sends].map(([name, route]) => sendMessageSchema(name, route)),
    ...[...handoffs].map(([name, { target }]) => handoffSchema(name, target)),
  ]
  const conditional = [...tools.values()].some((tool) => tool.isEnabled !== undefined)
  const include = includeOf(agent, hosted)
  const outputSchema = outputSchemaOf(agent)
  return { agent, all, tools, hosted, stubs, include, sends, handoffs, conditional, schemas, outputSchema }
}

/** @throws INVALID_OPTION for a schema that is too large to be sent; the agent has checked that it describes an object */
function outputSchemaOf({ name, outputType }: Agent): OutputSchema | undefined {
  if (outputType === undefined) return undefined
  try {
    return { name: 'final_output', ...asStrict(schemaOf(outputType)) }
  } catch (error) {
    throw invalidOption(`outputType of agent "${name}" cannot be used: ${errorText(error)}.`)
  }
}

/** The send_message tools of one agent, by name. @throws DUPLICATE_NAME for two classes with one tool name */
function readSends(edges: readonly (Edge & { kind: 'send-message' })[]): Map<string, SendRoute> {
  const sends = new Map<string, { via: SendMessageClass; recipients: Map<string, Agent> }>()
  for (const { from, to, via } of edges) {
    const route = sends.get(via.toolName) ?? { via, recipients: new Map<string, Agent>() }
    if (route.via !== via)
      throw duplicateName(
        `Agent "${from.name}" sends messages with two classes whose tool is called "${via.toolName}": ${route.via.name} and ${via.name}. Give one of them another toolName.`,
      )
    route.recipients.set(to.name, to)
    sends.set(via.toolName, route)
  }
  return sends
}

/** A tool as a model is told of it. @throws INVALID_TOOL for a schema that is too large to be sent */
export function toSchema({ name, description, parameters, strict: wanted }: FunctionTool): ToolSchema {
  try {
    const { schema, strict } = wanted ? asStrict(parameters) : { schema: toPortable(parameters), strict: false }
    return { type: 'function', name, description, parameters: schema, strict }
  } catch (error) {
    throw invalidTool(`The parameters of tool "${name}" are too large to be sent: ${errorText(error)}.`)
  }
}

function includeOf(agent: Agent, hosted: readonly HostedTool[]): string[] {
  const has = (name: string) => hosted.some((tool) => tool.name === name)
  return [
    ...hosted.flatMap((tool) => tool.include),
    ...(agent.includeSearchResults && has('file_search') ? [FILE_SEARCH_RESULTS] : []),
    ...(agent.includeWebSearchSources && has('web_search') ? [WEB_SEARCH_SOURCES] : []),
  ]
}
