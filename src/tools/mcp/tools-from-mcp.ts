/** `toolsFromMcp()`: the tools of an MCP server as a list. */
import { invalidOption } from '../../base/start-errors.ts'
import type { FunctionTool } from '../tool.ts'
import { checkConfig, type McpServerConfig } from './config.ts'
import { closeConnections } from './connection.ts'
import { McpSource } from './source.ts'
import { nameServerTools } from './tool-names.ts'

const OWNER = { agent: 'toolsFromMcp', index: 0 }

/**
 * Connects to an MCP server and gives its tools as they are now, to choose from, or to serve. Unlike the `mcpServers` of an agent, the
 * list does not follow later changes of the server. `closeMcpServer(config)` closes the connection; a later call opens it again.
 *
 * @throws INVALID_OPTION; MCP_FAILED when the server cannot be reached; PACKAGE_MISSING without `@modelcontextprotocol/client`
 * @example
 * const files = { command: 'npx', args: ['-y', '@modelcontextprotocol/server-filesystem', '/data'] }
 * const tools = await toolsFromMcp(files)
 */
export async function toolsFromMcp(config: McpServerConfig): Promise<FunctionTool[]> {
  checkConfig(config, 'toolsFromMcp()')
  if ('oauth' in config && config.oauth)
    throw invalidOption(
      'toolsFromMcp() has no user who could log in: list a server with oauth in mcpServers of an agent.',
    )
  const source = new McpSource(config, config, OWNER)
  return nameServerTools([{ label: source.label, tools: await source.tools() }], new Set())
}

/** Closes the connection that belongs to this object, and ends its program. Calls get a few seconds to finish. */
export const closeMcpServer = (config: McpServerConfig): Promise<void> => closeConnections(config)
