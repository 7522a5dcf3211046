import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { onTestFinished } from 'vitest'
import { createMcpServer } from './mcp-tools.ts'

async function listen(handle: http.RequestListener, port = 0) {
  const server = http.createServer(handle)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const stop = () => {
    server.closeAllConnections()
    return new Promise<void>((resolve) => server.close(() => resolve()))
  }
  onTestFinished(stop)
  const bound = (server.address() as AddressInfo).port
  return { url: `http://127.0.0.1:${bound}/mcp`, port: bound, stop }
}

/** How a server says that it does not know a session. */
interface NoSession {
  status: number
  body?: string
}

/** A real server over Streamable HTTP, with sessions; it notes the headers of every request. */
export async function startMcpHost(port?: number, { status, body = '' }: NoSession = { status: 404 }) {
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>()
  const seen: http.IncomingHttpHeaders[] = []
  const methods: string[] = []
  const host = await listen(async (request, response) => {
    seen.push(request.headers)
    methods.push(String(request.method))
    const known = sessions.get(String(request.headers['mcp-session-id']))
    if (known !== undefined) return known.handleRequest(request, response)
    if (request.headers['mcp-session-id'] !== undefined)
      return void response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    await createMcpServer().connect(transport)
    return transport.handleRequest(request, response)
  }, port)
  return { ...host, sessions, seen, methods }
}

type Json = { [key: string]: unknown }

/** A server of the older transport: an event stream, and an address for messages. */
export async function startSseHost() {
  let events: http.ServerResponse | undefined
  const answers: { [method: string]: (params: Json) => Json } = {
    initialize: ({ protocolVersion }) => ({
      protocolVersion,
      capabilities: { tools: {} },
      serverInfo: { name: 'old', version: '1' },
    }),
    'tools/list': () => ({ tools: [{ name: 'say', inputSchema: { type: 'object' } }] }),
    'tools/call': ({ name }) => ({ content: [{ type: 'text', text: `said ${name}` }] }),
  }
  return listen(async (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('event: endpoint\ndata: /messages\n\n')
      events = response
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    response.writeHead(202).end()
    if (id !== undefined) {
      const result = answers[method]?.(params ?? {})
      events?.write(`event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`)
    }
  })
}

/** A host that answers every request in this way. */
export const startBrokenHost = (answer: (response: http.ServerResponse) => void) =>
  listen((request, response) => {
    request.resume()
    answer(response)
  })
