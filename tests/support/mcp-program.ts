import { StdioServerTransport } from '@modelcontextprotocol/server/stdio'
import { createMcpServer } from './mcp-tools.ts'

await createMcpServer().connect(new StdioServerTransport())
