import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const png = Buffer.from([1, 2]).toString('base64')

/** A real MCP server with tools that answer, fail, wait and report progress. */
export function createMcpServer(): McpServer {
  const server = new McpServer({ name: 'fixture', version: '1.0.0' })
  const text = (value: unknown) => ({ content: [{ type: 'text' as const, text: String(value) }] })
  server.registerTool(
    'echo',
    {
      title: 'Echo',
      description: 'Echoes a word.',
      inputSchema: z.object({ word: z.string() }),
      annotations: { readOnlyHint: true },
    },
    async ({ word }) => text(word),
  )
  server.registerTool('pid', { description: 'Its process.' }, async () => text(process.pid))
  server.registerTool('secret', { description: 'A key.' }, async () => text(process.env.FIXTURE_KEY ?? 'none'))
  server.registerTool('fail', { description: 'Fails.' }, async () => ({ ...text('the disk is full'), isError: true }))
  server.registerTool('hang', { description: 'Never answers.' }, async () => new Promise(() => {}))
  server.registerTool('long', { description: 'Much text.' }, async () => text('x'.repeat(300_000)))
  server.registerTool('look', { description: 'Shows things.' }, async () => ({
    content: [
      { type: 'text', text: 'See' },
      { type: 'image', data: png, mimeType: 'image/png' },
      { type: 'audio', data: png, mimeType: 'audio/wav' },
      { type: 'resource', resource: { uri: 'file:///notes.txt', text: 'a note', mimeType: 'text/plain' } },
      { type: 'resource', resource: { uri: 'file:///a.pdf', blob: png, mimeType: 'application/pdf' } },
      { type: 'resource_link', uri: 'file:///b.txt', name: 'b', description: 'more' },
    ],
  }))
  server.registerTool('work', { description: 'Reports progress.' }, async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken
    for (let step = 1; step <= 4; step++) {
      await sleep(150)
      if (progressToken !== undefined)
        await ctx.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress: step, total: 4, message: `step ${step}` },
        })
    }
    await sleep(150)
    return text('worked')
  })
  server.registerTool('grow', { description: 'Adds a tool.' }, async () => {
    server.registerTool('grown', { description: 'New.' }, async () => text('new'))
    return text('grown')
  })
  server.registerTool('die', { description: 'Ends the process.' }, async () => {
    console.error('fatal: out of luck with hunter22')
    process.exit(3)
  })
  server.registerTool('flood', { description: 'Writes without end.' }, async () => {
    for (let index = 0; index < 12; index++) process.stdout.write('y'.repeat(1_048_576))
    return text('flooded')
  })
  server.registerTool('rubbish', { description: 'Writes no JSON, then answers.' }, async () => {
    process.stdout.write('Listening on port 3000\n{"jsonrpc": "1.0"}\n\u0000\n')
    return text('fine')
  })
  return server
}
