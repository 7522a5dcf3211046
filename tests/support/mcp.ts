import type { McpServer } from '../../src/index.ts'

type Json = { [key: string]: unknown }

/** An MCP server as the Agents SDK has them, with tools in memory that answer with what they were called with. */
export function mcpServer(
  tools: { [name: string]: unknown } | readonly Json[],
  name = 'streamable-http: http://127.0.0.1:9/mcp?key=hunter2',
) {
  const calls: { tool: string; args: Json }[] = []
  const listed = Array.isArray(tools)
    ? tools
    : Object.entries(tools).map(([tool, inputSchema]) => ({ name: tool, description: `To ${tool}.`, inputSchema }))
  const server: McpServer = {
    name,
    connect: async () => {},
    listTools: async () => listed,
    callTool: async (tool: string, args: never) => {
      calls.push({ tool, args })
      return [{ type: 'text', text: `${name.slice(0, 10)} ${tool}` }]
    },
  }
  return { server, calls }
}
