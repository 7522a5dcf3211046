/** Tools of MCP servers that are objects of the OpenAI Agents SDK. */
import { invalidOption, mcpFailed } from '../base/errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createServerCheck } from './check.ts'
import { toToolNames } from './names.ts'
import { toPortable } from './portable-schema.ts'
import type { FunctionTool } from './tool.ts'

/** An MCP server of the OpenAI Agents SDK (`MCPServerStdio`, `MCPServerStreamableHttp`), or any object of this shape. */
export interface McpServer {
  readonly name: string
  connect(): Promise<void>
  listTools(): Promise<readonly unknown[]>
  callTool(name: string, args: never, meta?: never, options?: never): Promise<unknown>
}

/** The same object with the types used to call it, and the optional members that are read here. */
interface CallableServer {
  readonly name: string
  connect(): Promise<void>
  listTools(): Promise<readonly unknown[]>
  callTool(name: string, args: object, meta: null, options: { signal: AbortSignal }): Promise<unknown>
  readonly toolFilter?: unknown
  readonly toolInputGuardrails?: readonly unknown[]
  readonly toolOutputGuardrails?: readonly unknown[]
}

/** Wraps the `mcpServers` of an agent. @throws INVALID_OPTION for an entry that is not a server, and for filter functions and guardrails */
export function readMcpServers(servers: readonly unknown[] | undefined, agent: string): readonly McpSource[] {
  return (servers ?? []).map((server, index) => {
    const names = ['connect', 'listTools', 'callTool']
    if (!isObject(server) || !names.every((name) => typeof server[name] === 'function'))
      throw invalidOption(
        `mcpServers of agent "${agent}" must be a list of server objects of the Agents SDK, such as new MCPServerStreamableHttp({ url }). For servers that the provider calls, use hostedMcp() in tools.`,
      )
    const { toolInputGuardrails, toolOutputGuardrails } = server as unknown as CallableServer
    if (typeof server.toolFilter === 'function' || toolInputGuardrails?.length || toolOutputGuardrails?.length)
      throw invalidOption(
        `The MCP server "${server.name}" of agent "${agent}" has a filter function or guardrails, which this version does not support. Use a filter of names, or the agent's guardrails.`,
      )
    return new McpSource(server as unknown as CallableServer, agent, chooseLabel(String(server.name), index))
  })
}

/** The server's name when it is a simple one. The SDK's default name is the address or command, which may contain a key. */
const chooseLabel = (name: string, index: number) => (/^[\w -]{1,32}$/.test(name) ? name : `mcp${index + 1}`)

/** The tools of one MCP server. Connects on first use and again after a lost connection. The code that created the server closes it. */
export class McpSource {
  readonly #server: CallableServer
  readonly #agent: string
  #connecting: Promise<void> | undefined

  /** Prefix for tool names that another server has, too. */
  readonly label: string

  constructor(server: CallableServer, agent: string, label: string) {
    this.label = label
    this.#server = server
    this.#agent = agent
  }

  /**
   * The server's current tools, under the server's own names. Called before every model call; a server with `cacheToolsList`
   * answers from its cache.
   * @throws MCP_FAILED when the server cannot be reached or does not answer
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
      // Not connected (any more). If something else is wrong, connecting or the second call reports it.
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

/** The schema of a tool's arguments; an object without fields when the server sent no schema. */
function toObjectSchema(inputSchema: unknown): JsonSchema {
  const { $schema: _, ...schema } = isObject(inputSchema) ? inputSchema : {}
  return { type: 'object', properties: {}, ...schema }
}

/** Sent instead of a schema that is too large: any arguments, which the server validates. */
const ANY_ARGUMENTS: JsonSchema = { type: 'object', properties: {}, additionalProperties: true }

function toSendable(schema: JsonSchema): JsonSchema {
  try {
    return toPortable(schema)
  } catch {
    return ANY_ARGUMENTS
  }
}

/** The tools of one server, under the server's own names. */
export interface ServerTools {
  /** Distinguishes the server from the agent's other servers. */
  label: string
  tools: readonly FunctionTool[]
}

/**
 * Gives the tools of all servers names that a model can call, none of them in `taken`. A tool whose name another server or the
 * agent itself uses gets its server's label as a prefix; all others keep their names.
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

/** A tool's display name; undefined when the server sent none. */
export function titleOf({ title, annotations }: { [key: string]: unknown }): string | undefined {
  const shown = typeof title === 'string' || !isObject(annotations) ? title : annotations.title
  return typeof shown === 'string' ? shown : undefined
}

/**
 * The server's name without what may be a key. The SDK uses the address or command as the name; only the origin of an address
 * and the first word of a command are kept.
 */
const withoutSecrets = (name: string): string =>
  name.replace(/^(stdio: \S+).*$/s, '$1').replace(/[a-z][a-z0-9+.-]{0,30}:\/\/\S+/gi, (address) => {
    const url = URL.parse(address)
    return url === null || url.origin === 'null' ? '' : url.origin
  })
