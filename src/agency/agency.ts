/** The graph of an agency: its agents, their communication flows, and the role of each agent. */
import { errorText } from '../base/errors.ts'
import { optionNames, refuseUnknown } from '../base/options.ts'
import { unknownAgent } from '../base/request-errors.ts'
import { duplicateName, invalidOption, invalidTool } from '../base/start-errors.ts'
import type { FilesFolder } from '../files/folder.ts'
import type { OutputSchema, ToolSchema } from '../models/model.ts'
import { asTool, type ToolLike } from '../tools/base-tool.ts'
import { schemaOf } from '../tools/define.ts'
import { FILE_SEARCH_RESULTS, stubFor, WEB_SEARCH_SOURCES } from '../tools/hosted.ts'
import type { McpServerConfig } from '../tools/mcp/config.ts'
import type { McpServer } from '../tools/mcp/sdk-server.ts'
import { type McpSource, readMcpServers } from '../tools/mcp/source.ts'
import { onceEach } from '../tools/once-each.ts'
import { toPortable } from '../tools/portable-schema.ts'
import { asStrict } from '../tools/strict.ts'
import type { FunctionTool, HostedTool, Tool } from '../tools/tool.ts'
import { checkSearch, TOOL_SEARCH } from '../tools/tool-search.ts'
import { isPlainObject } from '../wire/json.ts'
import type { StoredMessage } from '../wire/message.ts'
import { Agent } from './agent.ts'
import { handoffSchema, handoffToolNames, sendMessageSchema } from './communication-tools.ts'
import { readFilesFolder, withFolders } from './files-folder.ts'
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
import { readToolsFolder } from './tools-folder.ts'

/** Returns a conversation: the flat list of all its messages, in stored order. */
export type LoadThreads = () => StoredMessage[] | Promise<StoredMessage[]>
/** Stores a conversation: receives the flat list of all its messages. */
export type SaveThreads = (messages: StoredMessage[]) => void | Promise<void>

/** Options of `new Agency(entry, options)`. All are optional. */
export interface AgencyOptions<
  // biome-ignore lint/suspicious/noExplicitAny: options of any agency
  Context extends object = any,
  Flows = readonly CommunicationFlow[],
> {
  /** Shown in the metadata, and the path that `agency.serve()` uses. @default no name; `agency.serve()` then uses `/agency` */
  name?: string | undefined
  /** Who may talk to whom. @default [] */
  communicationFlows?: Flows | undefined
  /** Placed before every agent's own instructions: a text, or the path of a file, as in an agent's `instructions`. @default '' */
  sharedInstructions?: string | URL | undefined
  /** Tools that every agent gets. @default [] */
  sharedTools?: readonly ToolLike<Context>[] | undefined
  /** A folder with tools that every agent gets, read as an agent's `toolsFolder`. @default none */
  sharedToolsFolder?: string | URL | undefined
  /** A folder with files that every agent gets, stored as an agent's `filesFolder`. @default none */
  sharedFilesFolder?: string | URL | undefined
  /** MCP servers whose tools every agent gets, as in an agent's `mcpServers`. All agents share one connection to each. @default [] */
  sharedMcpServers?: readonly (McpServerConfig | McpServer)[] | undefined
  /** The user context. In-process runs share it; each served request gets a copy. @default {} */
  userContext?: Context | undefined
  /** Returns the conversation so far. Called when a run starts; when it throws, the run does not start (THREADS_FAILED). */
  loadThreads?: LoadThreads | undefined
  /**
   * Receives the whole flat list after the user's message and at the end of each turn, including those of sub-agents. It is
   * awaited before the end of the turn is sent. One call runs at a time. When it throws, the error is logged and the run goes
   * on; the next call receives the whole list again.
   */
  saveThreads?: SaveThreads | undefined
  /** The SendMessage class of flows that name no class. @default SendMessage */
  sendMessageToolClass?: SendMessageClass | undefined
  /** Hooks called in every run of this agency. */
  hooks?: RunHooks<Context> | undefined
}

const OPTIONS = optionNames<AgencyOptions>({
  name: true,
  communicationFlows: true,
  sharedInstructions: true,
  sharedTools: true,
  sharedToolsFolder: true,
  sharedFilesFolder: true,
  sharedMcpServers: true,
  userContext: true,
  loadThreads: true,
  saveThreads: true,
  sendMessageToolClass: true,
  hooks: true,
})

/** One send_message tool of a sender, and the recipients it reaches, by name. */
export interface SendRoute {
  via: SendMessageClass
  recipients: ReadonlyMap<string, Agent>
}

/** The tools and flows of one agent inside its agency; computed once. */
export interface Role {
  agent: Agent
  /** The agent's own tools, then the shared ones. */
  all: readonly Tool[]
  /** The tools of `all` that run in this process, by name. */
  tools: ReadonlyMap<string, FunctionTool>
  /** The tools of `all` that the model's provider runs. */
  hosted: readonly HostedTool[]
  /** The MCP servers whose tools are listed before every model call: the agent's own, then the shared ones. */
  mcpSources: readonly McpSource[]
  /** Replacements for hosted tools on a model that cannot run them, by name. */
  stubs: ReadonlyMap<string, FunctionTool>
  /** The `include` values of the request: extra data the provider adds to its answers. */
  include: readonly string[]
  sends: ReadonlyMap<string, SendRoute>
  handoffs: ReadonlyMap<string, { target: Agent; via: HandoffClass }>
  /** True when a tool has `isEnabled`. */
  conditional: boolean
  /** The schemas sent to the model: local tools, send_message tools, handoffs. */
  schemas: readonly ToolSchema[]
  /** The schema of the final answer; undefined for text. */
  outputSchema: OutputSchema | undefined
}

/** @throws INVALID_OPTION */
function checkOptions(options: AgencyOptions): void {
  if (options instanceof Agent)
    throw invalidOption(
      'Several entry agents are a list: new Agency([a, b], options). The second argument is an object.',
    )
  refuseUnknown('Agency', options, OPTIONS, AGENCY_MOVED)
  const { name, sharedInstructions: shared, userContext, loadThreads, saveThreads } = options
  const wrong = (option: string, words: string) =>
    invalidOption(`${option} of ${name === undefined ? 'an agency' : `agency "${name}"`} must be ${words}.`)
  if (shared !== undefined && typeof shared !== 'string' && !(shared instanceof URL))
    throw wrong('sharedInstructions', 'a text or a file URL')
  if (userContext !== undefined && !isPlainObject(userContext))
    throw wrong('userContext', 'a plain object. Put an instance under a key: { session: new Session() }')
  for (const [option, value] of Object.entries({
    sharedTools: options.sharedTools,
    sharedMcpServers: options.sharedMcpServers,
  }))
    if (value !== undefined && !Array.isArray(value)) throw wrong(option, 'a list')
  for (const [option, value] of Object.entries({ loadThreads, saveThreads }))
    if (value !== undefined && typeof value !== 'function') throw wrong(option, 'a function')
}

/** The agents of an agency and the flows between them. Built once; requests never change it. */
export class AgencyGraph {
  readonly name: string | undefined
  readonly sharedInstructions: string
  readonly entryPoints: readonly Agent[]
  readonly edges: readonly Edge[]
  readonly userContext: { [key: string]: unknown }
  readonly loadThreads: LoadThreads | undefined
  readonly saveThreads: SaveThreads | undefined
  readonly hooks: RunHooks | undefined
  /**
   * The folders with files, each with the agent whose model's account it is stored in.
   * @internal
   */
  readonly folders: readonly { readonly folder: FilesFolder; readonly agent: Agent }[]
  readonly #roles: ReadonlyMap<string, Role>
  /**
   * What every agent gets beside its own options.
   * @internal
   */
  readonly shared: Shared

  constructor(entry: Agent | readonly Agent[], options: AgencyOptions = {}) {
    checkOptions(options)
    this.entryPoints = (Array.isArray(entry) ? entry : [entry]) as readonly Agent[]
    if (this.entryPoints.length === 0 || !this.entryPoints.every((agent) => agent instanceof Agent))
      throw invalidOption('An Agency needs an entry agent: new Agency(agent, options) or new Agency([a, b], options).')
    this.name = options.name
    const owner = options.name === undefined ? 'an agency' : `agency "${options.name}"`
    this.sharedInstructions = readText(options.sharedInstructions ?? '', owner, 'sharedInstructions')
    this.userContext = options.userContext ?? {}
    this.loadThreads = options.loadThreads
    this.saveThreads = options.saveThreads
    this.hooks = options.hooks
    this.edges = readFlows(options.communicationFlows ?? [], options.sendMessageToolClass ?? SendMessage)
    const folder = readFilesFolder(options.sharedFilesFolder, owner, 'sharedFilesFolder')
    const tools = [
      ...(options.sharedTools ?? []).map(asTool),
      ...readToolsFolder(options.sharedToolsFolder, owner, 'sharedToolsFolder'),
    ]
    const agents = new Map<string, Agent>()
    for (const agent of [...this.entryPoints, ...this.edges.flatMap((edge) => [edge.from, edge.to])]) {
      if ((agents.get(agent.name) ?? agent) !== agent)
        throw duplicateName(`Two different agents are called "${agent.name}". Names must be unique inside an agency.`)
      agents.set(agent.name, agent)
    }
    const shared = { tools, folder, mcpServers: options.sharedMcpServers ?? [] }
    this.shared = shared
    this.#roles = new Map([...agents.values()].map((agent) => [agent.name, buildRole(agent, shared, this.edges)]))
    this.folders = [
      ...(folder === undefined ? [] : [{ folder, agent: this.entryPoints[0] as Agent }]),
      ...[...agents.values()].flatMap((agent) =>
        agent.filesFolder === undefined ? [] : [{ folder: agent.filesFolder, agent }],
      ),
    ]
  }

  get agents(): readonly Agent[] {
    return [...this.#roles.values()].map((role) => role.agent)
  }
  get agentNames(): readonly string[] {
    return [...this.#roles.keys()]
  }

  /**
   * Closes the connections to the MCP servers of this agency, and ends their programs. Calls get a few seconds to finish. A later run
   * connects again. A server that serves the agency calls this when it stops; objects of the Agents SDK are closed by your code.
   */
  async close(): Promise<void> {
    const sources = [...this.#roles.values()].flatMap(({ mcpSources }) => mcpSources)
    await Promise.all(sources.map((source) => source.close()))
  }

  /** Lets `await using agency = new Agency(...)` close it. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /**
   * The role of one agent in this agency.
   * @internal
   * @throws UNKNOWN_AGENT (422); the text lists the agents of this agency
   */
  role(name: string): Role {
    const role = this.#roles.get(name)
    if (role === undefined) throw unknownAgent(name, this.agentNames)
    return role
  }
}

/** What every agent of an agency gets. */
export interface Shared {
  tools: readonly Tool[]
  mcpServers: readonly (McpServerConfig | McpServer)[]
  folder: FilesFolder | undefined
}

function buildRole(agent: Agent, shared: Shared, edges: readonly Edge[]): Role {
  const folders = [agent.filesFolder, shared.folder].filter((folder) => folder !== undefined)
  const all = withFolders(onceEach([...agent.tools, ...shared.tools], `Agent "${agent.name}"`), folders)
  const mcpSources = readMcpServers([...agent.mcpServers, ...shared.mcpServers], agent.name)
  const tools = new Map(all.filter((tool) => tool.kind === 'function').map((tool) => [tool.name, tool]))
  const hosted = all.filter((tool) => tool.kind === 'hosted')
  checkSearch(agent.name, all, mcpSources.find(({ deferred }) => deferred)?.label)
  const stubs = new Map(
    hosted
      .filter(({ name }) => name !== TOOL_SEARCH) // nothing is deferred there
      .map(stubFor)
      .filter(({ name }) => !tools.has(name))
      .map((stub) => [stub.name, stub]),
  )
  const outgoing = edges.filter((edge) => edge.from === agent)
  const sends = readSends(outgoing.filter((edge) => edge.kind === 'send-message'))
  const transfers = outgoing.filter((edge) => edge.kind === 'handoff')
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
  const include = listIncludes(agent, hosted)
  const outputSchema = toOutputSchema(agent)
  return { agent, all, tools, hosted, mcpSources, stubs, include, sends, handoffs, conditional, schemas, outputSchema }
}

/** The schema of an agent's `outputType`, which the agent has validated. @throws INVALID_OPTION when it is too large to send */
function toOutputSchema({ name, outputType }: Agent): OutputSchema | undefined {
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

/** The schema of a tool as sent to a model. @throws INVALID_TOOL when it is too large to send */
export function toSchema(tool: FunctionTool): ToolSchema {
  const { name, description, parameters, strict: wantsStrict, native, deferLoading, namespace } = tool
  try {
    const { schema, strict } = wantsStrict ? asStrict(parameters) : { schema: toPortable(parameters), strict: false }
    return {
      type: 'function',
      name,
      description,
      parameters: schema,
      strict,
      ...(native && { native }),
      ...(deferLoading && { deferLoading }),
      ...(namespace && { namespace }),
    }
  } catch (error) {
    throw invalidTool(`The parameters of tool "${name}" are too large to send: ${errorText(error)}.`)
  }
}

function listIncludes(agent: Agent, hosted: readonly HostedTool[]): string[] {
  const has = (name: string) => hosted.some((tool) => tool.name === name)
  return [
    ...hosted.flatMap((tool) => tool.include),
    ...(agent.includeSearchResults && has('file_search') ? [FILE_SEARCH_RESULTS] : []),
    ...(agent.includeWebSearchSources && has('web_search') ? [WEB_SEARCH_SOURCES] : []),
  ]
}
