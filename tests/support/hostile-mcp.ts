import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const MIB = 1024 * 1024
const nested = (depth: number): string =>
  depth === 0 ? '{"type":"string"}' : `{"type":"object","properties":{"a":${nested(depth - 1)}}}`
const toolOf = (name: string, inputSchema = '{"type":"object","properties":{}}') =>
  `{"name":"${name}","description":"A tool.","inputSchema":${inputSchema}}`
const list = (count: number, schema?: string) =>
  Array.from({ length: count }, (_, index) => toolOf(`t${index}`, schema))

/** What its list of tools is, by the path that is asked. `undefined`: it never answers. */
const LISTS: { [path: string]: () => string | undefined } = {
  pages: () => `{"tools":[${list(50)}],"nextCursor":"${Math.random()}"}`,
  many: () => `{"tools":[${list(60_000)}]}`,
  deep: () => `{"tools":[${list(200, nested(2_000))}]}`,
  wide: () =>
    `{"tools":[${list(20, `{"type":"object","properties":{${Array.from({ length: 5_000 }, (_, index) => `"p${index}":{"type":"string","pattern":"^(a+)+$"}`)}}}`)}]}`,
  silent: () => undefined,
  reset: () => 'reset',
  calls: () => `{"tools":[${['giant', 'wait', 'broken'].map((name) => toolOf(name))}]}`,
}
export const MCP_LISTS = Object.keys(LISTS)

/** What a call of a tool gives. */
const CALLS: { [name: string]: () => string | undefined } = {
  giant: () => `{"content":[{"type":"text","text":"${'x'.repeat(20 * MIB)}"}]}`,
  wait: () => undefined,
  broken: () => 'reset',
}

/** An MCP server over HTTP that does harm to its clients; the path says how. */
export async function startHostileMcp() {
  const server = http.createServer(async (request, response) => {
    response.on('error', () => {})
    if (request.method !== 'POST') return void response.writeHead(405).end()
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request) chunks.push(chunk)
    } catch {
      return
    }
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString())
    if (id === undefined) return void response.writeHead(202).end()
    if (!/^(initialize|tools\/list|tools\/call)$/.test(method)) {
      const error = { code: -32601, message: 'Method not found' }
      response.writeHead(200, { 'content-type': 'application/json' })
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
    }
    const result =
      method === 'initialize'
        ? `{"protocolVersion":"${params.protocolVersion}","capabilities":{"tools":{}},"serverInfo":{"name":"hostile","version":"1"}}`
        : method === 'tools/list'
          ? LISTS[(request.url ?? '').slice(1)]?.()
          : (CALLS[params?.name] ?? (() => '{}'))()
    if (result === undefined) return
    response.writeHead(200, { 'content-type': 'application/json' })
    if (result === 'reset') {
      response.write(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":"half`)
      return void setTimeout(() => response.destroy(), 50)
    }
    response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
