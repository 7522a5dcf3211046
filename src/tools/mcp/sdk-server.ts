/** MCP servers that are objects of the OpenAI Agents SDK. */
import { invalidOption } from '../../base/start-errors.ts'
import { isObject } from '../../wire/json.ts'
import type { McpServerSettings } from './config.ts'

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

const METHODS = ['connect', 'listTools', 'callTool']
export const isServerObject = (value: unknown): value is McpServer =>
  isObject(value) && METHODS.every((name) => typeof value[name] === 'function')

/** The adapter of each object, so that agents that share it connect it once. */
const adapters = new WeakMap<object, SdkServer>()

/** @throws INVALID_OPTION for filter functions and guardrails */
export function serverFor(given: McpServer, agent: string): SdkServer {
  const server = given as unknown as CallableServer
  const { name, toolFilter, toolInputGuardrails, toolOutputGuardrails } = server
  if (typeof toolFilter === 'function' || toolInputGuardrails?.length || toolOutputGuardrails?.length)
    throw invalidOption(
      `The MCP server "${name}" of agent "${agent}" has a filter function or guardrails, which this version does not support. Use a filter of names, or the agent's guardrails.`,
    )
  const adapter = adapters.get(given) ?? new SdkServer(server)
  adapters.set(given, adapter)
  return adapter
}

/** The filter of names that the object has. */
export function settingsOf(server: McpServer): McpServerSettings {
  const { name, toolFilter } = server as unknown as CallableServer
  const { allowedToolNames: allowed, blockedToolNames: blocked } = isObject(toolFilter) ? toolFilter : {}
  return {
    name: String(name),
    ...(Array.isArray(allowed) ? { allowedTools: allowed } : {}),
    ...(Array.isArray(blocked) ? { blockedTools: blocked } : {}),
  }
}

/** Connects on first use and again after a lost connection. The code that created the object closes it. */
export class SdkServer {
  readonly #server: CallableServer
  #connecting: Promise<void> | undefined

  constructor(server: CallableServer) {
    this.#server = server
  }

  get name(): string {
    return this.#server.name
  }

  /** A server with `cacheToolsList` answers from its cache. */
  async list(): Promise<readonly unknown[]> {
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

  async call(name: string, args: object, { signal }: { signal: AbortSignal }): Promise<unknown> {
    const content = await this.#server.callTool(name, args, null, { signal })
    const only = Array.isArray(content) && content.length === 1 ? content[0] : undefined
    return isObject(only) && only.type === 'text' ? only.text : content
  }

  async close(): Promise<void> {}
}
