import http from 'node:http'
import type { AddressInfo } from 'node:net'

const books = [
  { id: 1, title: 'Dune', pages: 612 },
  { id: 2, title: 'Emma', pages: 474 },
]
const KEY = 'library-key'

export type Library = Awaited<ReturnType<typeof startLibrary>>

/** An API to try the tools with, and its document. Yours is somewhere else: fetch its document instead. */
export async function startLibrary() {
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://library')
    const json = (status: number, body: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    if (request.headers['x-key'] !== KEY) return json(401, { error: 'No key.' })
    const book = books.find(({ id }) => pathname === `/books/${id}`)
    if (pathname === '/books') return json(200, books.slice(0, Number(searchParams.get('limit') ?? 10)))
    return book === undefined ? json(404, { error: 'No such book.' }) : json(200, book)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const document = {
    openapi: '3.1.0',
    servers: [{ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }],
    security: [{ key: [] }],
    components: { securitySchemes: { key: { type: 'apiKey', in: 'header', name: 'X-Key' } } },
    paths: {
      '/books': {
        get: {
          operationId: 'list_books',
          summary: 'List all books of the library.',
          parameters: [{ name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1 } }],
        },
      },
      '/books/{id}': {
        get: {
          operationId: 'find_book',
          summary: 'Find one book by its number.',
          parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
        },
      },
    },
  }
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { document, key: KEY, close }
}
