// The built package as the server of the hostile soak test: a small heap, few descriptors, a token, models of every provider.
import { MCPServerStreamableHttp } from '@openai/agents'
import { Agency, Agent, chatCompletions, serve, tool } from '../../dist/index.js'
import { MCP_LISTS } from '../../tests/support/hostile-mcp.ts'

const echo = tool({ name: 'echo', execute: () => 'echoed' })
const solo = (model, more = {}) =>
  new Agency(new Agent({ name: 'Lead', instructions: 'Lead.', model, tools: [echo], ...more }))

/** An MCP server with far too many tools and far too large answers. */
const long = 'x'.repeat(1_000_000)
const mcp = {
  name: 'hostile',
  connect: async () => {},
  listTools: async () => [
    ...Array.from({ length: 500 }, (_, index) => ({
      name: `tool_${index}`,
      description: 'd'.repeat(2_000),
      inputSchema: { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } },
    })),
    { name: 'echo2', inputSchema: { type: 'object', properties: {} } },
  ],
  callTool: async () => [{ type: 'text', text: long }],
}

/** MCP servers over HTTP, each of which does harm in its own way. */
const overHttp = (mode) =>
  solo('gpt-5-mini', {
    mcpServers: [
      new MCPServerStreamableHttp({ url: `${process.env.HOSTILE_MCP}/${mode}`, name: mode, timeout: 3_000 }),
    ],
  })

const hostile = process.env.HOSTILE_ORIGIN
process.env.ANTHROPIC_API_BASE = hostile
process.env.ANTHROPIC_API_KEY = 'sk-soak'
await serve({
  agencies: {
    responses: solo('gpt-5-mini'),
    chat: solo(chatCompletions('gpt-5-mini')),
    anthropic: solo('anthropic/claude-sonnet-4-5'),
    remote: solo('gpt-5-mini', { mcpServers: [mcp] }),
    ...Object.fromEntries(MCP_LISTS.map((mode) => [`mcp_${mode}`, overHttp(mode)])),
  },
  trustedModelOrigins: [hostile],
  metrics: true,
  metricsOpen: true,
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  banner: false,
})
process.on('unhandledRejection', (reason) => {
  console.error('UNHANDLED REJECTION', reason)
  process.exit(70)
})
process.send('ready')
