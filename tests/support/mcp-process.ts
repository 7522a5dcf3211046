import { MCPServerStreamableHttp } from '@openai/agents'
import { Agency, Agent, serve } from '../../src/index.ts'
import { MCP_LISTS } from './hostile-mcp.ts'

/** A server as its own process, with one agency for each way in which an MCP server can do harm. */
process.env.OPENAI_BASE_URL = process.env.GATEWAY
process.env.OPENAI_API_KEY = 'sk-mcp'

const solo = (mode: string) => {
  const server = new MCPServerStreamableHttp({ url: `${process.env.MCP}/${mode}`, name: mode, timeout: 3_000 })
  return new Agency(new Agent({ name: 'Assistant', model: 'gpt-4.1', mcpServers: [server] }))
}
await serve({
  agencies: {
    ...Object.fromEntries(MCP_LISTS.map((mode) => [mode, solo(mode)])),
    demo: new Agency(new Agent({ name: 'Assistant', model: 'demo' })),
  },
  host: '127.0.0.1',
  port: 0,
  metrics: true,
  exposeErrors: true,
})
