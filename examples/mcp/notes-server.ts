/** A small MCP server over stdin and stdout: notes to add and to list. Any MCP server can stand in its place. */
import { createInterface } from 'node:readline'

const notes: string[] = []
const tools = [
  {
    name: 'add_note',
    description: 'Add a note to the list.',
    inputSchema: { type: 'object', properties: { note: { type: 'string' } }, required: ['note'] },
  },
  { name: 'list_notes', description: 'List all notes.', inputSchema: { type: 'object', properties: {} } },
]

function callTool({ name, arguments: input }: { name: string; arguments?: { note?: string } }) {
  if (name === 'add_note') notes.push(String(input?.note))
  const text = name === 'add_note' ? `Noted, ${notes.length} in all` : notes.join('; ') || 'There are no notes'
  return { content: [{ type: 'text', text }] }
}

const methods: { [method: string]: (params: never) => object } = {
  initialize: ({ protocolVersion }: { protocolVersion: string }) => ({
    protocolVersion,
    capabilities: { tools: {} },
    serverInfo: { name: 'notes', version: '1.0.0' },
  }),
  ping: () => ({}),
  'tools/list': () => ({ tools }),
  'tools/call': callTool,
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, method, params } = JSON.parse(line)
  if (id === undefined) continue // a notification
  const answer = methods[method]
  const outcome =
    answer === undefined
      ? { error: { code: -32601, message: `There is no method ${method}.` } }
      : { result: answer(params as never) }
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, ...outcome })}\n`)
}
