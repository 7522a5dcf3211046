import { invalidOption, mcpFailed } from '../errors.ts'
import { isObject, type JsonSchema } from '../wire/json.ts'
import { createCheck } from './check.ts'
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
  return (given ?? []).map((server) => {
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
    return new McpSource(server as unknown as CallableServer, agent)
  })
}

/** The tools of one MCP server. It is connected at the first use, and again when it was lost; whoever made it closes it. */
export class McpSource {
  readonly #server: CallableServer
  readonly #agent: string
  #connecting: Promise<void> | undefined

  constructor(server: CallableServer, agent: string) {
    this.#server = server
    this.#agent = agent
  }

  /** What the server offers now, asked before every model call; a server with `cacheToolsList` answers that itself. @throws MCP_FAILED */
  async tools(): Promise<FunctionTool[]> {
    try {
      const listed = await this.#list()
      return listed.filter(isObject).flatMap((tool) => (this.#allows(String(tool.name)) ? [this.#toTool(tool)] : []))
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

  #toTool({ name, description, inputSchema }: { [key: string]: unknown }): FunctionTool {
    const { $schema: _, ...given } = isObject(inputSchema) ? inputSchema : {}
    const parameters: JsonSchema = { type: 'object', properties: {}, ...given }
    return Object.freeze<FunctionTool>({
      kind: 'function',
      origin: 'function',
      // Providers allow fewer characters in names than MCP does.
      name: String(name)
        .replace(/[^a-zA-Z0-9_-]/g, '_')
        .slice(0, 64),
      description: typeof description === 'string' ? description : '',
      parameters,
      strict: false,
      oneCallAtATime: false,
      check: createCheck(parameters, undefined, 'as-schema'),
      run: async (value, { signal }) => {
        const content = await this.#server.callTool(String(name), value as object, null, { signal })
        const only = Array.isArray(content) && content.length === 1 ? content[0] : undefined
        return isObject(only) && only.type === 'text' ? only.text : content
      },
    })
  }
}
