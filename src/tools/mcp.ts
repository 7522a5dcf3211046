import { invalidOption, mcpFailed } from '../errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createServerCheck } from './check.ts'
import { toToolNames } from './names.ts'
import { toPortable } from './portable-schema.ts'
import type { FunctionTool } from './tool.ts'

/** An MCP server of the OpenAI Agents SDK (`MCPServerStdio`, `MCPServerStreamableHttp`), or anything of its shape. */
export interface McpServer {
  readonly name: string
  connect(): Promise<void>
  listTools(): Promise<readonly unknown[]>
  callTool(name: string, args: never, meta?: never, options?: never): Promise<unknown>
}

/** The same with the types it is called with, and what else is looked at. */
interface CallableServer {
  readonly name: string
  connect(): Promise<void>
  listTools(): Promise<readonly unknown[]>
  callTool(name: string, args: object, meta: null, options: { signal: AbortSignal }): Promise<unknown>
  readonly toolFilter?: unknown
  readonly toolInputGuardrails?: readonly unknown[]
  readonly toolOutputGuardrails?: readonly unknown[]
}

/** @throws INVALID_OPTION for what is no server, and for filters and guardrails that would not be obeyed */
export function readMcpServers(given: readonly unknown[] | undefined, agent: string): readonly McpSource[] {
  return (given ?? []).map((server, index) => {
    const names = ['connect', 'listTools', 'callTool']
    if (!isObject(server) || !names.every((name) => typeof server[name] === 'function'))
      throw invalidOption(
        `mcpServers of agent "${agent}" is a list of server objects of the Agents SDK, such as new MCPServerStreamableHttp({ url }). For servers that the provider calls, use hostedMcp() in tools.`,
      )
    const { toolInputGuardrails, toolOutputGuardrails } = server as unknown as CallableServer
    if (typeof server.toolFilter === 'function' || toolInputGuardrails?.length || toolOutputGuardrails?.length)
      throw invalidOption(
        `The MCP server "${server.name}" of agent "${agent}" has a filter function or guardrails, which this version does not run. Use a filter of names, or the agent's guardrails.`,
      )
    return new McpSource(server as unknown as CallableServer, agent, labelOf(String(server.name), index))
  })
}

/** The server's name where it is a plain one; the SDK's default is its address or command, which may hold a key. */
const labelOf = (name: string, index: number) => (/^[\w -]{1,32}$/.test(name) ? name : `mcp${index + 1}`)

/** The tools of one MCP server. It is connected at the first use, and again when it was lost; whoever made it closes it. */
export class McpSource {
  readonly #server: CallableServer
  readonly #agent: string
  #connecting: Promise<void> | undefined

  /** Goes in front of names that other servers use, too. */
  readonly label: string

  constructor(server: CallableServer, agent: string, label: string) {
    this.label = label
    this.#server = server
    this.#agent = agent
  }

  /**
   * What the server offers now, under the server's own names; asked before every model call. A server with `cacheToolsList`
   * answers that itself.
   * @throws MCP_FAILED
   */
  async tools(): Promise<FunctionTool[]> {
    try {
      const listed = await this.#list()
      const named = listed.filter(isObject).filter(({ name }) => typeof name === 'string' && this.#allows(name))
      return named.map((tool) => this.#toTool(tool))
    } catch (error) {
      throw mcpFailed(this.#agent, error)
    }
  }

  async #list(): Promise<readonly unknown[]> {
    try {
      return await this.#server.listTools()
    } catch {
      // Not connected yet, or no longer: what is really wrong shows when connecting.
    }
    this.#connecting ??= this.#server.connect().finally(() => {
      this.#connecting = undefined
    })
    await this.#connecting
    return this.#server.listTools()
  }

  #allows(name: string): boolean {
    const { allowedToolNames: allowed, blockedToolNames: blocked } = isObject(this.#server.toolFilter)
      ? this.#server.toolFilter
      : {}
    return !(Array.isArray(allowed) && !allowed.includes(name)) && !(Array.isArray(blocked) && blocked.includes(name))
  }

  #toTool(listed: { [key: string]: unknown }): FunctionTool {
    const name = String(listed.name)
    const schema = toObjectSchema(listed.inputSchema)
    const parameters = toSendable(schema)
    return Object.freeze<FunctionTool>({
      kind: 'function',
      origin: 'function',
      name,
      description: typeof listed.description === 'string' ? listed.description : '',
      title: titleOf(listed),
      mcpServer: withoutSecrets(this.#server.name),
      parameters,
      strict: false,
      oneCallAtATime: false,
      check: createServerCheck(schema, parameters.required),
      run: async (value, { signal }) => {
        const content = await this.#server.callTool(name, value as object, null, { signal })
        const only = Array.isArray(content) && content.length === 1 ? content[0] : undefined
        return isObject(only) && only.type === 'text' ? only.text : content
      },
    })
  }
}

/** What a server says about its arguments; nothing for what is no schema. */
function toObjectSchema(given: unknown): JsonSchema {
  const { $schema: _, ...schema } = isObject(given) ? given : {}
  return { type: 'object', properties: {}, ...schema }
}

/** For a schema that is too large to be sent: any arguments, which the server checks. */
const ANY_ARGUMENTS: JsonSchema = { type: 'object', properties: {}, additionalProperties: true }

function toSendable(schema: JsonSchema): JsonSchema {
  try {
    return toPortable(schema)
  } catch {
    return ANY_ARGUMENTS
  }
}

/** The tools of one server under the names its tools have there. */
export interface ServerTools {
  /** Tells the server apart from the agent's other ones. */
  label: string
  tools: readonly FunctionTool[]
}

/**
 * The tools of all servers under names that a model can call, none of them in `taken`. A tool keeps its name where it can;
 * one that another server offers, too, or whose name the agent uses already, gets its server's label in front.
 */
export function nameServerTools(servers: readonly ServerTools[], taken: ReadonlySet<string>): FunctionTool[] {
  const once = servers.flatMap(({ label, tools }) =>
    [...new Map(tools.map((tool) => [tool.name, tool])).values()].map((tool) => ({ label, tool })),
  )
  const offers = Map.groupBy(once, ({ tool }) => tool.name)
  const texts = once.map(({ label, tool: { name } }) =>
    taken.has(name) || (offers.get(name)?.length ?? 0) > 1 ? `${label}_${name}` : name,
  )
  const names = toToolNames(texts, { taken })
  return once.map(({ tool }, index) => Object.freeze({ ...tool, name: names[index] as string }))
}

/** A tool's name for people; undefined where the server gives it none. */
export function titleOf({ title, annotations }: { [key: string]: unknown }): string | undefined {
  const shown = typeof title === 'string' || !isObject(annotations) ? title : annotations.title
  return typeof shown === 'string' ? shown : undefined
}

/**
 * The SDK names a server after its address or command, whose path, query and arguments may hold a key: of an address only the
 * origin is told, of a command its first word.
 */
const withoutSecrets = (name: string): string =>
  name.replace(/^(stdio: \S+).*$/s, '$1').replace(/[a-z][a-z0-9+.-]{0,30}:\/\/\S+/gi, (address) => {
    const url = URL.parse(address)
    return url === null || url.origin === 'null' ? '' : url.origin
  })
