import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

type Page = (response: http.ServerResponse, request: http.IncomingMessage) => void

/** A host of files on loopback until the test is over: a page by its path, 404 for the rest. */
export async function startFileHost(pages: { [path: string]: Page }) {
  const hits: http.IncomingMessage[] = []
  let connections = 0
  let open = 0
  let busy = 0
  let mostBusy = 0
  const server = http.createServer((request, response) => {
    hits.push(request)
    mostBusy = Math.max(mostBusy, ++busy)
    response.once('close', () => busy--)
    const page = pages[new URL(request.url ?? '', 'http://host').pathname]
    if (page !== undefined) return page(response, request)
    response.writeHead(404).end('none')
  })
  server.on('connection', (socket) => {
    connections++
    open++
    socket.once('close', () => open--)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    hits,
    /** Connections ever made, open right now, and the most requests that were being answered at once. */
    connections: () => connections,
    open: () => open,
    mostBusy: () => mostBusy,
  }
}

/** A page of these bytes. */
export const page =
  (body: string | Buffer, headers: http.OutgoingHttpHeaders = {}): Page =>
  (response) =>
    response.writeHead(200, headers).end(body)

/** A page that never ends: headers, then these bytes every few milliseconds. */
export const endless =
  (chunk: Buffer, everyMs: number, headers: http.OutgoingHttpHeaders = {}): Page =>
  (response) => {
    response.writeHead(200, headers).flushHeaders()
    const timer = setInterval(() => {
      if (!response.writableNeedDrain) response.write(chunk)
    }, everyMs)
    response.once('close', () => clearInterval(timer))
  }

/** A page that takes the request and says nothing. */
export const silent: Page = () => {}

export const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)
export const PDF = Buffer.from('%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n')
