/** A small HTTP API to try the tools with. Yours is somewhere else: delete this file then. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

const BOOKS = [
  { id: 1, title: 'Dune', pages: 612 },
  { id: 2, title: 'Emma', pages: 474 },
]

/** Starts the API on a free port. @returns its OpenAPI document */
export async function startLibrary() {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://library')
    const book = BOOKS.find(({ id }) => pathname === `/books/${id}`)
    const body = pathname === '/books' ? BOOKS : (book ?? { error: 'There is no such book.' })
    const status = 'error' in body ? 404 : 200
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  server.unref() // it ends with the agency
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'integer' } }
  return {
    openapi: '3.1.0',
    servers: [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }],
    paths: {
      '/books': { get: { operationId: 'list_books', summary: 'List all books.' } },
      '/books/{id}': { get: { operationId: 'find_book', summary: 'Find one book by its number.', parameters: [id] } },
    },
  }
}
